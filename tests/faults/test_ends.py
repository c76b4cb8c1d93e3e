"""Who leaves, leaves nothing behind: no task, no subscription, no socket."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli._core import loop
from tests.faults.faults import Ending, Lost
from tests.faults.proxy import Proxy
from tests.faults.stage import BOUND

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.faults.stage import Stage

TOLD = 1.0
"""Seconds in which the server is to be told, and the socket closed."""

Leave = Callable[[mcli.Run, Proxy], object]


def subscribed(proxy: Proxy, times: int = 1) -> None:
    """Wait until the server has heard of so many subscriptions."""
    assert proxy.wait_until(lambda: len(proxy.messages("subscribe")) == times)


def break_off(run: mcli.Run, _: Proxy) -> None:
    for _line in mcli.follow_run_logs(run):
        break


def close(run: mcli.Run, _: Proxy) -> None:
    watch = mcli.watch_run_status(run)
    next(watch)
    watch.close()


def close_from_another_thread(run: mcli.Run, _: Proxy) -> None:
    lines = mcli.follow_run_logs(run)
    next(lines)
    thread = threading.Thread(target=lines.close)
    thread.start()
    thread.join()


def drop(run: mcli.Run, _: Proxy) -> None:
    next(mcli.follow_run_logs(run))
    gc.collect()


def drop_with_an_exception(run: mcli.Run, _: Proxy) -> None:
    def fail() -> None:
        for _line in mcli.follow_run_logs(run):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    gc.collect()


def time_out_following(run: mcli.Run, _: Proxy) -> None:
    with pytest.raises(TimeoutError, match=r"follow_run_logs did not end within 0\.3 s"):
        list(mcli.follow_run_logs(run, timeout=0.3))


def time_out_watching(run: mcli.Run, _: Proxy) -> None:
    with pytest.raises(TimeoutError, match=r"watch_run_status did not end within 0\.3 s"):
        list(mcli.watch_run_status(run, timeout=0.3))


def time_out_waiting(run: mcli.Run, _: Proxy) -> None:
    with pytest.raises(TimeoutError, match=r"wait_for_run_status did not end within 0\.3 s"):
        mcli.wait_for_run_status(run, "completed", timeout=0.3)


def cancel_a_wait(run: mcli.Run, proxy: Proxy) -> None:
    ended = mcli.wait_for_run_status(run, "completed", future=True)
    subscribed(proxy)
    ended.cancel()


def cancel_a_step(run: mcli.Run, proxy: Proxy) -> None:
    steps = mcli.watch_run_status(run, future=True)
    next(steps).result(BOUND)
    next(steps).cancel()


def close_steps(run: mcli.Run, _: Proxy) -> None:
    steps = mcli.follow_run_logs(run, future=True).result()
    next(steps).result(BOUND)
    waiting = next(steps)
    steps.close()
    assert waiting.cancelled()


def drop_steps(run: mcli.Run, _: Proxy) -> None:
    assert next(mcli.watch_run_status(run, future=True)).result(BOUND).name == run.name
    gc.collect()


def leave_asyncio(run: mcli.Run, _: Proxy) -> None:
    async def main() -> None:
        async for _line in mcli.follow_run_logs.aio(run):
            break

    asyncio.run(main())


def cancel_in_asyncio(run: mcli.Run, proxy: Proxy) -> None:
    async def main() -> None:
        task = asyncio.create_task(mcli.wait_for_run_status.aio(run, "completed"))
        await asyncio.to_thread(subscribed, proxy)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


LEAVE: list[Leave] = [
    break_off,
    close,
    close_from_another_thread,
    drop,
    drop_with_an_exception,
    time_out_following,
    time_out_watching,
    time_out_waiting,
    cancel_a_wait,
    cancel_a_step,
    close_steps,
    drop_steps,
    leave_asyncio,
    cancel_in_asyncio,
]
QUICK = (drop_with_an_exception, cancel_a_step)
"""Those that every run of the tests has."""


@pytest.fixture
def run(stage: Stage) -> Generator[mcli.Run]:
    """A run that has written a line, and goes on until the end of the test."""
    run, gate = stage.gated(before="echo begun")
    with stage.directly():
        mcli.wait_for_run_status(run, "running", timeout=BOUND)
        yield run
        gate.touch()
        mcli.wait_for_run_status(run, "completed", timeout=BOUND)


def left() -> set[str]:
    """Return what still runs on the client's loop, after the time that the end of it may take."""

    async def look() -> set[str]:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        waiting = (await asyncio.wait(others, timeout=TOLD))[1] if others else set()
        return {str(task.get_coro()) for task in waiting}

    return loop.submit(look()).result()


@pytest.mark.parametrize(
    "leave",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.faults) for each in LEAVE],
    ids=lambda each: each.__name__,
)
def test_the_server_is_told(stage: Stage, run: mcli.Run, leave: Leave) -> None:
    """Within a second the subscription is ended, the socket closed, and no task is left."""
    with stage.behind(Proxy(stage.platform.endpoint)) as proxy:
        leave(run, proxy)
        told = proxy.wait_until(lambda: len(proxy.messages("complete")) == 1, TOLD)
        closed = proxy.wait_until(lambda: proxy.open_sockets == 0, TOLD)

    assert (True, True, set()) == (told, closed, left())


def test_a_timeout_of_a_query_frees_its_connection(stage: Stage) -> None:
    """A query that takes too long is cancelled: its connection is closed, and a later call works."""
    with stage.behind(Proxy(stage.platform.endpoint, requests=[Lost(ending=Ending.SILENT)])) as proxy:
        with pytest.raises(TimeoutError, match=r"get_run did not end within 0\.2 s at http"):
            mcli.get_run(stage.book, timeout=0.2)
        closed = proxy.wait_until(lambda: proxy.open_wires == 0, TOLD)
        later = mcli.get_run(stage.book).name

    assert (True, stage.book) == (closed, later)


def test_the_others_on_the_socket_go_on(stage: Stage, run: mcli.Run) -> None:
    """While one consumer of a log reads nothing, and another leaves, a third one reads to the end."""
    with stage.behind(Proxy(stage.platform.endpoint)) as proxy:
        slow = mcli.follow_run_logs(stage.book)
        first = next(slow)
        break_off(run, proxy)
        whole = "".join(mcli.follow_run_logs(stage.book, timeout=BOUND))
        rest = "".join(slow)

    assert (whole, 1) == (first + rest, proxy.opened)
