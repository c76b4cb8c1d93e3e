"""One definition of each operation, three ways to call it.

A documented function is written once, as a plain function that checks its arguments, in the caller's thread, and
returns a coroutine (or, for a stream, an async generator). The decorators here make of it

* a blocking call, bounded by `timeout`;
* with `future=True` a call that returns a `concurrent.futures.Future` at once;
* as `.aio` (public in `mcli.aio`) a coroutine function for asyncio programs.

All three run on the event loop of `_loop`, so they share connections, whatever thread or loop they are called from.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from mcli._core import loop, shutdown
from mcli._core.connection import current
from mcli.config import default_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from concurrent.futures import Future

__all__ = ["Operation", "deadline", "mutation", "query", "timeout_of_call"]

P = ParamSpec("P")
T = TypeVar("T")

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the caller stops waiting, on the clock of `time.monotonic`: a retry after it is of no use."""

timeout_of_call: ContextVar[float | None] = ContextVar("timeout_of_call", default=None)
"""The caller's `timeout`, in seconds, also where a future is given back and nobody waits."""


class Operation(Protocol[P, T]):
    """A call that blocks, or with `future=True` returns a future at once."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def __call__(self, *args: Any, future: Literal[True], **kwargs: Any) -> Future[T]: ...
    @overload
    def __call__(self, *args: Any, future: bool, **kwargs: Any) -> T | Future[T]: ...

    @property
    def aio(self) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same call for asyncio programs."""
        ...


def query(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Operation[P, T]:
    """Make an operation of a function that changes nothing on the platform."""
    return _operation(prepare, changes=False)


def mutation(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Operation[P, T]:
    """Make an operation of a function that changes something: the end of the process waits for it."""
    return _operation(prepare, changes=True)


def _operation(prepare: Callable[P, Coroutine[Any, Any, T]], *, changes: bool) -> Operation[P, T]:
    name, options = prepare.__name__, Options(prepare)

    def start(args: Any, kwargs: Any, timeout: float | None, *, waits: bool = True) -> Future[T]:
        with _limited(timeout, waits=waits):
            started = loop.submit(cast("Callable[..., Coroutine[Any, Any, T]]", prepare)(*args, **kwargs))
        if kwargs.get("protect"):
            shutdown.protect(started)
        if changes:
            shutdown.finish(started, name)
        return started

    @functools.wraps(prepare)
    def call(*args: Any, **kwargs: Any) -> Any:
        timeout, future = options.of(args, kwargs)
        if future:
            started = start(args, kwargs, timeout, waits=False)
            if changes:
                shutdown.finish_late(started, name)
            return started
        refuse_to_block(name)
        started = start(args, kwargs, timeout)
        try:
            return started.result(timeout)
        except TimeoutError:
            if not started.cancel():  # it ended in this very moment, or the error is its own
                return started.result()
            raise timed_out(name, timeout, changes=changes) from None
        except KeyboardInterrupt:
            if changes:
                shutdown.finish_interrupted(started, name)
            started.cancel()
            raise

    @functools.wraps(prepare)
    async def aio(*args: Any, **kwargs: Any) -> T:
        timeout, _ = options.of(args, kwargs)
        started = start(args, kwargs, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(started)
        except TimeoutError:
            if not started.cancelled():
                raise
            raise timed_out(name, timeout, changes=changes) from None

    cast("Any", aio).__signature__ = options.shown
    cast("Any", call).__signature__ = options.shown
    cast("Any", call).aio = aio
    return cast("Operation[P, T]", call)


class Options:
    """How `timeout` and `future` of one function were given: by keyword, by position, or not at all."""

    def __init__(self, function: Callable[..., object]) -> None:
        signature = inspect.signature(function)
        parameters = signature.parameters
        result = str(signature.return_annotation).removeprefix("Coroutine[Any, Any, ").removesuffix("]")
        self.shown = signature.replace(return_annotation=result)
        """The signature for people: with the result of the call, not of the function that prepares it."""
        self._default: float | None = parameters["timeout"].default
        positions = {
            name: at for at, (name, p) in enumerate(parameters.items()) if p.kind is not p.KEYWORD_ONLY
        }
        self._timeout_at = positions.get("timeout", len(parameters))
        self._future_at = positions.get("future", len(parameters))

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float | None, bool]:
        """Return the timeout, in seconds, and whether a future is wanted.

        `MCLI_TIMEOUT` replaces a default in seconds. It replaces no timeout that the caller gave, and does not bound
        calls that are made to wait.
        """
        timeout = args[self._timeout_at] if len(args) > self._timeout_at else kwargs.get("timeout", self)
        if timeout is self:
            timeout = self._default if self._default is None else default_timeout(self._default)
        if timeout is not None and not (isinstance(timeout, int | float) and timeout >= 0):
            raise ValueError(f"timeout is a number of seconds, or None to wait for ever; not {timeout!r}")
        future = args[self._future_at] if len(args) > self._future_at else kwargs.get("future", False)
        return timeout, bool(future)


@contextmanager
def _limited(timeout: float | None, *, waits: bool) -> Generator[None]:
    given = timeout_of_call.set(timeout)
    end = deadline.set(time.monotonic() + timeout if waits and timeout is not None else None)
    try:
        yield
    finally:
        deadline.reset(end)
        timeout_of_call.reset(given)


def refuse_to_block(name: str) -> None:
    """Raise, instead of waiting for ever, where a future's callback makes a blocking call."""
    if loop.on_loop_thread():
        raise RuntimeError(
            f"{name} would wait for the thread that it runs on: callbacks of futures make calls with future=True."
        )


def timed_out(name: str, timeout: float | None, *, changes: bool = False) -> TimeoutError:
    """Say what took too long, where, and how long it was waited for."""
    text = f"{name} did not end within {timeout:g} s at {current().endpoint}."
    return TimeoutError(f"{text} Whether it was carried out is unknown." if changes else text)
