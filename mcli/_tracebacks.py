"""Tracebacks without the frames that handled a secret: tools that show local variables would show it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["hide_frames", "without_frames"]

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
