"""Changes whose answer is lost, and platforms that restart in between."""

from __future__ import annotations

import contextlib
import itertools
import signal
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli._core.connection import MAPIConnection
from tests.faults.faults import Answered, Ending, Lost
from tests.faults.proxy import Proxy
from tests.faults.stage import BOUND, Served, config

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tests.faults.stage import Stage


@pytest.fixture(params=[signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.faults)])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Served]:
    """A platform that can be restarted, which all calls go to."""
    with (
        contextlib.closing(Served(tmp_path / "platform", request.param)) as platform,
        MAPIConnection(platform.endpoint, platform.api_key),
    ):
        yield platform


def test_a_platform_that_restarts_remembers_what_it_did(platform: Served) -> None:
    """A change whose answer is lost with its platform is asked for again, and was made once."""
    lost = Lost("CreateRun", Ending.RESET, executed=True, meanwhile=platform.restart)

    with Proxy(platform.endpoint, requests=[lost]) as proxy, MAPIConnection(proxy.endpoint, platform.api_key):
        run = mcli.create_run(config("once", "true"), timeout=BOUND)

    assert [run.name] == [each.name for each in mcli.get_runs()]


def test_a_restart_ends_no_log(platform: Served, tmp_path: Path) -> None:
    """Who follows a log reads on where the platform comes back."""
    command = f"seq 1000; while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done; seq 1000 2000"
    run = mcli.create_run(config("log", command))
    lines = mcli.follow_run_logs(run, timeout=BOUND)
    before = list(itertools.islice(lines, 1, 1001))  # after the name of the working folder

    platform.restart()
    (tmp_path / "gate").touch()

    assert [f"{number}\n" for number in [*range(1, 1001), *range(1000, 2001)]] == before + list(lines)


def test_a_restart_ends_no_watch(platform: Served, tmp_path: Path) -> None:
    """Who watches a run sees the statuses that came while the platform was away, and those after."""
    run = mcli.create_run(config("watch", f"while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done"))
    watch = mcli.watch_run_status(run, timeout=BOUND)
    seen = [next(watch).status]
    while seen[-1] is not mcli.RunStatus.RUNNING:
        seen.append(next(watch).status)
    ended = mcli.wait_for_run_status(run, "completed", future=True)

    platform.restart()
    (tmp_path / "gate").touch()
    seen += [each.status for each in watch]

    passed = [each.status for each in mcli.get_run(run).lifecycle]
    assert passed[passed.index(seen[0]) :] == seen
    assert mcli.RunStatus.COMPLETED is ended.result(BOUND).status


CHANGES: list[tuple[str, Callable[[mcli.Run], object]]] = [
    ("UpdateRunMetadata", lambda run: mcli.update_run_metadata(run, {"step": 1}, timeout=BOUND)),
    ("UpdateRun", lambda run: mcli.update_run(run, max_retries=2, timeout=BOUND)),
    ("StopRuns", lambda run: mcli.stop_run(run, timeout=BOUND)),
    ("DeleteRuns", lambda run: mcli.delete_run(run, timeout=BOUND)),
]


@pytest.mark.faults
@pytest.mark.parametrize(
    "fault", [Lost(executed=True), Answered(status=502, executed=True)], ids=["reset", "502"]
)
@pytest.mark.parametrize(("operation", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_no_change_is_made_twice(
    stage: Stage, operation: str, change: Callable[[mcli.Run], object], fault: Lost | Answered
) -> None:
    """A change whose answer is lost is sent once where the platform remembers nothing, and its error says so."""
    run, gate = stage.gated()
    proxy = Proxy(stage.platform.endpoint, requests=[fault], remembers_keys=False)
    with (
        stage.behind(proxy),
        pytest.raises(mcli.OutcomeUnknown, match=f"Whether {operation} was carried out"),
    ):
        change(run)

    assert [True] == [operation in document for document in proxy.asked if "mutation" in document]
    gate.touch()
    with stage.directly(), contextlib.suppress(mcli.MAPIException):
        mcli.wait_for_run_status(run, "completed", timeout=BOUND)


def test_a_timeout_of_a_change_says_that_its_outcome_is_unknown(stage: Stage) -> None:
    """A change that takes too long is given up, and the error says that it may have been made."""
    proxy = Proxy(stage.platform.endpoint, requests=[Lost("CreateRun", Ending.SILENT, executed=True)])
    stem = stage.name("slow")

    with stage.behind(proxy):
        with pytest.raises(TimeoutError, match=r"create_run did not end within 0\.5 s .* unknown"):
            mcli.create_run(config(stem, "true"), timeout=0.5)
        gone = proxy.wait_until(lambda: proxy.open_wires == 0)

    assert (True, 1) == (gone, stage.count(stem))
