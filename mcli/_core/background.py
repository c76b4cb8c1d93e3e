"""Calls that run on the event loop: how they are waited for, and what becomes of those that are left."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mcli._core import loop, shutdown
from mcli._core.limits import limited
from mcli._core.operations import timed_out

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from mcli._core.operations import About

__all__ = ["GOES_ON", "Calls", "about_now", "about_now_async"]

T = TypeVar("T")

LAST_LOOK = 1.0
"""Seconds in which a call that took too long asks what it waited for, to say so."""
GOES_ON = "The call was interrupted; the run goes on."


class Calls(Generic[T]):
    """The calls of one operation.

    Args:
        prepare: Checks the arguments, and returns the coroutine of a call.
        changes: Whether a call changes something, so that the end of the process waits for it.
        begins_here: Whether a call may run in the caller's thread as far as its first request.
        about: Tells what a call waits for.
    """

    def __init__(
        self,
        prepare: Callable[..., Coroutine[Any, Any, T]],
        *,
        changes: bool,
        begins_here: bool,
        about: About | None,
    ) -> None:
        self._prepare, self._name = prepare, prepare.__name__
        self._changes, self._begins_here, self._about = changes, begins_here, about

    def future(self, args: Any, kwargs: Any, timeout: float | None) -> Future[T]:
        """Start a call, and return its future."""
        started = self._start(args, kwargs, timeout, waits=False)
        if self._changes:
            shutdown.finish_late(started, self._name)
        return started

    def wait(self, args: Any, kwargs: Any, timeout: float | None) -> T:
        """Make a call, and wait for its result."""
        begun: list[Future[T]] = []
        try:
            return self._start(args, kwargs, timeout, note=begun.append).result(timeout)
        except TimeoutError:
            if not begun:
                raise
            (started,) = begun
            if not started.cancel():  # it ended in this very moment, or the error is its own
                return started.result()
            raise self._timed_out(timeout, about_now(self._about, args, kwargs)) from None
        except KeyboardInterrupt as e:
            self._interrupt(begun)
            if self._about is not None:
                e.add_note(GOES_ON)
            raise

    def _interrupt(self, begun: list[Future[T]]) -> None:
        for started in begun:
            if self._changes:
                shutdown.finish_interrupted(started, self._name)
            started.cancel()

    async def aio(self, args: Any, kwargs: Any, timeout: float | None) -> T:  # noqa: ASYNC109 - the documented name
        """Make a call, and wait for its result on the caller's event loop."""
        started = self._start(args, kwargs, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(started)
        except TimeoutError:
            if not started.cancelled():
                raise
            raise self._timed_out(timeout, await about_now_async(self._about, args, kwargs)) from None

    def _start(
        self,
        args: Any,
        kwargs: Any,
        timeout: float | None,
        *,
        waits: bool = True,
        note: Callable[[Future[T]], None] | None = None,
    ) -> Future[T]:
        def before(started: Future[T]) -> None:
            if note is not None:
                note(started)
            if kwargs.get("protect"):
                shutdown.protect(started, timeout if waits else None)
            if self._changes:
                shutdown.finish(started, self._name)

        with limited(timeout, waits=waits):
            coroutine = self._prepare(*args, **kwargs)
            return loop.submit(coroutine, begin_here=self._begins_here, before=before)

    def _timed_out(self, timeout: float | None, about: str) -> TimeoutError:
        return timed_out(self._name, timeout, changes=self._changes, about=about)


def about_now(about: About | None, args: Any, kwargs: Any) -> str:
    """Ask what a call waits for; say nothing if that is not told soon."""
    if about is None:
        return ""
    told = loop.submit(about(*args, **kwargs))
    with contextlib.suppress(Exception):
        return told.result(LAST_LOOK)
    told.cancel()
    return ""


async def about_now_async(about: About | None, args: Any, kwargs: Any) -> str:
    """Ask what a call waits for; say nothing if that is not told soon."""
    if about is None:
        return ""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(LAST_LOOK):
            return await asyncio.wrap_future(loop.submit(about(*args, **kwargs)))
    return ""
