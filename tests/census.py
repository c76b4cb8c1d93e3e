"""What this process holds: descriptors, threads, tasks, timers and temporary files, so that tests see what stays."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mcli._core.loop import event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["descriptors", "held", "nothing_stays", "settles", "tasks"]

PATIENCE = 60.0
"""Seconds in which what was left must be gone."""
_DESCRIPTORS = Path("/proc/self/fd")


def held() -> Counter[str]:
    """Count all that this process and the client's event loop hold."""
    loop = event_loop()  # before all else: at the first call it starts, and stays
    return descriptors() + tasks(loop) + _timers(loop) + _threads() + _files()


def descriptors() -> Counter[str]:
    """Count the open descriptors by what they lead to; nothing where the system does not tell."""
    found: Counter[str] = Counter()
    for each in _DESCRIPTORS.iterdir() if _DESCRIPTORS.exists() else []:
        with suppress(OSError):  # closed meanwhile, as that of the folder itself
            found[f"descriptor {each.readlink()}"] += 1
    return found


def tasks(loop: asyncio.AbstractEventLoop) -> Counter[str]:
    """Count the tasks of a loop on another thread."""

    async def look() -> Counter[str]:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return Counter(f"task {task.get_coro()}" for task in others)

    return asyncio.run_coroutine_threadsafe(look(), loop).result(PATIENCE)


def _threads() -> Counter[str]:
    return Counter(f"thread {each.name}" for each in threading.enumerate())


def _timers(loop: asyncio.AbstractEventLoop) -> Counter[str]:
    """Count what a loop will do later, from a private list of asyncio's, as there is no other."""

    async def look() -> Counter[str]:
        return Counter(f"timer {each}" for each in loop._scheduled if not each.cancelled())  # type: ignore[attr-defined]

    return asyncio.run_coroutine_threadsafe(look(), loop).result(PATIENCE)


def _files() -> Counter[str]:
    return Counter(f"file {path}" for path in Path(tempfile.gettempdir()).rglob("*"))


def settles(so: Callable[[], bool]) -> bool:
    """Tell whether something becomes so, now or in a while."""
    end = time.monotonic() + PATIENCE
    while not so():
        if time.monotonic() > end:
            return False
        gc.collect()
        time.sleep(0.01)
    return True


@contextmanager
def nothing_stays() -> Iterator[None]:
    """Fail if after the block more is held than before it.

    Raises:
        AssertionError: Something stays, and says what.
    """
    before = held()
    yield
    if not settles(lambda: not held() - before):
        raise AssertionError(f"what stays: {held() - before}")
