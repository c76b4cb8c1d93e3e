"""Many runs in a store, without creating each: copies of one in all that is asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["copy_runs", "steps"]

_COPY = """
INSERT INTO runs
    (id, name, owner, status, run_type, cluster, gpu_type, gpus, created_at, ended_at, is_deleted, document)
WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < :count)
SELECT 'id-' || number, 'copy-' || number, owner, 'COMPLETED', run_type, cluster, gpu_type, gpus, moment, moment, 0,
       json_set(document, '$.id', 'id-' || number, '$.name', 'copy-' || number, '$.status', 'COMPLETED')
FROM (
    SELECT runs.*, number, strftime('%Y-%m-%dT%H:%M:%S.000Z', 1700000000 + number, 'unixepoch') AS moment
    FROM runs, numbers WHERE sequence = 1
)
"""


def copy_runs(database: Path, count: int) -> None:
    """Add copies of the first run of a store, as runs of 2023 that have ended."""
    with closing(sqlite3.connect(database)) as db, db:
        db.execute(_COPY, {"count": count})


def steps(db: sqlite3.Connection, statement: object) -> int:
    """Return how many steps SQLite's machine takes for what is done, which no other load on the machine changes."""
    assert callable(statement)
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    db.set_progress_handler(count, 1)
    try:
        statement()
    finally:
        db.set_progress_handler(None, 1)
    return taken
