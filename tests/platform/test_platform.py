"""The platform as an object, and from the command line."""

import json
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mcli.platform import Platform
from mcli.platform.execution.supervisor import PROCESS
from mcli.platform.presence import find
from tests.platform.caller import PATIENCE, Caller

ME = {"query": "{ getUsers(getUsersData: {}) { email } }"}


def call(command: str, data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "mcli.platform", command, "--data-dir", str(data_dir), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server, if there is one, is stopped after the test."""
    yield tmp_path / "data"
    call("stop", tmp_path / "data", "--stop-runs")


def test_the_folders_above_are_private_too(tmp_path: Path) -> None:
    """Of the folders that are missing on the way to the data, each is made with mode 0700: keys will lie there."""
    with Platform(tmp_path / "home" / ".mosaic" / "local") as platform:
        above = [platform.data_dir, *platform.data_dir.parents[:2]]
    assert [0o700] * 3 == [folder.stat().st_mode & 0o777 for folder in above]


def test_nothing_is_left() -> None:
    """After a platform was stopped its thread, its folder and its runs are gone."""
    threads = set(threading.enumerate())
    with Platform(grace=1) as platform:
        caller = Caller(platform)
        name = caller.create("echo $$; sleep 600")
        caller.wait_for_log(name, b"\n")
        pid = int(caller.logs(name))
        caller.close()
    assert set(threading.enumerate()) == threads
    assert not platform.data_dir.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_runs_of_a_temporary_platform_end_with_its_process() -> None:
    """When the process of a temporary platform is killed its runs are stopped: nobody could find them again."""
    program = """if True:
        import os, signal
        from mcli.platform import Platform
        from tests.platform.caller import Caller
        platform = Platform()
        platform.start()
        caller = Caller(platform)
        name = caller.create("echo $PPID; sleep 600")
        caller.wait_for_log(name, b"\\n")
        print(platform.data_dir, int(caller.logs(name)), flush=True)
        input()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        data_dir, pid = process.stdout.readline().split()
        supervisor = os.pidfd_open(int(pid))
        process.communicate("\n")
    assert [supervisor] == select.select([supervisor], [], [], 20)[0]
    os.close(supervisor)
    command = json.loads(next(Path(data_dir).rglob(PROCESS)).read_text())["command"][0]
    assert not Path(f"/proc/{command}").exists()
    shutil.rmtree(data_dir)


def test_stop_twice() -> None:
    """Stopping a platform that does not run does nothing."""
    platform = Platform()
    platform.stop()
    with platform:
        platform.stop()


def test_start_again() -> None:
    """A platform that was stopped can be started again."""
    platform = Platform()
    for _ in range(2):
        with platform:
            answer = httpx.post(platform.endpoint, json=ME, headers={"Authorization": platform.api_key})
            assert 200 == answer.status_code


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is an `OSError`, and leaves nothing."""
    with Platform() as platform:
        port = int(platform.endpoint.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            Platform(tmp_path, port=port).start()
    assert find(tmp_path) is None


def test_key_is_not_shown() -> None:
    """The key is not in the representation of a platform."""
    with Platform() as platform:
        assert platform.api_key not in repr(platform)


def test_start_returns_the_one_that_runs(data_dir: Path) -> None:
    """`start` starts a platform in the background, or finds the one that runs."""
    first, second = (call("start", data_dir) for _ in range(2))
    assert (0, first.stdout) == (second.returncode, second.stdout)
    announcement = json.loads(first.stdout)
    key = Path(announcement["api_key_file"]).read_text()
    answer = httpx.post(announcement["endpoint"], json=ME, headers={"Authorization": key})
    assert 200 == answer.status_code


def test_concurrent_starts_agree(data_dir: Path) -> None:
    """Of several `start` at once one starts a platform, and all give it."""
    line = [sys.executable, "-m", "mcli.platform", "start", "--data-dir", str(data_dir)]
    starts = [subprocess.Popen(line, stdout=subprocess.PIPE) for _ in range(3)]
    assert 1 == len({start.communicate()[0] for start in starts})


def test_status_and_stop(data_dir: Path) -> None:
    """`status` tells whether a platform runs, by its exit status too, and `stop` ends it."""
    assert 3 == call("status", data_dir).returncode
    announcement = json.loads(call("start", data_dir).stdout)
    status = call("status", data_dir)
    assert (0, announcement["pid"]) == (status.returncode, json.loads(status.stdout)["pid"])
    assert 0 == call("stop", data_dir).returncode
    assert 3 == call("status", data_dir).returncode


def test_idle_platform_stops_by_itself(data_dir: Path) -> None:
    """A platform that nobody uses ends by itself."""
    line = [
        sys.executable,
        "-m",
        "mcli.platform",
        "serve",
        "--data-dir",
        str(data_dir),
        "--idle-timeout",
        "0.1",
    ]
    assert 0 == subprocess.run(line, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=False).returncode


def test_logs_command(data_dir: Path) -> None:
    """`logs` prints the log of a run, and names the run that does not exist."""
    announcement = json.loads(call("start", data_dir).stdout)
    with Platform(data_dir.parent / "other") as platform:
        caller = Caller(platform, Path(announcement["api_key_file"]).read_text())
        caller.endpoint = announcement["endpoint"]
        name = caller.create("echo hello")
        assert "hello\n" == call("logs", data_dir, name, "--follow").stdout
        caller.close()
    assert "'nobody'" in call("logs", data_dir, "nobody").stderr


def test_second_server_names_the_first(data_dir: Path) -> None:
    """`serve` on a folder that is served says by which process."""
    pid = json.loads(call("start", data_dir).stdout)["pid"]
    assert f"process {pid}" in call("serve", data_dir).stderr


def test_platform_of_a_package_is_lazy() -> None:
    """Importing the package loads no server."""
    line = "import sys, mcli.platform; print(any(name in sys.modules for name in ('uvicorn', 'graphql')))"
    assert (
        "False\n"
        == subprocess.run(
            [sys.executable, "-c", line], capture_output=True, text=True, check=True, env=os.environ
        ).stdout
    )
