"""Streams: what a subscription gives, as an iterator, as futures, or for asyncio.

A stream is written as a plain function that checks its arguments and returns an async generator of batches: all that
came since the last one. A thread then crosses to the event loop once a batch, not once an item.
"""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from mcli._core import loop
from mcli._core.operations import Options, refuse_to_block, timed_out

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence

__all__ = ["LogStream", "Steps", "Stream", "log_stream", "stream"]

P = ParamSpec("P")
T = TypeVar("T")


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


def stream(prepare: Callable[P, AsyncGenerator[Sequence[T], None]]) -> Stream[P, T]:
    """Make a stream of a function that returns an async generator of batches."""
    return cast("Stream[P, T]", _stream(prepare, lambda steps: steps))


def log_stream(prepare: Callable[P, AsyncGenerator[Sequence[T], None]]) -> LogStream[P, T]:
    """Make a stream whose iterator of futures comes in a future."""

    def in_future(steps: Steps[T]) -> Future[Steps[T]]:
        future: Future[Steps[T]] = Future()
        future.set_result(steps)
        return future

    return cast("LogStream[P, T]", _stream(prepare, in_future))


def _stream(prepare: Callable[P, AsyncGenerator[Sequence[T], None]], wrap: Callable[[Steps[T]], Any]) -> Any:
    name, options = prepare.__name__, Options(prepare)

    @functools.wraps(prepare)
    def call(*args: Any, **kwargs: Any) -> Any:
        timeout, future = options.of(args, kwargs)
        source = _Source(prepare(*args, **kwargs))
        return wrap(Steps(source)) if future else _iterate(source, name, timeout, _end(timeout))

    @functools.wraps(prepare)
    def aio(*args: Any, **kwargs: Any) -> AsyncGenerator[T, None]:
        timeout, _ = options.of(args, kwargs)
        return _iterate_async(_Source(prepare(*args, **kwargs)), name, timeout, _end(timeout))

    cast("Any", call).aio = aio
    return call


def _end(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())


class _Source(Generic[T]):
    """An async generator of batches, read by one step at a time, and closed on the loop from any thread."""

    def __init__(self, batches: AsyncGenerator[Sequence[T], None]) -> None:
        self._batches = batches
        self._turn = asyncio.Lock()
        self._ready: deque[T] = deque()

    async def batch(self) -> Sequence[T]:
        async with self._turn:
            return await anext(self._batches)

    async def item(self) -> T:
        async with self._turn:
            while not self._ready:
                self._ready.extend(await anext(self._batches))
            return self._ready.popleft()

    async def aclose(self) -> None:
        async with self._turn:
            await self._batches.aclose()

    def close(self) -> None:
        """Close the generator after the steps under way; never blocks, so a finalizer may call it."""
        loop.call_soon(_spawn, self)


_closing: set[asyncio.Task[None]] = set()


def _spawn(source: _Source[Any]) -> None:
    task = asyncio.get_running_loop().create_task(source.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _iterate(
    source: _Source[T], name: str, timeout: float | None, end: float | None
) -> Generator[T, None, None]:
    try:
        while True:
            refuse_to_block(name)
            step = loop.submit(source.batch())
            try:
                batch = step.result(_left(end))
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not step.cancel() and isinstance(step.exception(), TimeoutError):
                    raise  # its own
                raise timed_out(name, timeout) from None
            finally:
                step.cancel()
            yield from batch
    finally:
        source.close()


async def _iterate_async(
    source: _Source[T],
    name: str,
    timeout: float | None,  # noqa: ASYNC109  # for the message; `end` bounds the stream
    end: float | None,
) -> AsyncGenerator[T, None]:
    try:
        while True:
            step = loop.submit(source.batch())
            try:
                async with asyncio.timeout(_left(end)):
                    batch = await asyncio.wrap_future(step)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not step.cancelled() and isinstance(step.exception(), TimeoutError):
                    raise  # its own
                raise timed_out(name, timeout) from None
            for item in batch:
                yield item
    finally:
        source.close()


class Steps(Generic[T]):
    """An iterator of futures, each of the next result of a stream; the last one raises StopAsyncIteration.

    Closing it cancels the futures that still wait and tells the server. Dropping it lets them finish first: who writes
    `next(watch_run_status(run, future=True))` keeps the future and not the iterator.
    """

    def __init__(self, source: _Source[T]) -> None:
        self._source = source
        self._waiting: set[Future[T]] = set()
        self._ended = False

    def __iter__(self) -> Iterator[Future[T]]:
        return self

    def __next__(self) -> Future[T]:
        if self._ended:
            raise StopIteration
        step = loop.submit(self._source.item())
        self._waiting.add(step)
        step.add_done_callback(functools.partial(_settle, weakref.ref(self)))
        return step

    def _settle(self, step: Future[T]) -> None:
        self._waiting.discard(step)
        if step.cancelled() or step.exception() is not None:
            self._ended = True

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
        iterator._settle(step)  # noqa: SLF001  # one thing with it
