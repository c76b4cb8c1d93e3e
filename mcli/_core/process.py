"""What this process keeps between calls: connections, and what is known of endpoints. A forked child starts afresh."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = [
    "Kept",
    "drop_resources",
    "is_ending",
    "is_loop_thread",
    "loop_runs_on",
    "resource",
    "take_resources",
]

T = TypeVar("T")


class Kept(Protocol):
    """What is closed without the event loop; all else that is kept has `aclose`."""

    def close(self) -> None: ...


class _Process:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.resources: dict[Hashable, Any] = {}
        self.loop_thread: int | None = None


_process = _Process()
_abandoned: list[object] = []
"""What a forked child inherits and must not touch, not even by finalizing it: the sockets are its parent's."""


def _forget() -> None:
    global _process  # noqa: PLW0603 - a forked child has its own
    _abandoned.append(_process)
    _process = _Process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def resource(key: Hashable, make: Callable[[], T]) -> T:
    """Return what this process keeps under a key, made at the first use."""
    process = _process
    with process.lock:
        if key not in process.resources:
            process.resources[key] = make()
        kept: T = process.resources[key]
        return kept


def take_resources() -> list[Any]:
    """Take out all that is kept, and close what needs no event loop for that; return the rest.

    What is asked for later is made anew.
    """
    process = _process
    with process.lock:
        kept = list(process.resources.values())
        process.resources.clear()
    for each in kept:
        if not hasattr(each, "aclose"):
            each.close()
    return [each for each in kept if hasattr(each, "aclose")]


def drop_resources() -> None:
    """Close all that is kept; what is asked for later is made anew."""
    if kept := take_resources():
        from mcli._core.loop import close_soon  # asyncio: what is left was made with it

        close_soon(kept)


def loop_runs_on(thread: int) -> None:
    """Note the thread that the event loop runs on, by its `ident`."""
    _process.loop_thread = thread


def is_loop_thread() -> bool:
    """Tell whether the caller runs on the event loop's thread, where waiting for the loop would never end."""
    return threading.get_ident() == _process.loop_thread


def is_ending() -> bool:
    """Tell whether the interpreter is past its `atexit` handlers: other threads, the loop's too, are gone then."""
    return sys.is_finalizing()
