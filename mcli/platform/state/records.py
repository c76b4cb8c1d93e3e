"""Runs in the database: stored, changed, loaded."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.scheduling.demand import Demand
from mcli.platform.state import queue
from mcli.platform.state.run import Run
from mcli.platform.state.status import LIVE, TERMINAL, WAITING
from mcli.platform.values import LARGEST_INT, load_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from mcli.platform.state.store import Transaction

__all__ = [
    "LIVE",
    "TERMINAL",
    "WAITING",
    "Run",
    "insert",
    "load",
    "load_all",
    "read",
    "read_all",
    "save",
    "statuses",
    "with_status",
]

log: logging.Logger = logging.getLogger(__name__)


def insert(transaction: Transaction, run: Run) -> None:
    """Store a new run."""
    columns = _columns(run) | {
        "id": run.id,
        "name": run.name,
        "owner": run.owner,
        "run_type": run.run_type,
        "cluster": run.demand.cluster,
        "gpu_type": run.demand.gpu_type,
        "gpus": run.demand.gpus,
        "created_at": run.created_at,
    }
    marks = ", ".join("?" * len(columns))
    transaction.db.execute(
        f"INSERT INTO runs ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - names from right above
        tuple(columns.values()),
    )
    queue.store(transaction, run)


def save(transaction: Transaction, run: Run) -> None:
    """Store a changed run."""
    run.updated_at = transaction.now
    transaction.db.execute(
        "UPDATE runs SET status = :status, ended_at = :ended_at, is_deleted = :is_deleted, document = :document"
        " WHERE id = :id",
        _columns(run) | {"id": run.id},
    )
    queue.store(transaction, run)


def _columns(run: Run) -> dict[str, Any]:
    return {
        "status": run.status,
        "ended_at": run.ended_at,
        "is_deleted": run.is_deleted,
        "document": json.dumps(vars(run) | {"demand": vars(run.demand)}, separators=(",", ":")),
    }


def read(row: sqlite3.Row) -> Run:
    """Read a row of `stored_runs`; why a run waits is what was said last, in the queue."""
    run = _read(row["document"])
    if run.status in WAITING and row["reason"] is not None:
        run.reason = run.lifecycle[-1]["reason"] = row["reason"]
        run.latest.update(reason=row["reason"] or None, claim=json.loads(row["claim"]))
    return run


def _read(document: str) -> Run:
    """Read a document, also one of an earlier version that stored more than it could answer."""
    stored: dict[str, Any] = load_json(document)
    demand, seconds = stored["demand"], stored["max_duration_seconds"]
    demand["node_names"] = tuple(demand["node_names"])
    stored["demand"] = Demand(**demand)
    stored["max_duration_seconds"] = None if seconds is None else min(seconds, LARGEST_INT)
    return Run(**stored)


def read_all(rows: Iterable[sqlite3.Row]) -> list[Run]:
    """Read stored runs; one that cannot be read, because somebody else wrote it, is left out and told in the log."""
    runs = list[Run]()
    for row in rows:
        try:
            runs.append(read(row))
        except (ValueError, TypeError, KeyError):
            log.exception("A stored run cannot be read: %.200s", row["document"])
    return runs


def load_all(db: sqlite3.Connection, run_ids: Sequence[str]) -> list[Run]:
    """Load runs by their ids, in the order of these."""
    return [load(db, run_id) for run_id in run_ids]


def load(db: sqlite3.Connection, run_id: str) -> Run:
    """Load a run by its id.

    Raises:
        RequestError: 404 when there is none.
    """
    row = db.execute("SELECT * FROM stored_runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise RequestError(404, f"Run with id {run_id!r} not found.")
    return read(row)


def with_status(db: sqlite3.Connection, statuses: Iterable[str]) -> list[Run]:
    """Load all runs that have one of these statuses, oldest first."""
    wanted = tuple(statuses)
    marks = ", ".join("?" * len(wanted))
    rows = db.execute(
        f"SELECT * FROM stored_runs WHERE sequence IN"  # noqa: S608 - only marks
        f" (SELECT sequence FROM runs WHERE status IN ({marks})) ORDER BY sequence",
        wanted,
    )
    return read_all(rows)


def statuses(db: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, str]:
    """Return the statuses of runs, by their ids."""
    rows = db.execute(
        "SELECT id, status FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return {row["id"]: row["status"] for row in rows}
