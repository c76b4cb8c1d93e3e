"""Keep what goes wrong with one run, or for a while with the disk, from everything else."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from mcli.platform.state import records

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcli.platform.state.store import Transaction

__all__ = ["RETRY_SECONDS", "fail_run", "insist"]

T = TypeVar("T")

log: logging.Logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Between two tries to write."""

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
}
"""What a database says of its disk, not of what was asked."""


async def insist(change: Callable[[], Awaitable[T]]) -> T:
    """Make a change that must not be lost again and again, until the disk takes it, or the engine can be asked."""
    is_told = False
    while True:
        try:
            return await change()
        except (sqlite3.Error, OSError) as error:
            if not _passes(error):
                raise
            if not is_told:
                log.error("The platform tries again until it succeeds: %s", error)  # noqa: TRY400 - no bug
            is_told = True
            await asyncio.sleep(RETRY_SECONDS)


def _passes(error: sqlite3.Error | OSError) -> bool:
    """Tell whether the same change may succeed later."""
    # the lower byte of an extended code is the plain one
    return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def fail_run(transaction: Transaction, run_id: str, key: str, reason: str) -> None:
    """End a run as FAILED that the platform cannot handle, if this is still its resumption."""
    run = records.load(transaction.db, run_id)
    if run.status in records.TERMINAL or run.latest["id"] != key:
        return
    if run.status in records.LIVE:
        run.terminate(transaction)
    run.end(transaction, "FAILED", reason)
    records.save(transaction, run)
