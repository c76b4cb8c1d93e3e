"""Deleted runs whose files are still there: those who read them when the run was deleted may read to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcli.platform.state.status import TERMINAL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mcli.platform.state.store import Transaction

__all__ = ["add", "due", "finish"]


def add(transaction: Transaction, run_id: str) -> None:
    """Note that the files of a run must go, some time after now."""
    transaction.db.execute("INSERT OR IGNORE INTO removals VALUES (?, ?)", (run_id, transaction.now))


def due(db: sqlite3.Connection, before: str) -> dict[str, str]:
    """Return the runs that were deleted before a moment and have ended: ids, and the names of their folders."""
    rows = db.execute(
        "SELECT run_id, name FROM removals JOIN runs ON runs.id = run_id"
        " WHERE deleted_at <= ? AND status IN (?, ?, ?) ORDER BY deleted_at",
        (before, *TERMINAL),
    )
    return {row["run_id"]: row["name"] for row in rows}


def finish(transaction: Transaction, run_ids: Sequence[str]) -> None:
    """Note that the files of runs are gone."""
    transaction.db.executemany("DELETE FROM removals WHERE run_id = ?", [(each,) for each in run_ids])
