"""The testing kit: scripted runs on a clock that a test turns, and faults on demand."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import RunConfig, RunStatus
from mcli.testing import Faults, Script, VirtualClock, local_platform, virtual_cluster
from tests.test_imports import imported_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcli.testing.platform import PlatformForTests

HOUR = 3600.0


def config(name: str = "train", **more: Any) -> RunConfig:
    return RunConfig(name, image="bash", command="exit 99", **{"compute": {"gpus": 8}, **more})


def running(name: str, clock: VirtualClock, **more: Any) -> mcli.Run:
    """Return a run that is RUNNING."""
    return mcli.wait_for_run_status(mcli.create_run(config(name, **more)), "RUNNING", timeout=60)


def reaches(run: mcli.Run, status: str) -> mcli.Run:
    return mcli.wait_for_run_status(run, status, timeout=60)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_an_hour_passes_when_the_clock_is_turned(clock: VirtualClock) -> None:
    """The run prints and ends when its script says so, not before."""
    script = Script(seconds=HOUR, log={0: "begun\n", 1800: "half\n"}, code=3)
    with local_platform(clock=clock, scripts={"train": script}):
        run = running("train", clock)
        clock.advance(1800)
        assert mcli.get_run(run).status is RunStatus.RUNNING
        clock.advance(1800)
        ended = reaches(run, "FAILED")
        assert str(mcli.get_run_logs(run)).endswith("\nbegun\nhalf\n")
        assert "Exit code: 3" in (ended.reason or "")


def test_a_run_without_a_script_completes(clock: VirtualClock) -> None:
    """Its command is not executed."""
    with local_platform(clock=clock, scripts={}):
        assert reaches(mcli.create_run(config()), "COMPLETED").status is RunStatus.COMPLETED


def test_each_resumption_has_its_script(clock: VirtualClock) -> None:
    """A run that fails is tried again, and plays the next one."""
    scripts = {"train": [Script(code=1, log={0: "one\n"}), Script(log={0: "two\n"})]}
    with local_platform(clock=clock, scripts=scripts):
        run = mcli.create_run(config(scheduling={"max_retries": 1}))
        assert len(reaches(run, "COMPLETED").resumptions) == 2
        assert str(mcli.get_run_logs(run, resumption=0)).endswith("\none\n")


@pytest.mark.parametrize("script", [Script(signal=signal.SIGKILL), Script(lost=True)])
def test_a_system_failure_is_tried_again_by_the_watchdog(clock: VirtualClock, script: Script) -> None:
    """A kill by nobody and a lost node are faults of the system."""
    with local_platform(clock=clock, scripts={"train": [script, Script()]}):
        run = mcli.create_run(config(scheduling={"retry_on_system_failure": True}))
        assert len(reaches(run, "COMPLETED").resumptions) == 2


def test_a_preempted_run_goes_on_later(clock: VirtualClock) -> None:
    """The platform's own scheduler decides, on the cluster that the test makes up."""
    scripts = {"low": Script(seconds=HOUR), "high": Script(seconds=60)}
    with local_platform(clock=clock, scripts=scripts, cluster=virtual_cluster(1, 8)):
        low = running("low", clock, scheduling={"priority": "low", "preemptible": True})
        high = running("high", clock, scheduling={"priority": "high"})
        assert mcli.get_run(low).status in {RunStatus.PENDING, RunStatus.QUEUED}
        clock.advance(60)
        reaches(high, "COMPLETED")
        low = mcli.get_run(reaches(low, "RUNNING"))
        assert len(low.resumptions) == 2
        clock.advance(HOUR)
        assert reaches(low, "COMPLETED").status is RunStatus.COMPLETED


def test_a_scripted_run_is_stopped(clock: VirtualClock) -> None:
    """A stop ends it at once."""
    with local_platform(clock=clock, scripts={"train": Script(seconds=HOUR)}):
        run = running("train", clock)
        mcli.stop_run(run, reason="enough")
        assert reaches(run, "STOPPED").reason == "enough"


def test_a_limit_is_kept(clock: VirtualClock) -> None:
    """`max_duration` counts on the same clock."""
    with local_platform(clock=clock, scripts={"train": Script(seconds=9 * HOUR)}):
        run = running("train", clock, scheduling={"max_duration": 1})
        clock.advance(HOUR)
        assert reaches(run, "STOPPED").status is RunStatus.STOPPED


# faults


@pytest.fixture(scope="module")
def platform() -> Iterator[PlatformForTests]:
    with local_platform(scripts={}) as platform:
        yield platform


@pytest.fixture
def faults(platform: PlatformForTests) -> Iterator[Faults]:
    yield platform.faults
    platform.faults.clear()


def test_a_failed_query_is_tried_again(faults: Faults) -> None:
    """One 503 is ridden out; code that is tested sees nothing of it."""
    faults.fail_next("getClusters", 503)
    assert [cluster.name for cluster in mcli.get_clusters()] == ["local"]


def test_a_refusal_reaches_the_caller(faults: Faults) -> None:
    """Only requests of the operation that was named, and as often as was said."""
    faults.fail_next("getClusters", 403, message="no")
    assert mcli.get_runs(limit=1) is not None
    with pytest.raises(mcli.MAPIException, match="no") as caught:
        mcli.get_clusters()
    assert caught.value.status == 403
    assert mcli.get_clusters()


def test_a_lost_answer_changes_nothing_twice(faults: Faults) -> None:
    """The platform remembers requests by their keys, so the run is made once."""
    faults.lose_next_answer("createRun")
    run = mcli.create_run(config("once"))
    assert [run.name] == [each.name for each in mcli.get_runs() if each.name.startswith("once-")]


def test_a_slow_answer_meets_the_timeout(faults: Faults) -> None:
    """The call is held up for longer than its caller waits."""
    faults.delay_next(30, "getClusters")
    with pytest.raises(TimeoutError):
        mcli.get_clusters(timeout=0.2)


def test_keys_expire_and_come_back(faults: Faults) -> None:
    """401, until the test lets them be valid again."""
    faults.expire_keys()
    with pytest.raises(mcli.MAPIException) as caught:
        mcli.get_clusters()
    assert caught.value.status == 401
    faults.expire_keys(expired=False)
    assert mcli.get_clusters()


def test_watches_survive_a_dropped_socket(clock: VirtualClock) -> None:
    """The socket is closed under a watch, which goes on to the end of the run."""
    with local_platform(clock=clock, scripts={"train": Script(seconds=HOUR)}) as platform:
        run = running("train", clock)
        watch = mcli.watch_run_status(run, timeout=60)
        assert next(watch).status is RunStatus.RUNNING
        platform.faults.drop_sockets()
        clock.advance(HOUR)
        assert RunStatus.COMPLETED in {each.status for each in watch}


def test_a_fault_for_no_request_is_refused(faults: Faults) -> None:
    """`times` says of how many requests."""
    with pytest.raises(ValueError, match="times must be 1 or more"):
        faults.fail_next(times=0)


# the plugin


def test_fixtures_are_there_without_a_conftest(tmp_path: Path) -> None:
    """Installing the package is enough; each test has its own platform, or is a new user of a shared one."""
    (tmp_path / "test_it.py").write_text(
        "import mcli\n"
        "def test_own(local_platform): assert mcli.get_runs() == []\n"
        "def test_first(shared_local_platform):\n"
        "    mcli.create_run(mcli.RunConfig('a', image='b', command='sleep 600', compute={'gpus': 0}))\n"
        "def test_second(shared_local_platform): assert mcli.get_runs() == []\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert (0, True) == (done.returncode, "3 passed" in done.stdout), done.stdout


def test_the_plugin_imports_nothing_until_it_is_used() -> None:
    """Projects that do not use it do not pay for it."""
    assert set() == {"httpx", "pydantic", "uvicorn", "graphql", "mcli.platform"} & imported_by(
        "import mcli.testing.plugin"
    )
