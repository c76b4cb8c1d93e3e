"""Tracebacks without the frames that handled a secret: tools that show local variables would show it."""

from __future__ import annotations

import functools
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Frameless", "hide_frames", "without_frames"]

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


def hide_frames(error: E) -> E:
    """Take the frames out of an error, and out of all that caused it; what is raised next is all that it shows.

    >>> try:
    ...     raise ValueError("told")
    ... except ValueError as error:
    ...     hide_frames(error).__traceback__ is None
    True
    """
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
    return error


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Make the errors of a function that is given secrets end at the caller's line."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it goes on to the caller
            del args, kwargs
            raise hide_frames(error)  # noqa: B904 - it keeps its own cause, and this frame holds no secret

    return call


class Frameless(Coroutine[Any, Any, T]):
    """A coroutine whose errors show none of its frames.

    Not a coroutine function around it, because closing one that has not begun would leave this one without an end.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        """Go on to where it waits next."""
        try:
            return self._coroutine.send(value)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - it goes on to who waits
            raise hide_frames(error)  # noqa: B904 - it keeps its own cause

    def throw(self, *raised: Any) -> Any:
        """Raise an error where it waits."""
        try:
            return self._coroutine.throw(*raised)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - it goes on to who waits
            raise hide_frames(error)  # noqa: B904 - it keeps its own cause

    def close(self) -> None:
        """End it where it waits."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()
