"""One event loop on one daemon thread: where every request of this process runs.

The thread starts with the first call, never at import. It survives `fork` (the child gets a new one) and works until
the interpreter is gone, so that calls from `atexit` handlers succeed. What is still in flight at the end of the
interpreter is `_exit`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable
    from concurrent.futures import Future

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
            except OSError as e:
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
        self.resources: dict[Hashable, Any] = {}
        self.in_flight: set[Future[Any]] = set()


_background = _Background()
_abandoned: list[object] = []
"""What a forked child inherits and must not touch, not even by finalizing it: the sockets are its parent's."""


def _forget() -> None:
    global _background  # noqa: PLW0603  # this process has one loop, and a forked child has another
    _abandoned.append(_background)
    _background = _Background()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop of this process, started if need be.

    Raises:
        RuntimeError: The interpreter is ending, and starts no thread any more (Python 3.12).
    """
    background = _background
    with background.lock:
        if background.loop is None:
            loop = _Loop()
            thread = threading.Thread(target=_run, args=(loop,), name="mcli", daemon=True)
            try:
                thread.start()
            except RuntimeError as e:
                loop.close()
                raise RuntimeError(f"The first call of a process cannot be made as it ends: {e}") from None
            background.loop, background.thread = loop, thread
        return background.loop


def _run(loop: _Loop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def on_loop_thread() -> bool:
    """Tell whether the caller runs on the loop's own thread, where waiting for the loop would never end."""
    return threading.current_thread() is _background.thread


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on the loop; cancelling the future cancels the coroutine."""
    try:
        loop = event_loop()
    except RuntimeError:
        coroutine.close()
        raise
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    in_flight = _background.in_flight
    in_flight.add(future)
    future.add_done_callback(in_flight.discard)
    return future


def call_soon(function: Callable[..., object], *args: object) -> None:
    """Call a function on the loop, if it still runs; never blocks, so finalizers may use it."""
    loop = _background.loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(function, *args)


def resource(key: Hashable, make: Callable[[], T]) -> T:
    """Return what belongs to the loop under this key, made at the first use: connections must not outlive it."""
    background = _background
    with background.lock:
        if key not in background.resources:
            background.resources[key] = make()
        kept: T = background.resources[key]
        return kept


def drop_resources() -> None:
    """Close what the loop keeps; what is asked for later is made anew."""
    if _background.resources:
        submit(_close_resources())


async def _close_resources() -> None:
    background = _background
    with background.lock:
        kept = list(background.resources.values())
        background.resources.clear()
    await asyncio.gather(*(each.aclose() for each in kept), return_exceptions=True)


def drain(patience: float) -> None:
    """Cancel the calls under way and close what the loop keeps, within `patience` seconds; the loop itself goes on.

    The calls are cancelled, not their inner tasks: those may not have begun, and only their parents know how to end
    them in silence.
    """

    async def close() -> None:
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=patience / 2)
        async with asyncio.timeout(patience / 2):
            await _close_resources()

    thread = _background.thread
    if thread is not None and thread.is_alive():
        for future in list(_background.in_flight):
            future.cancel()
        with contextlib.suppress(TimeoutError):
            submit(close()).result(2 * patience)
