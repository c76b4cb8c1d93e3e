"""How long the call under way may take, and whether it waits in the caller's own thread."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Overdue", "deadline", "in_callers_thread", "limited", "time_left", "timeout_of_call"]

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the caller stops waiting, on the clock of `time.monotonic`: a retry after it would be in vain."""

timeout_of_call: ContextVar[float | None] = ContextVar("timeout_of_call", default=None)
"""The caller's `timeout`, in seconds, also where a future is returned and nobody waits."""

in_callers_thread: ContextVar[bool] = ContextVar("in_callers_thread", default=False)
"""Whether the call runs in the caller's thread, without the event loop."""


class Overdue(Exception):  # noqa: N818 - becomes the TimeoutError of the call
    """The caller's time is over."""


@contextmanager
def limited(timeout: float | None, *, waits: bool, in_thread: bool = False) -> Generator[None]:
    """Bound the calls that are prepared in a block.

    Args:
        timeout: Seconds; None: no bound.
        waits: Whether the caller waits for the result, so that there is a deadline.
        in_thread: Whether it waits in its own thread, without the event loop.
    """
    given = timeout_of_call.set(timeout)
    end = deadline.set(time.monotonic() + timeout if waits and timeout is not None else None)
    place = in_callers_thread.set(in_thread)
    try:
        yield
    finally:
        in_callers_thread.reset(place)
        deadline.reset(end)
        timeout_of_call.reset(given)


def time_left(patience: float) -> float:
    """Return how many seconds the next step may take: `patience`, or what the caller's deadline leaves of it.

    Raises:
        Overdue: The deadline has passed.
    """
    end = deadline.get()
    if end is None:
        return patience
    left = end - time.monotonic()
    if left <= 0:
        raise Overdue
    return min(left, patience)
