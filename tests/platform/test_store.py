"""The store: transactions, what they publish, and answers that are given again."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mcli.platform.clock import VirtualClock
from mcli.platform.errors import RequestError
from mcli.platform.state import records, removals
from mcli.platform.state.hub import Change
from mcli.platform.state.store import Once, Store, Transaction, migrate


def run(
    path: Path,
    use: Callable[[Store], Coroutine[Any, Any, None]],
    clock: VirtualClock | None = None,
    tell: Callable[[Change], None] = lambda _: None,
) -> None:
    """Use a store on a loop of its own."""

    async def main() -> None:
        store = Store(path / "state.sqlite3", clock or VirtualClock(), tell)
        try:
            await use(store)
        finally:
            store.close()

    asyncio.run(main())


def add(transaction: Transaction, name: str) -> str:
    row = (name, name, f"{name}@localhost", "local", 0)
    transaction.db.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", row)
    return name


def names(db: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in db.execute("SELECT name FROM users ORDER BY name")]


def test_what_raises_is_undone(tmp_path: Path) -> None:
    """An exception undoes all of its transaction, and reaches the caller."""

    def fail(transaction: Transaction) -> None:
        add(transaction, "ann")
        raise RequestError(409, "no")

    async def use(store: Store) -> None:
        with pytest.raises(RequestError, match="no"):
            await store.write(fail)
        assert [] == await store.read(names)

    run(tmp_path, use)


def test_state_outlives_the_store(tmp_path: Path) -> None:
    """What was committed is there when the file is opened again."""

    async def write(store: Store) -> None:
        await store.write(lambda transaction: add(transaction, "ann"))

    async def read(store: Store) -> None:
        assert ["ann"] == await store.read(names)

    run(tmp_path, write)
    run(tmp_path, read)


def test_readers_cannot_write(tmp_path: Path) -> None:
    """A reader's connection refuses changes."""

    async def use(store: Store) -> None:
        with pytest.raises(sqlite3.OperationalError):
            await store.read(lambda db: db.execute("DELETE FROM users"))

    run(tmp_path, use)


def test_changes_are_published_in_order(tmp_path: Path) -> None:
    """Changes are told in the order of their commits, each before its writer goes on."""
    told: list[int] = []

    def change(transaction: Transaction, number: int) -> None:
        transaction.changes.append(Change("run", number, "RUNNING"))

    async def use(store: Store) -> None:
        async def write(number: int) -> None:
            await store.write(lambda transaction: change(transaction, number))
            assert number in told

        await asyncio.gather(*map(write, range(50)))

    run(tmp_path, use, tell=lambda change: told.append(change.sequence))
    assert list(range(50)) == told


def test_undone_changes_are_not_published(tmp_path: Path) -> None:
    """Nobody hears of what was undone."""
    told: list[Change] = []

    def fail(transaction: Transaction) -> None:
        transaction.changes.append(Change("run", 1, "RUNNING"))
        raise RequestError(400, "no")

    async def use(store: Store) -> None:
        with pytest.raises(RequestError):
            await store.write(fail)
        await asyncio.sleep(0)

    run(tmp_path, use, tell=told.append)
    assert [] == told


def test_concurrent_duplicates_take_effect_once(tmp_path: Path) -> None:
    """Of requests with one mark at the same time one does the work, and all get its answer."""
    work = iter(["ann", "bob", "cid"])
    once = Once("owner", "key", "request")

    async def use(store: Store) -> None:
        writes = [store.write(lambda transaction: add(transaction, next(work)), once) for _ in range(3)]
        assert ["ann"] * 3 == await asyncio.gather(*writes)
        assert ["ann"] == await store.read(names)

    run(tmp_path, use)


def test_answers_survive_a_restart(tmp_path: Path) -> None:
    """An answer is given again by the next server."""
    once = Once("owner", "key", "request")

    async def first(store: Store) -> None:
        await store.write(lambda transaction: add(transaction, "ann"), once)

    async def second(store: Store) -> None:
        assert "ann" == await store.write(lambda transaction: add(transaction, "bob"), once)

    run(tmp_path, first)
    run(tmp_path, second)


def test_answers_are_forgotten_after_a_day(tmp_path: Path) -> None:
    """After 24 hours a mark counts as new."""
    once, clock = Once("owner", "key", "request"), VirtualClock()

    async def use(store: Store) -> None:
        await store.write(lambda transaction: add(transaction, "ann"), once)
        clock.advance(24 * 3600 + 1)
        assert "bob" == await store.write(lambda transaction: add(transaction, "bob"), once)

    run(tmp_path, use, clock)


def test_newer_files_are_refused(tmp_path: Path) -> None:
    """A file of a newer version is left alone, and the error says what to do."""
    file = tmp_path / "state.sqlite3"
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 1000")
    db.close()

    async def use(store: Store) -> None:
        raise AssertionError("opened")

    with pytest.raises(RuntimeError, match="update mcli"):
        run(tmp_path, use)


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """The database has mode 0600."""

    async def use(store: Store) -> None:
        assert 0o600 == (tmp_path / "state.sqlite3").stat().st_mode & 0o777

    run(tmp_path, use)


def test_a_store_of_the_first_version_is_opened(tmp_path: Path) -> None:
    """What an earlier version stored is there, and the files of what it deleted will go."""
    with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as db, db:
        migrate(db, 1)
        db.execute("INSERT INTO users VALUES ('u', 'ann', 'ann@localhost', 'local', 0)")
        for name, deleted in (("a", 0), ("b", 1)):
            row = (name, name, "u", "STOPPED", "TRAINING", "local", "None", 0, "2024", None, deleted, "{}")
            columns = (
                "id, name, owner, status, run_type, cluster, gpu_type, gpus, created_at, ended_at, is_deleted"
            )
            marks = ", ".join("?" * len(row))
            db.execute(f"INSERT INTO runs ({columns}, document) VALUES ({marks})", row)

    async def use(store: Store) -> None:
        assert ["ann"] == await store.read(names)
        assert {"b": "b"} == await store.read(lambda db: removals.due(db, "2025"))

    run(tmp_path, use)


def test_a_run_that_cannot_be_read_harms_no_other(tmp_path: Path) -> None:
    """A document that somebody broke is left out of lists, and told in the log."""

    def work(transaction: Transaction) -> list[str]:
        add(transaction, "u")
        for name in ("a", "b"):
            values = (name, name, "u", "RUNNING", "TRAINING", "local", "None", 0, "2024", 0, '{"demand": 1}')
            columns = (
                "id, name, owner, status, run_type, cluster, gpu_type, gpus, created_at, is_deleted, document"
            )
            marks = ", ".join("?" * len(values))
            transaction.db.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", values)
        return [each.name for each in records.with_status(transaction.db, ["RUNNING"])]

    async def use(store: Store) -> None:
        assert [] == await store.write(work)

    run(tmp_path, use)
