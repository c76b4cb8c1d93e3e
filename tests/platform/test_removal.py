"""The files of deleted runs: who reads them may read to the end, then the disk is free again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform.serving.removal import Removal
from tests.platform.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Quiet]:
    quiet = Quiet(tmp_path, patience=0.0)
    yield quiet
    quiet.close()


def removal(quiet: Quiet) -> Removal:
    return Removal(quiet.store, quiet.folders, quiet.clock)


def named(name: str) -> dict[str, Any]:
    return {"filters": {"name": {"in": [name]}}}


def deleted(quiet: Quiet) -> tuple[str, Path]:
    """Delete a run that has a log; gives its name and its log."""
    name = quiet.create()
    quiet.ask("deleteRuns", named(name))
    folder = quiet.folders.node(name, 0, 0)
    folder.make()
    folder.log.write_text("last words\n")
    return name, folder.log


def sweep(quiet: Quiet, removal: Removal, seconds: float) -> None:
    quiet.clock.advance(seconds)
    quiet.runner.run(removal.sweep())


@pytest.mark.parametrize(("seconds", "stays"), [(59, True), (61, False)])
def test_files_go_a_minute_after_the_deletion(quiet: Quiet, seconds: float, stays: bool) -> None:
    """Whoever lost the connection has a minute to come back, then the disk of a deleted run is freed."""
    here, (_, log) = removal(quiet), deleted(quiet)
    sweep(quiet, here, seconds)
    assert log.exists() is stays


def test_files_go_a_minute_after_the_start(quiet: Quiet) -> None:
    """After a restart the minute begins anew, because readers of the last server come back."""
    _, log = deleted(quiet)
    quiet.clock.advance(3600)
    here = removal(quiet)
    sweep(quiet, here, 59)
    assert log.exists()
    sweep(quiet, here, 2)
    assert not log.exists()


def test_files_stay_while_somebody_reads(quiet: Quiet) -> None:
    """A reader keeps the files of a deleted run; they go when the last one has left."""
    here, (name, log) = removal(quiet), deleted(quiet)
    with quiet.folders.reading(name):
        sweep(quiet, here, 3600)
        assert log.exists()
    sweep(quiet, here, 0)
    assert not log.exists()


def test_deleted_runs_can_be_read_and_watched(quiet: Quiet) -> None:
    """A subscription that comes back after the deletion finds the run, and what it left."""
    name, _ = deleted(quiet)
    status = quiet.ask("watchRunStatus", {"name": name})["data"]["watchRunStatus"]
    chunk = quiet.ask("getRunLogsV2", {"name": name, "follow": True, "offset": 0})["data"]["getRunLogsV2"]
    assert ("STOPPED", 11) == (status, chunk["endOffset"])


def test_a_log_that_is_gone_is_told(quiet: Quiet) -> None:
    """Once the files are gone, asking for the log says why it is not there."""
    here, (name, _) = removal(quiet), deleted(quiet)
    sweep(quiet, here, 61)
    (error,) = quiet.ask("getRunLogsV2", {"name": name, "offset": 0})["errors"]
    assert (404, True) == (error["extensions"]["code"], "deleted" in error["message"])
