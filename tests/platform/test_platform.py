"""The platform as an object, and from the command line."""

import json
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mcli.platform import Platform
from mcli.platform.execution.processes import free_port
from mcli.platform.execution.supervisor import PROCESS
from mcli.platform.presence import find
from tests.platform.caller import Caller

ME = {"query": "{ getUsers(getUsersData: {}) { email } }"}


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


@pytest.mark.parametrize(
    "use", [lambda it: it.add_user("ann", "ann@example.com"), lambda it: it.idle_seconds()]
)
def test_use_before_the_start(use: Callable[[Platform], object]) -> None:
    """What needs a platform that runs says so before the start and after the stop."""
    platform = Platform()
    with pytest.raises(RuntimeError, match="start it first"):
        use(platform)
    with platform:
        pass
    with pytest.raises(RuntimeError, match="start it first"):
        use(platform)


def test_relative_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder may be relative: runs find their files, and the key file is named in full."""
    monkeypatch.chdir(tmp_path)
    with Platform("here") as platform:
        caller = Caller(platform)
        run = caller.finish("cat $PARAMETERS $MOSAICML_ACCESS_TOKEN_FILE", parameters={"a": 1})
        caller.close()
        assert "COMPLETED" == run["status"]
        assert tmp_path / "here" / "api_key" == platform.key_file


@pytest.mark.parametrize("port", [0, 1])
def test_runs_reach_a_server_that_was_started_again(tmp_path: Path, port: int) -> None:
    """A run that outlives its server reaches the next one where the first was, whatever port that was given."""
    command = "while [ ! -e go ]; do sleep 0.02; done; curl -sS -o /dev/null $MOSAICML_API_ENDPOINT"
    platform = Platform(tmp_path)
    with platform:
        caller = Caller(platform)
        name = caller.create(command)
        caller.wait(name, "RUNNING")
        caller.close()
        platform.stop(runs=False)
    with Platform(tmp_path, port=port and free_port()) as platform:
        caller = Caller(platform)
        next((tmp_path / "runs").glob("*/0/0/work")).joinpath("go").touch()
        assert "COMPLETED" in caller.statuses(name)
        caller.close()
    assert port == len((tmp_path / "port").read_text().split()) - 1


def test_key_is_not_shown() -> None:
    """The key is not in the representation of a platform."""
    with Platform() as platform:
        assert platform.api_key not in repr(platform)


def test_platform_of_a_package_is_lazy() -> None:
    """Importing the package loads no server."""
    line = "import sys, mcli.platform; print(any(name in sys.modules for name in ('uvicorn', 'graphql')))"
    assert (
        "False\n"
        == subprocess.run(
            [sys.executable, "-c", line], capture_output=True, text=True, check=True, env=os.environ
        ).stdout
    )
