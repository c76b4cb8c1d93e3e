"""One event loop on one daemon thread: where futures, changes and streams of this process run.

The thread starts with the first of them, never at import. It survives `fork` (the child gets a new one) and works until
the interpreter is gone, so that calls from `atexit` handlers succeed. What is still in flight at the end of the
interpreter is the matter of `shutdown`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import threading
import types
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, TypeVar

from mcli._core.process import is_ending, is_loop_thread, loop_runs_on, take_resources
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

__all__ = ["call_soon", "close_resources", "close_soon", "drain", "event_loop", "hand_over", "submit"]

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that resolves names without the default executor.

    `concurrent.futures` shuts that executor down before `atexit` handlers run, and joins its threads, so one slow
    name server would hold the exit of a script. A daemon thread holds nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._alive: set[asyncio.Task[Any]] = set()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Start a task and hold it until it is done: asyncio itself holds it weakly, and might collect it."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._alive.add(task)
        task.add_done_callback(self._alive.discard)
        return task

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        answer: asyncio.Future[Any] = self.create_future()

        def settle(setter: Callable[[Any], None], value: Any) -> None:
            if not answer.done():
                setter(value)

        def resolve() -> None:
            try:
                found = socket.getaddrinfo(host, port, **hints)
            except Exception as e:  # noqa: BLE001 - raised where it is waited for
                self.call_soon_threadsafe(settle, answer.set_exception, e)
            else:
                self.call_soon_threadsafe(settle, answer.set_result, found)

        try:
            threading.Thread(target=resolve, name="mcli-resolve", daemon=True).start()
        except RuntimeError:  # the interpreter is ending and starts no more threads
            return socket.getaddrinfo(host, port, **hints)
        return await answer

    def __del__(self) -> None:
        """Say nothing and close nothing: this loop ends with the process, or belongs to the parent of a fork."""


class _Background:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: _Loop | None = None
        self.thread: threading.Thread | None = None
        self.calls: set[asyncio.Task[Any]] = set()
        """What `submit` started and what has not ended."""
        self.is_over = False
        """Whether the process ends, so that nobody waits for calls that were begun before."""


_background = _Background()
_abandoned: list[object] = []
"""What a forked child inherits and must not touch, not even by finalizing it: the sockets are its parent's."""


def _forget() -> None:
    global _background  # noqa: PLW0603 - this process has one loop, and a forked child has another
    _abandoned.append(_background)
    _background = _Background()


class _Pause:
    """Lets the loop rest while the process forks: what it holds in the middle of a step, nobody would release."""

    def __init__(self) -> None:
        self._go_on = threading.Event()

    def begin(self) -> None:
        """Wait until the loop rests, but not for long: it may be waiting for the thread that forks."""
        self._go_on, rests = threading.Event(), threading.Event()
        loop = _background.loop
        if loop is None or is_loop_thread():
            return

        def rest(until: threading.Event) -> None:
            rests.set()
            until.wait(LONGEST_PAUSE)

        loop.call_soon_threadsafe(rest, self._go_on)
        rests.wait(LONGEST_PAUSE)

    def end(self) -> None:
        """Let it go on."""
        self._go_on.set()


LONGEST_PAUSE = 1.0
"""Seconds."""
_pause = _Pause()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause.begin, after_in_parent=_pause.end, after_in_child=_forget)


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop of this process, started if need be.

    Raises:
        MAPIException: The interpreter is ending: the loop is gone, or does not start any more (Python 3.12).
    """
    if is_ending():
        raise MAPIException(503, "Nothing was sent: the interpreter is ending.", _IN_TIME)
    background = _background
    with background.lock:
        if background.loop is None:
            loop = _Loop()
            thread = threading.Thread(target=_run, args=(loop,), name="mcli", daemon=True)
            try:
                thread.start()
            except RuntimeError as e:
                loop.close()
                raise MAPIException(503, f"Nothing was sent: {e}.", _IN_TIME) from None
            background.loop, background.thread = loop, thread
            loop_runs_on(thread.ident or 0)
        return background.loop


_IN_TIME = (
    "Make the call earlier: at the latest in an `atexit` handler, and after another call in the program."
)


def _run(loop: _Loop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


@types.coroutine
def hand_over() -> Generator[None, None, None]:
    """Go on on the loop: a call begins in the caller's thread, where it imports what it needs."""
    if not is_loop_thread():
        yield


class _Call(Future[T]):
    """The future of a call."""

    def result(self, timeout: float | None = None) -> T:
        """Return the result; in a daemon thread, end the thread silently where the process ends before the call."""
        try:
            return super().result(timeout)
        except CancelledError:
            if _background.is_over and threading.current_thread().daemon:
                raise SystemExit from None
            raise


def submit(
    coroutine: Coroutine[Any, Any, T],
    *,
    begin_here: bool = False,
    before: Callable[[Future[T]], object] | None = None,
) -> Future[T]:
    """Run a coroutine on the loop; cancelling the future cancels the coroutine.

    Args:
        coroutine: What to run; it is closed if it is not started.
        begin_here: Whether to run it in this thread as far as its `hand_over`.
        before: Is given the future before anything is sent: Ctrl-C may come before this function returns it.

    Raises:
        MAPIException: The interpreter is ending.
    """
    try:
        loop = event_loop()
    except MAPIException:
        coroutine.close()
        raise
    future: _Call[T] = _Call()
    if before is not None:
        before(future)
    if is_loop_thread() or not (begin_here and _has_ended(coroutine, future)):
        loop.call_soon_threadsafe(_start, coroutine, future)
    return future


def _has_ended(coroutine: Coroutine[Any, Any, T], future: Future[T]) -> bool:
    """Run a coroutine as far as its `hand_over`, and tell whether it ended before it came there."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        future.set_result(end.value)
    except Exception as e:  # noqa: BLE001 - a failed call, as any other
        future.set_exception(e)
    else:
        return False
    return True


def _start(coroutine: Coroutine[Any, Any, T], future: Future[T]) -> None:
    if future.cancelled():
        coroutine.close()
        future.set_running_or_notify_cancel()
        return
    loop = asyncio.get_running_loop()
    task = loop.create_task(coroutine)
    _background.calls.add(task)
    task.add_done_callback(functools.partial(_settle, future))

    def cancel(done: Future[T]) -> None:
        if done.cancelled():
            loop.call_soon_threadsafe(task.cancel)

    future.add_done_callback(cancel)


def _settle(future: Future[T], task: asyncio.Task[T]) -> None:
    _background.calls.discard(task)
    error = None if task.cancelled() else task.exception()
    if task.cancelled():
        future.cancel()
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def call_soon(function: Callable[..., object], *args: object) -> None:
    """Call a function on the loop, if it still runs; never blocks, so finalizers may use it."""
    loop = _background.loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(function, *args)


def close_soon(kept: list[Any]) -> None:
    """Close what was kept on the loop."""
    submit(_close(kept))


async def close_resources() -> None:
    """Close all that is kept; what is asked for later is made anew."""
    await _close(take_resources())


async def _close(kept: list[Any]) -> None:
    await asyncio.gather(*(each.aclose() for each in kept), return_exceptions=True)


def drain(patience: float) -> None:
    """Cancel the calls under way and close what is kept, within `patience` seconds; the loop itself goes on.

    The calls are cancelled, not their inner tasks: those may not have begun, and only their parents know how to end
    them in silence.
    """

    async def end() -> None:
        own = asyncio.current_task()
        for task in background.calls - {own}:
            task.cancel()
        if others := asyncio.all_tasks() - {own}:
            await asyncio.wait(others, timeout=patience / 2)
        async with asyncio.timeout(patience / 2):
            await close_resources()

    background = _background
    background.is_over = True
    if background.thread is not None and background.thread.is_alive() and not is_ending():
        with contextlib.suppress(TimeoutError):
            submit(end()).result(2 * patience)
