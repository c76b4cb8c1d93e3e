"""The state of the platform: one SQLite file, one thread that writes, a few that read.

Every change is one transaction (`BEGIN IMMEDIATE`) on the writer's thread, so changes never meet a locked
database and need no locks of their own. What a transaction publishes is told after it is committed, in the
order of commits. Readers see committed states only, each from its own snapshot.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from mcli.platform.clock import Clock, format_time
from mcli.platform.errors import RequestError
from mcli.platform.state.hub import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Once", "Store", "Transaction", "migrate"]

T = TypeVar("T")

READERS = 2
REMEMBERED = timedelta(hours=24)
"""How long the answer to an idempotency key is kept."""

_MIGRATIONS = (
    """
    CREATE TABLE users (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, organization TEXT NOT NULL,
        is_admin INTEGER NOT NULL
    );
    CREATE TABLE keys (
        digest TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users, run_id TEXT, created_at TEXT NOT NULL
    );
    CREATE INDEX keys_of_runs ON keys (run_id);
    CREATE TABLE runs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE, owner TEXT NOT NULL REFERENCES users,
        status TEXT NOT NULL, run_type TEXT NOT NULL, cluster TEXT NOT NULL, gpu_type TEXT NOT NULL,
        gpus INTEGER NOT NULL, created_at TEXT NOT NULL, ended_at TEXT, is_deleted INTEGER NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX runs_by_status ON runs (status);
    CREATE INDEX runs_by_owner ON runs (owner, sequence);
    CREATE TABLE secrets (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL REFERENCES users, name TEXT NOT NULL, type TEXT NOT NULL,
        metadata TEXT NOT NULL, value BLOB NOT NULL,
        created_at TEXT NOT NULL, UNIQUE (owner, name)
    );
    CREATE TABLE events (
        id TEXT PRIMARY KEY, run_id TEXT NOT NULL, execution_id TEXT NOT NULL, type TEXT NOT NULL,
        data TEXT NOT NULL, updated_at TEXT NOT NULL
    );
    CREATE TABLE answers (
        owner TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL,
        created_at TEXT NOT NULL, PRIMARY KEY (owner, key)
    );
    CREATE INDEX answers_by_age ON answers (created_at);
    """,
    """
    CREATE TABLE removals (run_id TEXT PRIMARY KEY, deleted_at TEXT NOT NULL);
    INSERT INTO removals SELECT id, created_at FROM runs WHERE is_deleted = 1;
    """,
    """
    DROP INDEX runs_by_owner;
    DROP INDEX runs_by_status;
    CREATE INDEX runs_in_status ON runs (status);
    CREATE INDEX runs_by_created_at ON runs (owner, is_deleted, created_at);
    CREATE INDEX runs_by_ended_at ON runs (owner, is_deleted, ended_at, created_at);
    CREATE INDEX runs_by_status ON runs (owner, is_deleted, status, created_at);
    CREATE INDEX runs_by_run_type ON runs (owner, is_deleted, run_type, created_at);
    CREATE INDEX runs_by_cluster ON runs (owner, is_deleted, cluster, created_at);
    CREATE INDEX runs_by_gpu_type ON runs (owner, is_deleted, gpu_type COLLATE NOCASE, created_at);
    CREATE INDEX runs_by_gpus ON runs (owner, is_deleted, gpus, created_at);
    """,
    """
    CREATE TABLE queue (
        run_id TEXT PRIMARY KEY, name TEXT NOT NULL, is_new INTEGER NOT NULL, demand TEXT NOT NULL,
        priority TEXT NOT NULL, preemptible INTEGER NOT NULL, created_at TEXT NOT NULL, not_before TEXT,
        reason TEXT NOT NULL, claim TEXT NOT NULL
    );
    INSERT INTO queue
    SELECT id, name, status = 'PENDING', json_extract(document, '$.demand'), json_extract(document, '$.priority'),
           json_extract(document, '$.preemptible'), created_at, json_extract(document, '$.not_before'),
           json_extract(document, '$.reason'), '[]'
    FROM (
        -- what is no number of JSON was stored in the metadata once
        SELECT id, name, status, created_at,
               replace(replace(replace(document, '-Infinity', '0'), 'Infinity', '0'), 'NaN', '0') AS document
        FROM runs WHERE status IN ('PENDING', 'QUEUED')
    )
    WHERE json_valid(document) AND json_extract(document, '$.demand') IS NOT NULL;
    CREATE VIEW stored_runs AS
    SELECT sequence, id, runs.created_at, document, reason, claim FROM runs LEFT JOIN queue ON run_id = id;
    """,
)
"""One script for each `user_version`. Never edited after a release, only added to."""


@dataclass
class Transaction:
    """A change being made: the database, its moment, and what will be published."""

    db: sqlite3.Connection
    now: str
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Once:
    """The mark of a request that must take effect once, however often it comes."""

    owner: str
    key: str
    request: str
    """Digest of the request. The same key with another request is an error."""


class Store:
    """The database file, its threads and connections. Made on the loop that is told of changes.

    `tell` hears there of each change that was committed, before the one who committed it goes on.
    """

    def __init__(self, path: Path, clock: Clock, tell: Callable[[Change], None]) -> None:
        self._path = path
        self._clock = clock
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writer = ThreadPoolExecutor(1, "mcli-store-writer")
        self._readers = ThreadPoolExecutor(READERS, "mcli-store-reader")
        _open(path)

    async def write(self, work: Callable[[Transaction], T], once: Once | None = None) -> T:
        """Do `work` in one transaction and return what it returns; whatever it raises undoes it.

        With `once`, what `work` returns must be JSON, and is kept: the same mark gets it again without work.
        """
        return await self._loop.run_in_executor(self._writer, self._transact, work, once)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns on a connection that cannot write, on one of the readers' threads."""
        return await self._loop.run_in_executor(self._readers, lambda: work(self._connection(write=False)))

    def close(self) -> None:
        """Finish what was begun, end the threads, close the file."""
        for pool in (self._writer, self._readers):
            pool.shutdown()
        for connection in self._connections:
            connection.close()

    def _connection(self, *, write: bool) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path)
            if not write:
                connection.execute("PRAGMA query_only = ON")
            self._connections.append(connection)
        return connection

    def _transact(self, work: Callable[[Transaction], T], once: Once | None) -> T:
        db = self._connection(write=True)
        db.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(db, format_time(self._clock.now()))
            answer = work(transaction) if once is None else self._once(transaction, work, once)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite has undone it already when the disk is full
                db.execute("ROLLBACK")
            raise
        if transaction.changes:
            self._loop.call_soon_threadsafe(self._publish, transaction.changes)
        return answer

    def _publish(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._tell(change)

    def _once(self, transaction: Transaction, work: Callable[[Transaction], T], once: Once) -> T:
        db = transaction.db
        db.execute("DELETE FROM answers WHERE created_at < ?", (format_time(self._clock.now() - REMEMBERED),))
        known = db.execute(
            "SELECT request, answer FROM answers WHERE owner = ? AND key = ?", (once.owner, once.key)
        ).fetchone()
        if known is not None:
            if known[0] != once.request:
                raise RequestError(422, "This Idempotency-Key was used before, for another request.")
            remembered: T = json.loads(known[1])
            return remembered
        answer = work(transaction)
        row = (once.owner, once.key, once.request, json.dumps(answer), transaction.now)
        db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", row)
        return answer


def _connect(path: Path) -> sqlite3.Connection:
    # connections stay on their threads; only the closing is done by another
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    # with WAL this loses nothing when a process is killed, only the last moments when the power fails
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _open(path: Path) -> None:
    path.touch(mode=0o600)
    with closing(_connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        if db.execute("PRAGMA user_version").fetchone()[0] > len(_MIGRATIONS):
            raise RuntimeError(f"{path} was written by a newer version of mcli; update mcli to open it.")
        migrate(db)


def migrate(db: sqlite3.Connection, to: int = len(_MIGRATIONS)) -> None:
    """Bring a database, which may be empty, to the form that this version works with, or to that of an earlier one."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(_MIGRATIONS[version:to], version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
