"""Finding and starting the local platform."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from mcli._core.local import _running, data_folder
from tests import wire

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def announced(folder: Path, pid: int) -> dict[str, object]:
    """Leave the announcement of a platform."""
    folder.mkdir(parents=True, exist_ok=True)
    server = {"endpoint": "http://127.0.0.1:9/graphql", "api_key_file": str(folder / "key"), "pid": pid}
    (folder / "server.json").write_text(json.dumps(server))
    (folder / "lock").write_text(str(pid))
    return server


def test_a_platform_that_holds_its_lock_runs(tmp_path: Path) -> None:
    """Whoever holds the lock of the folder is asked, where it says that it is."""
    server = announced(tmp_path, os.getpid())
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert server == _running(tmp_path)


def test_an_announcement_without_a_lock_is_of_one_that_was_killed(tmp_path: Path) -> None:
    """That a process with its pid lives says nothing: pids come again."""
    announced(tmp_path, os.getpid())
    assert None is _running(tmp_path)


def test_an_announcement_of_another_is_not_believed(tmp_path: Path) -> None:
    """A platform that has just started has not announced itself yet; what is there is its predecessor's."""
    announced(tmp_path, os.getpid())
    with (tmp_path / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("1")
        lock.flush()
        assert None is _running(tmp_path)


def test_the_folder_stands_beside_the_configuration_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is one of the folder that the program runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCLI_CONFIG_PATH", "some where/config")
    assert tmp_path / "some where" / "local" == data_folder()


def test_a_platform_that_was_killed_is_started_again(isolated: Path) -> None:
    """A stale announcement that names a living process sends no key to a stranger."""
    announced(isolated / ".mosaic" / "local", os.getpid())
    environment = os.environ | {"MCLI_MODE": "LOCAL"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=wire.PATIENCE * 3,
        )

    try:
        done = run("-c", "import mcli; print(mcli.get_runs())")
    finally:
        run("-m", "mcli.platform", "stop")
    assert (0, "[]\n") == (done.returncode, done.stdout)
    assert "mcli: starting the local platform" in done.stderr
