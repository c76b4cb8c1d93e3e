"""What goes wrong with one run, or with the disk, is kept from everything else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcli.platform import Platform
from mcli.platform.execution.isolation import insist
from tests.platform.caller import Caller
from tests.platform.test_restart import served

if TYPE_CHECKING:
    from pathlib import Path


def full_disk() -> sqlite3.OperationalError:
    """Return what SQLite raises when there is no room for a change."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (x)")
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        try:
            db.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        except sqlite3.OperationalError as error:
            return error
    raise AssertionError("The database has no limit.")


def test_a_change_is_made_when_the_disk_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written now is written later, be it the database or a file."""
    monkeypatch.setattr("mcli.platform.execution.isolation.RETRY_SECONDS", 0)
    obstacles: list[Exception] = [full_disk(), OSError(28, "No space left on device")]

    async def change() -> str:
        if obstacles:
            raise obstacles.pop()
        return "done"

    assert "done" == asyncio.run(insist(change))


def test_what_can_never_succeed_is_not_repeated() -> None:
    """An error of the statement itself is told at once."""

    async def change() -> None:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("SELECT * FROM missing")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        asyncio.run(insist(change))


def test_a_run_that_cannot_be_scheduled_fails_alone(tmp_path: Path) -> None:
    """A stored run that breaks a pass of the controller is FAILED with the reason; the others go on."""
    with served(tmp_path) as caller:
        holders = [caller.create("sleep 60") for _ in range(16)]
        for holder in holders:
            caller.wait(holder, "RUNNING")
        name = caller.create("true")
        caller.wait(name, "QUEUED")
    break_queued(tmp_path, name)
    with served(tmp_path) as caller:
        for holder in holders:
            caller.change("stopRuns", holder)
        assert "COMPLETED" == caller.finish("true")["status"]
        assert [("FAILED", True)] == [
            (status, reason.startswith("The platform failed on this run"))
            for status, reason in stored(tmp_path, name)
        ]


def break_queued(folder: Path, name: str) -> None:
    """Store something about a waiting run that no version of ours should have stored."""
    with closing(sqlite3.connect(folder / "platform.sqlite3")) as db, db:
        db.execute("UPDATE queue SET created_at = 'not a time' WHERE name = ?", (name,))


def stored(folder: Path, name: str) -> list[tuple[str, str]]:
    """Return status and reason of a run as they are stored."""
    with closing(sqlite3.connect(folder / "platform.sqlite3")) as db:
        statement = "SELECT status, json_extract(document, '$.reason') FROM runs WHERE name = ?"
        return list(db.execute(statement, (name,)))


def test_the_error_of_a_full_disk_is_told(tmp_path: Path) -> None:
    """A run that cannot get its files says what the system said."""
    with Platform(tmp_path, grace=1) as platform:
        caller = Caller(platform)
        (tmp_path / "runs").rmdir() if (tmp_path / "runs").exists() else None
        (tmp_path / "runs").write_text("in the way")
        run = caller.finish("true")
        caller.close()
    assert "FAILED" == run["status"]
    assert "could not be started: [Errno 17] File exists" in run["reason"]
