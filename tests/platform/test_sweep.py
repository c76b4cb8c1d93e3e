"""What killed servers leave is removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mcli.platform import Platform
from tests.platform.caller import Caller
from tests.platform.test_restart import served

TEMPORARY = """
import os, sys
from mcli.platform import Platform
platform = Platform(grace=1)
platform.start()
print(platform.data_dir, flush=True)
sys.stdin.readline()
"""


def secrets_of(data_dir: Path) -> list[Path]:
    """Return the files of runs that hold a token, an order or secrets."""
    files = (path for path in (data_dir / "runs").rglob("*") if path.is_file())
    return [path for path in files if path.name in {"token", "job.json"} or "secrets" in path.parts]


def test_secrets_of_ended_runs_are_removed(tmp_path: Path) -> None:
    """A server that was killed between the end of a run and the clean-up leaves secrets to the next one."""
    with served(tmp_path) as caller:
        name = caller.create("true")
        caller.statuses(name)
        run_id = caller.run(name)["id"]
        key = caller.run(name)["details"]["lastExecutionId"]
        resumption = next((tmp_path / "runs").glob("*/0"))
    node = resumption / "0"
    (node / "secrets").mkdir(exist_ok=True)
    for file in (node / "token", node / "secrets" / "aws", resumption / "job.json"):
        file.write_text("secret")
    (tmp_path / "open" / key).write_text(str(resumption.relative_to(tmp_path / "runs")))
    with served(tmp_path) as caller:
        assert ([], run_id) == (secrets_of(tmp_path), caller.run(name)["id"])
    assert [] == list((tmp_path / "open").iterdir())


def test_secrets_of_living_runs_stay(tmp_path: Path) -> None:
    """The next server leaves what a run needs that goes on."""
    with served(tmp_path) as caller:
        name = caller.create("echo up; sleep 60")
        caller.wait_for_log(name, b"up")
    before = sorted(secrets_of(tmp_path))
    with served(tmp_path) as caller:
        assert before == sorted(secrets_of(tmp_path))
        assert before
        caller.change("stopRuns", name)
        caller.statuses(name)
    assert [] == secrets_of(tmp_path)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, which is the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_killed_temporary_platform_is_removed(temporary: Path) -> None:
    """The folder of a temporary platform whose process was killed goes with the next platform's start."""
    with subprocess.Popen(
        [sys.executable, "-c", TEMPORARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        with Platform():
            assert folder.exists()
        os.kill(process.pid, signal.SIGKILL)
    assert folder.exists()
    with Platform():
        assert not folder.exists()
    assert [] == list(temporary.glob("mcli-local-*"))


def test_other_folders_are_left_alone(temporary: Path) -> None:
    """A folder of that name which never had a server is not ours to remove."""
    other = temporary / "mcli-local-other"
    other.mkdir()
    with Platform() as platform:
        Caller(platform).close()
    assert other.exists()
