"""Streams: what a subscription gives, as an iterator, as futures, or for asyncio.

A stream is written as a plain function that checks its arguments and returns an async generator of batches: all that
came since the last one. A thread then crosses to the event loop once a batch, not once an item.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from mcli._core import loop
from mcli._core.background import GOES_ON, about_now, about_now_async
from mcli._core.operations import Options, refuse_at_the_end, refuse_to_block, timed_out
from mcli._tracebacks import hide_frames
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence

    from mcli._core.operations import About

__all__ = ["LogStream", "Steps", "Stream", "log_stream", "stream"]

P = ParamSpec("P")
T = TypeVar("T")

AHEAD = 1000
"""Futures of a stream that may wait at once; the next one is handed out when one of them is done."""


class Stream(Protocol[P, T]):
    """A call that gives an iterator of results, or with `future=True` one of futures of them."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]: ...
    @overload
    def __call__(self, *args: Any, future: Literal[True], **kwargs: Any) -> Steps[T]: ...

    @property
    def aio(self) -> Callable[P, AsyncGenerator[T, None]]:
        """The same call for asyncio programs."""
        ...


class LogStream(Protocol[P, T]):
    """Like `Stream`, but with `future=True` the iterator of futures comes in a future itself, as the page has it."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]: ...
    @overload
    def __call__(self, *args: Any, future: Literal[True], **kwargs: Any) -> Future[Steps[T]]: ...

    @property
    def aio(self) -> Callable[P, AsyncGenerator[T, None]]:
        """The same call for asyncio programs."""
        ...


def stream(
    about: About,
) -> Callable[[Callable[P, AsyncGenerator[Sequence[T], None]]], Stream[P, T]]:
    """Make a stream of a function that returns an async generator of batches.

    Args:
        about: Tells, when a call takes too long, what it waits for.
    """

    def decorate(prepare: Callable[P, AsyncGenerator[Sequence[T], None]]) -> Stream[P, T]:
        return cast("Stream[P, T]", _stream(prepare, lambda steps: steps, about))

    return decorate


def log_stream(
    about: About,
) -> Callable[[Callable[P, AsyncGenerator[Sequence[T], None]]], LogStream[P, T]]:
    """Make a stream whose iterator of futures comes in a future; see `stream`."""

    def in_future(steps: Steps[T]) -> Future[Steps[T]]:
        future: Future[Steps[T]] = Future()
        future.set_result(steps)
        return future

    def decorate(prepare: Callable[P, AsyncGenerator[Sequence[T], None]]) -> LogStream[P, T]:
        return cast("LogStream[P, T]", _stream(prepare, in_future, about))

    return decorate


def _stream(
    prepare: Callable[P, AsyncGenerator[Sequence[T], None]], wrap: Callable[[Steps[T]], Any], about: About
) -> Any:
    name, options = prepare.__name__, Options(prepare)

    @functools.wraps(prepare)
    def call(*args: Any, **kwargs: Any) -> Any:
        refuse_at_the_end(name)
        timeout, future = options.parse(args, kwargs)
        source = _Source(prepare(*args, **kwargs))
        if future:
            return wrap(Steps(source, name))
        return _iterate(source, _Limit(name, timeout, about, args, kwargs))

    @functools.wraps(prepare)
    def aio(*args: Any, **kwargs: Any) -> AsyncGenerator[T, None]:
        timeout, _ = options.parse(args, kwargs)
        source = _Source(prepare(*args, **kwargs))
        return _iterate_async(source, _Limit(name, timeout, about, args, kwargs))

    return options.describe(call, aio)


class _Limit:
    """How long a stream may take as a whole, and what is said when that is over."""

    def __init__(self, name: str, timeout: float | None, about: About, args: Any, kwargs: Any) -> None:
        self.name, self._timeout, self._about = name, timeout, about
        self._args, self._kwargs = args, kwargs
        self._end = None if timeout is None else time.monotonic() + timeout

    @property
    def left(self) -> float | None:
        """Seconds that are left, None without a bound."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def error(self) -> TimeoutError:
        """Return the error of a stream that took too long."""
        return timed_out(self.name, self._timeout, about=about_now(self._about, self._args, self._kwargs))

    async def error_async(self) -> TimeoutError:
        """Return the error of a stream that took too long, without blocking."""
        about = await about_now_async(self._about, self._args, self._kwargs)
        return timed_out(self.name, self._timeout, about=about)


class _Source(Generic[T]):
    """An async generator of batches, read by one step at a time, and closed on the loop from any thread."""

    def __init__(self, batches: AsyncGenerator[Sequence[T], None]) -> None:
        self._batches = batches
        self._turn = asyncio.Lock()
        self._ready: deque[T] = deque()

    async def batch(self) -> Sequence[T]:
        async with self._turn:
            return await self._next()

    async def item(self) -> T:
        async with self._turn:
            while not self._ready:
                self._ready.extend(await self._next())
            return self._ready.popleft()

    async def _next(self) -> Sequence[T]:
        try:
            return await anext(self._batches)
        except MAPIException as error:
            raise hide_frames(error)  # noqa: B904 - the frames beneath, and the libraries', hold the key

    async def aclose(self) -> None:
        async with self._turn:
            await self._batches.aclose()

    def close(self) -> None:
        """Close the generator after the steps under way; never blocks, so a finalizer may call it."""
        loop.call_soon(_spawn, self)


def _spawn(source: _Source[Any]) -> None:
    asyncio.get_running_loop().create_task(source.aclose())


def _iterate(source: _Source[T], limit: _Limit) -> Generator[T, None, None]:
    try:
        while True:
            refuse_to_block(limit.name)
            step = loop.submit(source.batch())
            try:
                batch = step.result(limit.left)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not step.cancel() and isinstance(step.exception(), TimeoutError):
                    raise  # its own
                raise limit.error() from None
            except KeyboardInterrupt as e:
                e.add_note(GOES_ON)
                raise
            finally:
                step.cancel()
            yield from batch
    finally:
        source.close()


async def _iterate_async(source: _Source[T], limit: _Limit) -> AsyncGenerator[T, None]:
    try:
        while True:
            step = loop.submit(source.batch())
            try:
                async with asyncio.timeout(limit.left):
                    batch = await asyncio.wrap_future(step)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not step.cancelled() and isinstance(step.exception(), TimeoutError):
                    raise  # its own
                raise await limit.error_async() from None
            for item in batch:
                yield item
    finally:
        source.close()


class Steps(Generic[T]):
    """An iterator of futures, each of the next result of a stream; the last one raises StopAsyncIteration.

    `next` returns at once while fewer than 1,000 futures wait, and then waits for one of them: so `list` ends with the
    stream. Futures that were handed out beyond the end raise StopAsyncIteration as well.

    Closing it cancels the futures that still wait and tells the server. Dropping it lets them finish first: who writes
    `next(watch_run_status(run, future=True))` keeps the future and not the iterator.
    """

    def __init__(self, source: _Source[T], name: str) -> None:
        self._source, self._name = source, name
        self._waiting: set[Future[T]] = set()
        self._changed = threading.Condition()
        self._ended = False

    def __iter__(self) -> Iterator[Future[T]]:
        return self

    def __next__(self) -> Future[T]:
        with self._changed:
            if len(self._waiting) >= AHEAD and not self._ended:
                refuse_to_block(self._name)
                self._changed.wait_for(lambda: self._ended or len(self._waiting) < AHEAD)
        if self._ended:
            raise StopIteration
        step = loop.submit(self._source.item())
        with self._changed:
            self._waiting.add(step)
        step.add_done_callback(functools.partial(_settle, weakref.ref(self)))
        return step

    def _settle(self, step: Future[T]) -> None:
        with self._changed:
            self._waiting.discard(step)
            self._ended = self._ended or step.cancelled() or step.exception() is not None
            self._changed.notify_all()

    def close(self) -> None:
        """End the stream now; futures that still wait are cancelled."""
        self._ended = True
        for step in list(self._waiting):
            step.cancel()
        self._source.close()

    def __del__(self) -> None:
        self._source.close()


def _settle(steps: weakref.ref[Steps[T]], step: Future[T]) -> None:
    """Tell the iterator that a step is done, without keeping it: who keeps a future has not kept the stream."""
    if (iterator := steps()) is not None:
        iterator._settle(step)  # noqa: SLF001 - one thing with it
