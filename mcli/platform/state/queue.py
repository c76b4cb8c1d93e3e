"""Runs that wait: what deciding about them needs, and what was decided, apart from all else that is stored of them.

A pass over thousands of waiting runs reads and writes these rows only. Why a run waits changes with nearly every pass:
it stands here, and who reads the run gets it from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mcli.platform.scheduling.demand import Demand
from mcli.platform.state.status import WAITING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mcli.platform.state.run import Run
    from mcli.platform.state.store import Transaction

__all__ = ["Queued", "explain", "queued", "read", "store"]


@dataclass(frozen=True)
class Queued:
    """A run that waits."""

    run_id: str
    name: str
    is_new: bool
    """Whether it is PENDING still."""
    demand: Demand
    priority: str
    preemptible: bool
    created_at: str
    not_before: str | None
    reason: str
    claim: tuple[str, ...]
    """Nodes that were set aside for it."""


def store(transaction: Transaction, run: Run) -> None:
    """Store what deciding about a run needs, if it waits."""
    if run.status not in WAITING:
        transaction.db.execute("DELETE FROM queue WHERE run_id = ?", (run.id,))
        return
    demand = json.dumps(vars(run.demand), sort_keys=True)
    claim = json.dumps(run.latest.get("claim", []))
    given = (demand, run.priority, run.preemptible, run.created_at, run.not_before, run.reason, claim)
    transaction.db.execute(
        "INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run.id, run.name, run.status == WAITING[0], *given),
    )


def queued(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the rows of all runs that wait, for `read`."""
    return db.execute("SELECT * FROM queue").fetchall()


def read(row: sqlite3.Row) -> Queued:
    """Read a row of a run that waits."""
    stored: dict[str, Any] = dict(row)
    stored.update(demand=_demand(row["demand"]), claim=tuple(json.loads(row["claim"])))
    stored.update(is_new=bool(row["is_new"]), preemptible=bool(row["preemptible"]))
    return Queued(**stored)


@lru_cache(256)
def _demand(text: str) -> Demand:
    stored = json.loads(text)
    return Demand(**stored | {"node_names": tuple(stored["node_names"])})


def explain(transaction: Transaction, run_id: str, reason: str, claim: Sequence[str]) -> None:
    """Say anew why a run waits, and what was set aside for it."""
    statement = "UPDATE queue SET reason = ?, claim = ? WHERE run_id = ?"
    transaction.db.execute(statement, (reason, json.dumps(claim), run_id))
