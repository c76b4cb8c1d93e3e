"""Watching statuses, and waiting for one."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, RunStatus, RunStatusNotReached
from mcli.watches import between
from tests import wire
from tests.conftest import runs_asked_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import ServeSocket
    from tests.wire import Subscription

ALL = ["PENDING", "QUEUED", "STARTING", "RUNNING", "COMPLETED"]


def statuses(*texts: str | None, drop: bool = False) -> Callable[[Subscription], Awaitable[None]]:
    """Send these statuses, and complete or drop the socket."""

    async def script(watch: Subscription) -> None:
        for text in texts:
            await watch.next(wire.status(text))
        await (watch.drop() if drop else watch.complete())

    return script


def in_turn(*scripts: Callable[[Subscription], Awaitable[None]]) -> Callable[[Subscription], Awaitable[None]]:
    """Serve the first subscription with the first script, and so on."""
    left = list(scripts)

    async def script(watch: Subscription) -> None:
        await left.pop(0)(watch)

    return script


def reading(status: str, *passed: str) -> Callable[[wire.Call], Any]:
    """Answer every reading of a run with this status, and a life of those that it passed."""
    return lambda call: runs_asked_for(call, status, details=wire.details(*passed))


def test_each_status_comes_as_a_new_run(serve_socket: ServeSocket) -> None:
    """A watch gives a run for each status; none of them changes later."""
    serve_socket(statuses(*ALL), answer=reading("COMPLETED"))
    runs = list(mcli.watch_run_status("run-a"))
    assert ALL == [run.status.name for run in runs]
    assert len(ALL) == len({id(run) for run in runs})


def test_a_run_needs_no_look_up(serve_socket: ServeSocket) -> None:
    """Given a run, a watch asks for nothing else before the run has ended."""
    asked = wire.Script(wire.page(wire.run("run-a", "RUNNING")))
    serve_socket(statuses("RUNNING"), answer=asked)
    run = mcli.get_run("run-a")
    assert [run] == list(mcli.watch_run_status(run))
    assert 1 == len(asked.calls)


def test_a_missing_run_is_a_404(serve_socket: ServeSocket) -> None:
    """Watching a run that is not there is an error that names it, without a subscription."""
    server = serve_socket(statuses(), answer=lambda call: wire.page())
    with pytest.raises(MAPIException, match="Error 404: Run 'nope' not found"):
        next(mcli.watch_run_status("nope"))
    assert [] == server.subscriptions


def test_the_last_run_has_details(serve_socket: ServeSocket) -> None:
    """The run with the terminal status is read anew, with its reason."""
    answer = wire.page(wire.run("run-a", "FAILED", resumptions=[wire.resumption(reason="Exit code 3")]))
    serve_socket(statuses("RUNNING", "FAILED"), answer=lambda call: answer)
    *_, last = mcli.watch_run_status("run-a")
    assert (RunStatus.FAILED, "Exit code 3") == (last.status, last.reason)


def test_an_unknown_status_is_no_error(serve_socket: ServeSocket) -> None:
    """A status of a newer platform is UNKNOWN."""
    serve_socket(statuses("RUNNING", "LEVITATING", "COMPLETED"), answer=reading("COMPLETED"))
    assert ["RUNNING", "UNKNOWN", "COMPLETED"] == [run.status.name for run in mcli.watch_run_status("run-a")]


def test_a_watch_gives_futures(serve_socket: ServeSocket) -> None:
    """With `future=True` there is a future for each status; the last raises StopAsyncIteration."""
    serve_socket(statuses("RUNNING", "COMPLETED"), answer=reading("COMPLETED"))
    steps = mcli.watch_run_status("run-a", future=True)
    first, second, third = next(steps), next(steps), next(steps)
    assert ["RUNNING", "COMPLETED"] == [each.result(wire.PATIENCE).status.name for each in (first, second)]
    with pytest.raises(StopAsyncIteration):
        third.result(wire.PATIENCE)


# Lost connections


def test_no_status_is_repeated_after_a_drop(serve_socket: ServeSocket) -> None:
    """A watch that comes back is sent the present status again, and does not pass it on."""
    script = in_turn(statuses("RUNNING", drop=True), statuses("RUNNING", "COMPLETED"))
    serve_socket(script, answer=reading("COMPLETED", "PENDING", "RUNNING", "COMPLETED"))
    assert ["RUNNING", "COMPLETED"] == [run.status.name for run in mcli.watch_run_status("run-a")]


def test_missed_statuses_come_from_the_life_of_the_run(serve_socket: ServeSocket) -> None:
    """What came and went while the socket was down is read from the run's life."""
    script = in_turn(statuses("PENDING", drop=True), statuses("COMPLETED"))
    serve_socket(script, answer=reading("COMPLETED", *ALL))
    assert ALL == [run.status.name for run in mcli.watch_run_status("run-a")]


@pytest.mark.parametrize(
    ("passed", "heard", "now", "expected"),
    [
        (ALL, ["PENDING"], "RUNNING", ["QUEUED", "STARTING"]),
        (ALL, ["STARTING", "RUNNING"], "COMPLETED", []),
        (ALL, ["RUNNING"], "RUNNING", []),
        (ALL, ["COMPLETED"], "COMPLETED", []),
        ([], ["PENDING"], "RUNNING", []),
        (["PENDING", "RUNNING", "PENDING", "RUNNING"], ["PENDING", "RUNNING"], "RUNNING", ["PENDING"]),
        (["PENDING", "RUNNING", "QUEUED"], ["PENDING"], "STARTING", ["RUNNING", "QUEUED"]),
    ],
)
def test_what_was_missed(passed: list[str], heard: list[str], now: str, expected: list[str]) -> None:
    """Between what was heard and the present status, each status that the run passed was missed."""
    found = between([RunStatus[each] for each in passed], [RunStatus[each] for each in heard], RunStatus[now])
    assert expected == [each.name for each in found]


def test_every_watch_comes_back(serve_socket: ServeSocket) -> None:
    """A drop ends none of the watches on the socket, and all share the next one."""
    names = [f"run-{number}" for number in range(20)]
    dropped = asyncio.Event()

    async def script(watch: Subscription) -> None:
        await watch.next(wire.status("RUNNING"))
        if not dropped.is_set():
            if watch.asked["name"] == names[-1]:
                dropped.set()
                await watch.drop()
            await wire.for_ever()
        await statuses("RUNNING", "COMPLETED")(watch)

    server = serve_socket(script, answer=lambda call: runs_asked_for(call, "COMPLETED"))
    futures = [mcli.wait_for_run_status(name, "completed", future=True) for name in names]
    assert names == [future.result(wire.PATIENCE).name for future in futures]
    assert 2 == server.connections


def test_a_run_that_was_deleted_meanwhile_is_watched_to_its_end(serve_socket: ServeSocket) -> None:
    """Where the platform no longer tells of a run, the statuses that are missing stand in its life."""

    async def forgotten(watch: Subscription) -> None:
        await watch.fail(404, "No run named 'run-a'")

    life = [*ALL[:4], "TERMINATING", "STOPPED"]
    serve_socket(in_turn(statuses(*ALL[:4], drop=True), forgotten), answer=reading("STOPPED", *life))
    assert life == [run.status.name for run in mcli.watch_run_status("run-a")]


def test_a_watch_of_what_never_was_is_a_404(serve_socket: ServeSocket) -> None:
    """A platform that knows nothing of a run from the beginning is believed."""

    async def unknown(watch: Subscription) -> None:
        await watch.fail(404, "No run named 'run-a'")

    serve_socket(unknown)
    with pytest.raises(MAPIException, match="Error 404: No run named 'run-a'"):
        next(mcli.watch_run_status("run-a"))


# Waiting


@pytest.mark.parametrize("wanted", ["running", "Running", RunStatus.RUNNING, "STARTING", "pending"])
def test_waiting_ends_at_the_status_or_a_later_one(
    serve_socket: ServeSocket, wanted: str | RunStatus
) -> None:
    """A wait is over when the run has come so far, or further."""
    serve_socket(statuses("RUNNING"), answer=reading("RUNNING"))
    assert "RUNNING" == mcli.wait_for_run_status("run-a", wanted).status.name


@pytest.mark.parametrize("end", ["COMPLETED", "STOPPED", "FAILED"])
def test_waiting_for_completed_gets_every_end(serve_socket: ServeSocket, end: str) -> None:
    """Who waits for COMPLETED gets a run that was stopped or failed as well."""
    serve_socket(statuses("RUNNING", end), answer=reading(end))
    assert end == mcli.wait_for_run_status("run-a", "completed").status.name


def test_a_watch_that_ends_early_is_an_error(serve_socket: ServeSocket) -> None:
    """Where the platform ends the watch before the status, the error has run and statuses."""
    serve_socket(statuses("RUNNING"), answer=reading("RUNNING"))
    with pytest.raises(RunStatusNotReached) as caught:
        mcli.wait_for_run_status("run-a", "completed")
    error = caught.value
    assert ("run-a", RunStatus.RUNNING, RunStatus.COMPLETED) == (error.name, error.actual, error.expected)


def test_a_status_that_is_none_has_a_suggestion(serve_socket: ServeSocket) -> None:
    """A typo is an error at the call that names the nearest status."""
    serve_socket(statuses())
    with pytest.raises(ValueError, match=r"status must be a RunStatus, not 'runing'. Did you mean 'RUNNING'"):
        mcli.wait_for_run_status("run-a", "runing")


def test_a_wait_that_ends_leaves_the_watch(serve_socket: ServeSocket) -> None:
    """The server is told when the wait is over, and the socket is closed."""

    async def script(watch: Subscription) -> None:
        await watch.next(wire.status("RUNNING"))
        await wire.for_ever()

    server = serve_socket(script, answer=reading("RUNNING"))
    mcli.wait_for_run_status("run-a", "running")
    server.wait_until(lambda: server.subscriptions[0].stopped and server.open == 0)


@pytest.mark.parametrize("leave", ["cancel", "timeout", "drop"])
def test_a_wait_that_is_left_leaves_the_watch(serve_socket: ServeSocket, leave: str) -> None:
    """The server is told when a wait is cancelled or takes too long, or a watch is dropped."""

    async def script(watch: Subscription) -> None:
        await watch.next(wire.status("RUNNING"))
        await wire.for_ever()

    server = serve_socket(script)
    if leave == "cancel":
        future = mcli.wait_for_run_status("run-a", "completed", future=True)
        server.wait_until(lambda: len(server.subscriptions) == 1)
        future.cancel()
    elif leave == "timeout":
        with pytest.raises(TimeoutError, match="wait_for_run_status"):
            mcli.wait_for_run_status("run-a", "completed", timeout=0.5)
    else:
        assert (
            "RUNNING" == next(mcli.watch_run_status("run-a", future=True)).result(wire.PATIENCE).status.name
        )
        gc.collect()
    server.wait_until(lambda: server.subscriptions[0].stopped and server.open == 0)


@pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)
def test_200_watches_started_cold_all_deliver(serve_socket: ServeSocket, subprotocol: str) -> None:
    """200 waits begun by 8 threads at once, without a connection, all end, over one socket."""
    server = serve_socket(
        statuses("RUNNING", "COMPLETED"),
        answer=lambda call: runs_asked_for(call, "COMPLETED"),
        subprotocols=[subprotocol],
    )
    names = [f"run-{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        futures = list(
            threads.map(lambda name: mcli.wait_for_run_status(name, "completed", future=True), names)
        )
    assert names == [future.result(wire.PATIENCE).name for future in futures]
    assert 1 == server.connections


def test_watching_for_asyncio(serve_socket: ServeSocket) -> None:
    """`watch_run_status.aio` is an async iterator, `wait_for_run_status.aio` is awaited."""
    serve_socket(statuses("RUNNING", "COMPLETED"), answer=reading("COMPLETED"))

    async def main() -> list[str]:
        seen = [run.status.name async for run in mcli.watch_run_status.aio("run-a")]
        last = await mcli.wait_for_run_status.aio("run-a", "completed")
        return [*seen, last.status.name]

    assert ["RUNNING", "COMPLETED", "COMPLETED"] == asyncio.run(main())


# Futures of a stream


def test_the_list_of_the_futures_ends(serve_socket: ServeSocket) -> None:
    """`list` ends with the stream, and hands out no endless number of futures."""
    serve_socket(statuses(*ALL), answer=reading("COMPLETED"))
    futures = list(mcli.watch_run_status("run-a", future=True))
    assert ALL == [each.result(wire.PATIENCE).status.name for each in futures[: len(ALL)]]
    assert all(isinstance(each.exception(wire.PATIENCE), StopAsyncIteration) for each in futures[len(ALL) :])
    assert 0 < len(futures) - len(ALL) <= 1000


def test_a_thousand_futures_wait_at_once(serve_socket: ServeSocket) -> None:
    """`next` returns at once while fewer wait, and then with the next result."""
    more = asyncio.Event()

    async def script(watch: Subscription) -> None:
        await more.wait()
        await statuses("RUNNING")(watch)

    server = serve_socket(script, answer=reading("RUNNING"))
    steps = mcli.watch_run_status("run-a", future=True)
    waiting = [next(steps) for _ in range(1000)]
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, steps, None)
        assert not any(each.done() for each in [*waiting, following])
        server.wait_until(lambda: len(server.subscriptions) == 1)
        server.call(_set(more))
        following.result(wire.PATIENCE)
    assert "RUNNING" == waiting[0].result(wire.PATIENCE).status.name
    steps.close()


async def _set(event: asyncio.Event) -> None:
    event.set()


@pytest.mark.parametrize("call", ["wait", "watch", "log"])
def test_a_timeout_says_how_the_run_stands(serve_socket: ServeSocket, call: str) -> None:
    """What takes too long names the run, its status, and what it waits for."""
    serve_socket(lambda _: wire.for_ever(), answer=reason_why)
    calls: dict[str, Callable[[], object]] = {
        "wait": lambda: mcli.wait_for_run_status("run-a", "completed", timeout=0.3),
        "watch": lambda: list(mcli.watch_run_status("run-a", timeout=0.3)),
        "log": lambda: list(mcli.follow_run_logs("run-a", timeout=0.3)),
    }
    with pytest.raises(TimeoutError, match=r"Run 'run-a' is PENDING \(Waiting for 8 GPUs\)"):
        calls[call]()


def reason_why(call: wire.Call) -> dict[str, Any]:
    """Answer that a run waits for GPUs."""
    return runs_asked_for(
        call,
        "PENDING",
        reason="Waiting for 8 GPUs",
        resumptions=[wire.resumption(status="PENDING", reason="Waiting for 8 GPUs")],
    )
