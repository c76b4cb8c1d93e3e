"""Waiting for what must come, but not for ever."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from mcli import Run

__all__ = ["PATIENCE", "taken", "write"]

PATIENCE = 60.0
"""Seconds after which the platform is taken to hang."""


def taken(watch: Any) -> list[Run]:
    """Return what is left of a watch, to its end."""
    seen: list[Run] = []
    for step in watch:
        pending: Future[Run] = step
        try:
            seen.append(pending.result(PATIENCE))
        except StopAsyncIteration:
            break
    return seen


def write(pipe: Path, text: str) -> None:
    """Write to a pipe once its reader is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            if e.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            os.write(end, text.encode())
            os.close(end)
            return
