"""Many watches and logs at once, started cold, from many threads, over a connection that drops."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli._core.connection import MAPIConnection
from tests.faults.proxy import Proxy
from tests.faults.stage import BOUND, Served, config

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

THREADS = 8
RUNS = 5


@dataclass
class Crowd:
    """Runs that wait for a gate, seen through a proxy."""

    runs: list[mcli.Run]
    gate: Path
    proxy: Proxy
    streams: list[Any] = field(default_factory=list)

    def start(self, watches: int, logs: int) -> list[Future[Any]]:
        """Start watches and logs from many threads at once, and return a future of the first result of each."""
        calls: list[Callable[[], Any]] = [
            *(
                lambda at=at: mcli.watch_run_status(self.runs[at % RUNS], future=True)
                for at in range(watches)
            ),
            *(lambda at=at: _behind_the_first_line(self.runs[at % RUNS]) for at in range(logs)),
        ]
        with ThreadPoolExecutor(THREADS) as threads:
            self.streams += threads.map(lambda call: call(), calls)
            return list(threads.map(next, self.streams))


def _behind_the_first_line(run: mcli.Run) -> Any:
    """Follow the log of a run, after the line that names the working folder."""
    steps = mcli.follow_run_logs(run, future=True).result()
    next(steps)
    return steps


@pytest.fixture
def crowd(tmp_path: Path) -> Generator[Crowd]:
    """Runs on a platform in another process, which no call of this one has reached yet through the proxy."""
    gate = tmp_path / "gate"
    command = f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; echo over"
    with contextlib.closing(Served(tmp_path / "platform")) as platform:
        with MAPIConnection(platform.endpoint, platform.api_key):
            runs = [mcli.create_run(config(f"run-{number}", command)) for number in range(RUNS)]
            for run in runs:
                mcli.wait_for_run_status(run, "running", timeout=BOUND)
        with Proxy(platform.endpoint) as proxy, MAPIConnection(proxy.endpoint, platform.api_key):
            crowd = Crowd(runs, gate, proxy)
            yield crowd
            for stream in crowd.streams:  # the garbage collector would end them in the middle of another test
                stream.close()
            gate.touch()


def delivered(futures: list[Future[Any]]) -> list[str]:
    """Wait for results, and return them as text: of each line, or status."""
    assert not wait(futures, BOUND).not_done
    return [str(getattr(each.result(), "status", each.result())) for each in futures]


def rest(steps: Iterable[Future[Any]]) -> list[str]:
    """Return what a stream still gives, as text."""
    results: list[str] = []
    with contextlib.suppress(StopAsyncIteration):
        results.extend(text for step in steps for text in delivered([step]))
    return results


@pytest.mark.parametrize(("watches", "logs"), [(200, 20), pytest.param(1000, 100, marks=pytest.mark.faults)])
def test_all_deliver_and_all_come_back(
    crowd: Crowd, watches: int, logs: int, record_property: Callable[[str, object], None]
) -> None:
    """However many there are, each gives its first result, and after a drop each goes on, over one socket."""
    firsts = delivered(crowd.start(watches, logs))
    threads = {thread.name for thread in threading.enumerate()} - {"MainThread", "fault-proxy"}

    seconds = [next(stream) for stream in crowd.streams]
    begin = time.monotonic()
    crowd.proxy.drop()
    crowd.gate.touch()
    again = delivered(seconds)
    took = time.monotonic() - begin

    assert ["RUNNING"] * watches + ["begun\n"] * logs == firsts
    assert ["TERMINATING"] * watches + ["over\n"] * logs == again
    assert [["COMPLETED"]] * watches + [[]] * logs == [rest(stream) for stream in crowd.streams]
    assert ({"mcli"}, 2) == (threads, crowd.proxy.opened)
    row = {"scenario": f"{watches} watches and {logs} logs: reset", "outcome": "whole", "seconds": took}
    for column, value in (row | {"lost": 0, "repeated": 0, "duplicates": 0}).items():
        record_property(column, value)


def test_a_hundred_waits_end(crowd: Crowd) -> None:
    """Waits that are started at once all end, also when the connection drops in between."""
    waits = [
        mcli.wait_for_run_status(crowd.runs[at % RUNS].name, "completed", future=True) for at in range(100)
    ]
    assert crowd.proxy.wait_until(lambda: len(crowd.proxy.messages("subscribe")) == 100)

    crowd.proxy.drop()
    crowd.gate.touch()

    assert ["COMPLETED"] * 100 == delivered(waits)


def test_one_that_fails_holds_up_no_other(crowd: Crowd) -> None:
    """A watch of a run that is not there ends with its error, and the others go on."""
    missing = mcli.watch_run_status("no-such-run", future=True)
    firsts = [*crowd.start(10, 0), next(missing)]

    assert not wait(firsts, BOUND).not_done
    assert ["RUNNING"] * 10 == delivered(firsts[:-1])
    with pytest.raises(mcli.MAPIException, match="no-such-run"):
        firsts[-1].result()
