"""What of a run stays on the disk, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mcli.platform.execution.folders import NodeFolder, RunFolders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platform.caller import Caller

ENDS = {
    "COMPLETED": "echo 1 > checkpoint",
    "FAILED": "echo 1 > checkpoint; exit 3",
    "killed": "echo 1 > checkpoint; kill -KILL $$",
}


def node(caller: Caller, name: str) -> NodeFolder:
    return RunFolders(caller.platform.data_dir / "runs").node(name, 0, 0)


@pytest.mark.parametrize("command", ENDS.values(), ids=ENDS)
def test_what_a_run_makes_stays(caller: Caller, command: str) -> None:
    """However a run ends, its files are found under its name."""
    name = caller.finish(command)["name"]
    assert "1\n" == (node(caller, name).work / "checkpoint").read_text()


def test_what_a_stopped_run_has_made_stays(caller: Caller) -> None:
    """A run that is stopped keeps its files."""
    name = caller.create("echo 1 > checkpoint; echo up; sleep 600")
    caller.wait_for_log(name, b"up")
    caller.change("stopRuns", name)
    caller.statuses(name)
    assert "1\n" == (node(caller, name).work / "checkpoint").read_text()


def test_secrets_and_environments_do_not_stay(caller: Caller) -> None:
    """After its end a node has its work, configuration and logs, and nothing that opens anything."""
    name = caller.finish("true")["name"]
    folder = node(caller, name)
    gone = (folder.secrets, folder.token, folder.packages, folder.private, folder.layout, folder.root)
    while any(each.exists() for each in gone):
        time.sleep(0.01)
    assert [True] * 3 == [each.exists() for each in (folder.work, folder.config, folder.log)]


def make(root: Path, *names: str) -> RunFolders:
    folders = RunFolders(root)
    for name in names:
        each = folders.node(name, 0, 0)
        each.make()
        each.log.write_text("log")
        (each.work / "big").write_bytes(b"x" * 100_000)
    return folders


def test_discarding_keeps_the_logs(tmp_path: Path) -> None:
    """What a run has made can go without its logs."""
    folders = make(tmp_path, "a-1")
    folders.discard("a-1")
    assert (False, "log") == (
        folders.node("a-1", 0, 0).work.exists(),
        folders.node("a-1", 0, 0).log.read_text(),
    )


def test_removing_leaves_the_others(tmp_path: Path) -> None:
    """All of one run goes, nothing of another."""
    folders = make(tmp_path, "a-1", "a-12")
    folders.remove("a-1")
    assert {"a-12"} == {path.name for path in tmp_path.iterdir()}


def test_disk_use_counts_what_is_there(tmp_path: Path) -> None:
    """The bytes of a run are those of its files, a file with two names once."""
    folders = make(tmp_path, "a-1")
    before = folders.disk_use()["a-1"]
    work = folders.node("a-1", 0, 0).work
    (work / "again").hardlink_to(work / "big")
    assert (True, before) == (100_000 <= before < 200_000, folders.disk_use()["a-1"])
