"""Folders that exist for one command only, seen by commands in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcli.platform import Platform
from mcli.platform.execution import enter
from mcli.platform.execution.namespace import Layout, inside, problem, sweep
from tests.platform.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(problem() is not None, reason=f"no namespaces here: {problem()}")

NOBODY = 65534


def open_to_all(*files: str) -> bool:
    """Tell whether anybody may go through all folders above some files."""
    parents = {
        parent for file in files for path in (Path(file), Path(file).resolve()) for parent in path.parents
    }
    return all(parent.stat().st_mode & 0o001 for parent in parents)


CAN_BE_ANOTHER = os.getuid() == 0 and open_to_all(sys.executable, enter.__file__)
users = pytest.mark.parametrize(
    "uid",
    [
        os.getuid(),
        pytest.param(
            NOBODY, marks=pytest.mark.skipif(not CAN_BE_ANOTHER, reason="nobody else can run this Python")
        ),
    ],
    ids=["this user", "an ordinary user"],
)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Make a folder that other users may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="mcli-namespace-", dir="/tmp") as folder:
        yield Path(folder)


def layout(base: Path, **more: object) -> Layout:
    """Make the folders of a run with all three fixed paths, which anybody may use."""
    base.chmod(0o755)
    for name in ("root", "work", "config", "secrets", "guarded"):
        (base / name).mkdir()
        (base / name).chmod(0o777)
    (base / "config" / "parameters.yaml").write_text("a: 1\n")
    folders = {
        "/workspace": (f"{base}/work", False),
        "/mnt/config": (f"{base}/config", True),
        "/secrets": (f"{base}/secrets", True),
        **dict(more.get("folders") or {}),  # type: ignore[call-overload]
    }
    return Layout(f"{base}/root", folders, [f"{base}/guarded"], start="/workspace")


def bash(
    base: Path, command: str, uid: int | None = None, **more: object
) -> subprocess.CompletedProcess[str]:
    argv = inside(layout(base, **more), base / "layout.json", ["/bin/bash", "-c", command])
    return subprocess.run(argv, capture_output=True, text=True, check=False, user=uid, timeout=60)


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


@users
def test_the_fixed_folders_exist(tmp_path: Path, uid: int) -> None:
    """A command starts in /workspace, reads /mnt/config, and is who it was."""
    done = bash(tmp_path, "pwd; cat /mnt/config/*; ls /secrets; id -u; echo made > file", uid)
    assert (f"/workspace\na: 1\n{uid}\n", "") == (done.stdout, done.stderr)
    assert "made\n" == (tmp_path / "work" / "file").read_text()


@users
@pytest.mark.parametrize("place", ["/mnt/config/x", "/secrets/x", "{base}/guarded/x"])
def test_what_is_read_only_cannot_be_written(tmp_path: Path, uid: int, place: str) -> None:
    """Configuration, secrets and what is guarded can be seen and not changed, whoever owns them."""
    done = bash(tmp_path, f"echo > {place.format(base=tmp_path)}", uid)
    assert "Read-only file system" in done.stderr


@users
def test_the_machine_is_seen_around_them(tmp_path: Path, uid: int) -> None:
    """All else is the machine's: what stands in / and beside a folder that had to be made."""
    done = bash(tmp_path, "ls -A /; echo; ls -A /mnt", uid)
    top, mnt = (set(part.split()) for part in done.stdout.split("\n\n"))
    assert (set(), set()) == (names("/") - top, names("/mnt") - mnt)


def test_what_is_made_in_the_root_stays_with_the_run(tmp_path: Path) -> None:
    """A file in / is not the machine's but the run's; places of the machine's own entries are swept away."""
    bash(tmp_path, "mkdir /checkpoints; echo 1 > /checkpoints/last; touch /mark")
    sweep(tmp_path / "root")
    left = sorted(str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*"))
    assert (["checkpoints", "checkpoints/last", "mark"], False) == (left, Path("/checkpoints").exists())


def test_one_folder_inside_another(tmp_path: Path) -> None:
    """A mount path below a fixed folder is found there."""
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "secret").write_text("k")
    done = bash(tmp_path, "cat /secrets/a/b/secret", folders={"/secrets/a/b": (f"{tmp_path}/key", True)})
    assert ("k", "") == (done.stdout, done.stderr)


def test_a_folder_that_is_there_is_covered_for_the_run_only(tmp_path: Path) -> None:
    """Where a fixed path exists on the machine, the command sees its own, and nobody else does."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "theirs").touch()
    there = {str(tmp_path / "there"): (f"{tmp_path}/work", False)}
    done = bash(tmp_path, f"touch mine; ls {tmp_path}/there", folders=there)
    assert ("mine\n", {"theirs"}) == (done.stdout, names(f"{tmp_path}/there"))


@users
@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 7", 7),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -TERM $$; sleep 60", -signal.SIGTERM),
        ("trap 'exit 5' TERM; kill -TERM $$; exit 6", 5),
        ("no-such-program", 127),
    ],
)
def test_ends_are_the_command_s_own(tmp_path: Path, uid: int, command: str, status: int) -> None:
    """Exit status, signals and traps are as outside: nothing stands in between."""
    assert status == bash(tmp_path, command, uid).returncode


def test_the_process_is_the_one_that_was_started(tmp_path: Path) -> None:
    """The command has the process id that its starter knows."""
    argv = inside(layout(tmp_path), tmp_path / "layout.json", ["/bin/bash", "-c", "echo $$"])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate()
    assert f"{process.pid}\n" == said


@pytest.mark.parametrize(
    "look", [["/bin/grep", "SigIgn", "/proc/self/status"], ["/usr/bin/env"]], ids=["signals", "variables"]
)
def test_nothing_is_added_on_the_way(tmp_path: Path, look: list[str]) -> None:
    """The command ignores the signals and has the variables that it would have without a namespace."""
    argv = inside(layout(tmp_path), tmp_path / "layout.json", look)
    said, bare = (
        subprocess.run(line, capture_output=True, text=True, env={"A": "1"}, check=True).stdout
        for line in (argv, look)
    )
    assert bare == said


def test_folders_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    """A layout that is impossible ends with a status of its own and a line that says why."""
    done = bash(tmp_path, "echo never", folders={"/workspace": ("/nothing/here", False)})
    assert (enter.FAILED, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("[mcli] The folders of the run cannot be made: ")


@pytest.mark.parametrize("real", [True, False], ids=["namespace", "none"])
def test_runs_find_their_parameters(real: bool, tmp_path: Path) -> None:
    """With namespaces a path in a program leads to the parameters, without them one in the command does."""
    (tmp_path / "read.py").write_text("print(open('/mnt/config/parameters.yaml').read())")
    command = f"python {tmp_path}/read.py" if real else "cat /mnt/config/parameters.yaml"
    with Platform(grace=1, namespaces=real) as platform:
        caller = Caller(platform)
        log = caller.logs(caller.finish(command, parameters={"lr": 0.1})["name"]).decode()
        caller.close()
    assert "lr: 0.1" in log.splitlines()
