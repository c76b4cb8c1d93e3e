"""One definition of each operation, three ways to call it.

A documented function is written once, as a plain function that checks its arguments, in the caller's thread, and
returns a coroutine. The decorators here make of it

* a blocking call, bounded by `timeout`;
* with `future=True` a call that returns a `concurrent.futures.Future` at once;
* as `.aio` (public in `mcli.aio`) a coroutine function for asyncio programs.

A query that blocks runs in the caller's own thread (`blocking`), everything else on the event loop (`background`),
which is imported and started by the first call that needs it.

Type checkers see the parameters of the function. With `future=True` they check the result only, not the arguments:
ParamSpec cannot say "the same, and one more".
"""

from __future__ import annotations

import functools
import inspect
import re
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from mcli._core import blocking
from mcli._core.connection import current
from mcli._core.limits import Overdue, limited
from mcli._core.process import is_ending, is_loop_thread
from mcli._tracebacks import Frameless, without_frames
from mcli.config import default_timeout
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from mcli._core.background import Calls

__all__ = [
    "About",
    "Operation",
    "Options",
    "mutation",
    "query",
    "refuse_at_the_end",
    "refuse_to_block",
    "streamed_query",
    "timed_out",
]

P = ParamSpec("P")
T = TypeVar("T")

LONGEST = 1e9
"""Seconds, 31 years: the operating system counts no further, so a longer timeout waits for ever."""
_NOT_GIVEN: Any = object()
_RESULT = re.compile(r"Coroutine\[Any, Any, (.+)\]|AsyncGenerator\[Sequence\[(.+)\], None\]")
"""How the annotations of functions that are decorated end: with the result that their callers get."""


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


class About(Protocol):
    """Tells what a call with these arguments waits for, in a sentence."""

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, str]: ...


def query(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Operation[P, T]:
    """Make an operation of a function that changes nothing on the platform, and asks over HTTP only."""
    return _operation(prepare, in_thread=True)


def streamed_query(about: About) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Operation[P, T]]:
    """Make an operation of a function that changes nothing on the platform, and listens on the websocket.

    Args:
        about: Tells, when a call takes too long, what it waits for.
    """

    def decorate(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Operation[P, T]:
        return _operation(prepare, about=about)

    return decorate


def mutation(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Operation[P, T]:
    """Make an operation of a function that changes something: the end of the process waits for it."""
    return _operation(prepare, changes=True)


def _operation(
    prepare: Callable[P, Coroutine[Any, Any, T]],
    *,
    in_thread: bool = False,
    changes: bool = False,
    about: About | None = None,
) -> Operation[P, T]:
    name, options = prepare.__name__, Options(prepare)
    prepare = _without_frames(prepare)

    @functools.cache
    def calls() -> Calls[T]:
        from mcli._core.background import Calls  # asyncio: 40 ms that a program without futures saves

        return Calls(cast("Any", prepare), changes=changes, begins_here=about is None, about=about)

    @functools.wraps(prepare)
    def call(*args: Any, **kwargs: Any) -> Any:
        refuse_at_the_end(name)
        timeout, future = options.parse(args, kwargs)
        if future:
            return calls().future(args, kwargs, timeout)
        refuse_to_block(name)
        if in_thread:
            return _in_this_thread(cast("Any", prepare), args, kwargs, timeout)
        return calls().wait(args, kwargs, timeout)

    @functools.wraps(prepare)
    async def aio(*args: Any, **kwargs: Any) -> T:
        timeout, _ = options.parse(args, kwargs)
        return await calls().aio(args, kwargs, timeout)

    return cast("Operation[P, T]", options.describe(call, aio))


def _without_frames(prepare: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let errors begin here: the frames beneath, and those of libraries, hold the request and the key."""

    @functools.wraps(prepare)
    def without(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        return Frameless(without_frames(prepare)(*args, **kwargs))

    return without


def _in_this_thread(
    prepare: Callable[..., Coroutine[Any, Any, T]], args: Any, kwargs: Any, timeout: float | None
) -> T:
    with limited(timeout, waits=True, in_thread=True):
        try:
            return blocking.run(prepare(*args, **kwargs))
        except Overdue:
            raise timed_out(prepare.__name__, timeout) from None


class Options:
    """How `timeout` and `future` of one function were given: by keyword, by position, or not at all."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters
        self._default: float | None = parameters["timeout"].default
        positions = {
            name: at for at, (name, p) in enumerate(parameters.items()) if p.kind is not p.KEYWORD_ONLY
        }
        self._timeout_at = positions.get("timeout", len(parameters))
        self._future_at = positions.get("future", len(parameters))

    def parse(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float | None, bool]:
        """Return the timeout, in seconds, and whether a future is wanted.

        `MCLI_TIMEOUT` replaces a default in seconds. It replaces no timeout that the caller gave, and does not bound
        calls that are made to wait.

        Raises:
            ValueError: `timeout` is not a number of seconds, or `future` neither true nor false.
        """
        timeout = (
            args[self._timeout_at] if len(args) > self._timeout_at else kwargs.get("timeout", _NOT_GIVEN)
        )
        if timeout is _NOT_GIVEN:
            timeout = self._default if self._default is None else default_timeout(self._default)
        future = args[self._future_at] if len(args) > self._future_at else kwargs.get("future", False)
        if not isinstance(future, bool):
            raise ValueError(f"future must be True or False, not {future!r}")  # noqa: TRY004 - as for all arguments
        return _seconds(timeout), future

    def describe(self, call: Any, aio: Any) -> Any:
        """Show people the result of the call, not of the function that prepares it; join its two forms."""
        annotation = str(self._signature.return_annotation)
        match = _RESULT.fullmatch(annotation)
        result, item = match.groups() if match else (annotation, None)
        in_turn = {call: f"Generator[{item}]", aio: f"AsyncGenerator[{item}]"}
        for each in (call, aio):
            shown = result if item is None else in_turn[each]
            each.__signature__ = self._signature.replace(return_annotation=shown)
            each.__annotations__ = {**each.__annotations__, "return": shown}
        call.aio = aio
        return call


def _seconds(timeout: Any) -> float | None:
    """Check a timeout; one that no machine outlives is None, as one without end."""
    if timeout is None:
        return None
    number: Any = timeout
    if isinstance(timeout, bool) or not isinstance(timeout, Real) or not number >= 0:
        raise ValueError(
            f"timeout must be a number of seconds from 0, or None to wait for ever, not {timeout!r}"
        )
    return None if number > LONGEST else float(number)


def refuse_at_the_end(name: str) -> None:
    """Raise, instead of waiting for ever, where the threads are gone: in what the end of the interpreter finalizes."""
    if is_ending():
        raise MAPIException(
            503,
            f"{name} cannot be called any more: the interpreter is ending.",
            "Make the call earlier, at the latest in an `atexit` handler.",
        )


def refuse_to_block(name: str) -> None:
    """Raise, instead of waiting for ever, where a future's callback makes a blocking call."""
    if is_loop_thread():
        raise RuntimeError(
            f"{name} would wait for the thread that it runs on: callbacks of futures make calls with future=True."
        )


def timed_out(name: str, timeout: float | None, *, changes: bool = False, about: str = "") -> TimeoutError:
    """Say what took too long, where, how long it was waited for, and what for."""
    texts = [f"{name} did not end within {timeout:g} s at {current().endpoint}.", about]
    if changes:
        texts.append("Whether it was carried out is unknown.")
    return TimeoutError(" ".join(filter(None, texts)))
