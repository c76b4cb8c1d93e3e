"""The page's part on statuses: `RunStatus`, waiting and watching."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import mcli
from mcli import RunStatus, RunStatusNotReached
from tests.page.claims import claims, done, error, kind, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli import Run

ORDER = ["PENDING", "QUEUED", "STARTING", "RUNNING", "TERMINATING", "COMPLETED"]
LAST = {"COMPLETED", "STOPPED", "FAILED"}


@claims(
    *(
        (f"{name} is a status, whose value is its name", name, partial(lambda n: RunStatus[n].value, name))
        for name in [*ORDER, "STOPPED", "FAILED", "UNKNOWN"]
    ),
    *((f"{a} comes before {b}", True, partial(lambda x, y: RunStatus[x].before(RunStatus[y]), a, b)) for a, b in pairwise(ORDER)),
    *((f"{b} comes after {a}", True, partial(lambda x, y: RunStatus[y].after(RunStatus[x]), a, b)) for a, b in pairwise(ORDER)),
    *(
        (f"{each} is {'' if each in LAST else 'not '}terminal", each in LAST, partial(lambda n: RunStatus[n].is_terminal(), each))
        for each in [*ORDER, "STOPPED", "FAILED", "UNKNOWN"]
    ),
    ("a status is not before itself", False, lambda: RunStatus.RUNNING.before(RunStatus.RUNNING)),
    ("a status is before itself if that is included", True, lambda: RunStatus.RUNNING.before(RunStatus.RUNNING, inclusive=True)),
    ("a status is not after itself", False, lambda: RunStatus.RUNNING.after(RunStatus.RUNNING)),
    ("a status is after itself if that is included", True, lambda: RunStatus.RUNNING.after(RunStatus.RUNNING, inclusive=True)),
    ("a status can be made of its value", RunStatus.RUNNING, lambda: RunStatus("RUNNING")),
    ("from_string converts a text", RunStatus.RUNNING, lambda: RunStatus.from_string("RUNNING")),
    ("from_string takes any letter case", RunStatus.RUNNING, lambda: RunStatus.from_string("running")),
    ("from_string gives UNKNOWN for what is not recognized", RunStatus.UNKNOWN, lambda: RunStatus.from_string("nonsense")),
)  # fmt: skip
def test_statuses(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of statuses."""
    assert expected == seen()


def napping(call: Callable[[Run], Any]) -> Any:
    """Return what a call gives for a run that waits, and stop the run."""
    made = run("sleep 60")
    try:
        return call(made)
    finally:
        mcli.stop_run(made)


def passed(status: object = "completed") -> RunStatus:
    return mcli.wait_for_run_status(run(), status, timeout=120).status


@claims(
    ("wait_for_run_status waits until a run has reached a status", RunStatus.COMPLETED, passed),
    ("wait_for_run_status takes the status as RunStatus", RunStatus.COMPLETED, lambda: passed(RunStatus.COMPLETED)),
    ("wait_for_run_status takes the status as text in any letter case", RunStatus.COMPLETED, lambda: passed("Completed")),
    ("wait_for_run_status takes the run's name", RunStatus.COMPLETED, lambda: mcli.wait_for_run_status(run().name, "completed", timeout=120).status),
    ("wait_for_run_status gives the Run once it has reached the status", RunStatus.RUNNING,
        lambda: napping(lambda made: mcli.wait_for_run_status(made, "running", timeout=120).status)),
    ("wait_for_run_status of a run that has passed the status returns with a later one", RunStatus.COMPLETED,
        lambda: mcli.wait_for_run_status(done(), "running", timeout=60).status),
    ("wait_for_run_status of a run that fails returns with FAILED for COMPLETED", RunStatus.FAILED,
        lambda: mcli.wait_for_run_status(run("exit 1"), "completed", timeout=120).status),
    ("wait_for_run_status of a run that never reaches the status raises RunStatusNotReached", RunStatusNotReached,
        lambda: kind(lambda: mcli.wait_for_run_status(done(), "failed", timeout=60))),
    ("RunStatusNotReached tells both statuses", (RunStatus.COMPLETED, RunStatus.FAILED), lambda: (
        lambda e: (e.actual, e.expected))(error(lambda: mcli.wait_for_run_status(done(), "failed", timeout=60)))),
    ("wait_for_run_status raises a TimeoutError if the wait takes too long", TimeoutError,
        lambda: napping(lambda made: kind(lambda: mcli.wait_for_run_status(made, "completed", timeout=0.05)))),
    ("wait_for_run_status of an unknown run is a 404", 404,
        lambda: error(lambda: mcli.wait_for_run_status("no-such-run", "completed", timeout=60)).status),
    ("wait_for_run_status refuses a status that does not exist", ValueError,
        lambda: kind(lambda: mcli.wait_for_run_status(done(), "finished"))),
    ("wait_for_run_status returns a Future of the run if future is true", True,
        lambda: isinstance(mcli.wait_for_run_status(done(), "completed", future=True), Future)),
    ("the Future of wait_for_run_status resolves when the run has reached the status", RunStatus.COMPLETED,
        lambda: mcli.wait_for_run_status(run(), "completed", future=True).result(120).status),
    ("the Future of wait_for_run_status does not resolve before that", False, lambda: napping(
        lambda made: (mcli.wait_for_run_status(made, "running", timeout=120), future := mcli.wait_for_run_status(
            made, "completed", future=True), future.done(), future.cancel())[2])),
    ("a timeout is ignored if future is true", RunStatus.COMPLETED,
        lambda: mcli.wait_for_run_status(run(), "completed", 0.001, True).result(120).status),
)  # fmt: skip
def test_waiting(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of waiting for a status."""
    assert expected == seen()


def watched(made: Run | str) -> list[RunStatus]:
    return [each.status for each in mcli.watch_run_status(made)]


def watched_with_futures() -> list[RunStatus]:
    seen: list[RunStatus] = []
    for future in mcli.watch_run_status(run(), future=True):
        try:
            seen.append(future.result(120).status)
        except StopAsyncIteration:
            break
    return seen


def watched_in_parallel() -> set[RunStatus]:
    """Watch several runs with futures, each until its end."""
    watches = [mcli.watch_run_status(run(), future=True) for _ in range(3)]
    ends = set()
    for watch in watches:
        last = None
        for future in watch:
            try:
                last = future.result(120).status
            except StopAsyncIteration:
                break
        ends.add(last)
    return ends


@claims(
    ("watch_run_status gives a Run at each update of its status", True, lambda: all(
        isinstance(each, mcli.Run) for each in mcli.watch_run_status(run()))),
    ("watch_run_status is a generator", True, lambda: isinstance(mcli.watch_run_status(done()), Generator)),
    ("watch_run_status takes a name", RunStatus.COMPLETED, lambda: watched(run().name)[-1]),
    ("watch_run_status ends with the end of the run", RunStatus.COMPLETED, lambda: watched(run())[-1]),
    ("watch_run_status gives statuses in their order", True, lambda: (lambda all_: all_ == sorted(all_))(watched(run()))),
    ("watch_run_status gives no status twice in a row", True, lambda: all(a is not b for a, b in pairwise(watched(run())))),
    ("watch_run_status gives a new Run each time", True, lambda: len(
        {id(each) for each in [*mcli.watch_run_status(run())]}) > 1),
    ("watch_run_status of an unknown run is a 404", 404, lambda: error(lambda: watched("no-such-run")).status),
    ("watch_run_status raises a TimeoutError if it takes too long", TimeoutError, lambda: napping(
        lambda made: kind(lambda: list(mcli.watch_run_status(made, timeout=0.05))))),
    ("watch_run_status yields Futures of the run if future is true", RunStatus.COMPLETED, lambda: watched_with_futures()[-1]),
    ("the end of watch_run_status with futures is a StopAsyncIteration", True, lambda: bool(watched_with_futures())),
    ("several runs can be watched in parallel with futures", {RunStatus.COMPLETED}, watched_in_parallel),
)  # fmt: skip
def test_watching(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of watching statuses."""
    assert expected == seen()
