"""Runs outlive the server, however it ends."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcli.platform import Platform
from mcli.platform.execution import controller
from mcli.platform.execution.controller import Controller
from mcli.platform.execution.supervisor import PROCESS
from mcli.platform.presence import AlreadyServedError, find
from mcli.platform.scheduling import scheduler
from mcli.platform.scheduling.cluster import Cluster
from mcli.platform.scheduling.scheduler import Placed, Plan, Waiting
from tests.platform.caller import CREATE, PATIENCE, Caller

WAIT_FOR_GO = "echo up; while [ ! -e $GO ]; do sleep 0.02; done; echo down"


@contextmanager
def served(data_dir: Path) -> Iterator[Caller]:
    """Serve a folder in this process; runs go on when it ends."""
    platform = Platform(data_dir, grace=1)
    platform.start()
    caller = Caller(platform)
    try:
        yield caller
    finally:
        caller.close()
        platform.stop(runs=False)


@contextmanager
def server(data_dir: Path, *arguments: str) -> Iterator[tuple[Caller, subprocess.Popen[bytes]]]:
    """Serve a folder in a process of its own."""
    command = [sys.executable, "-m", "mcli.platform", "serve", "--data-dir", str(data_dir), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            announcement = json.loads(process.stdout.readline())
            key = Path(announcement["api_key_file"]).read_text()
            platform: Any = SimpleNamespace(endpoint=announcement["endpoint"], api_key=key, data_dir=data_dir)
            caller = Caller(platform)
            yield caller, process
            caller.close()
        finally:
            process.kill()


def waiting_run(caller: Caller, go: Path, **run_input: Any) -> str:
    """Submit a run that goes on until the file is there."""
    name = caller.create(WAIT_FOR_GO, envVariables=[{"envKey": "GO", "envValue": str(go)}], **run_input)
    caller.wait_for_log(name, b"up\n")
    return name


def test_run_outlives_a_restart(tmp_path: Path) -> None:
    """A run goes on while no server is there, and the next one brings it to its end."""
    with served(tmp_path / "data") as caller:
        name = waiting_run(caller, tmp_path / "go")
    with served(tmp_path / "data") as caller:
        assert "RUNNING" == caller.run(name)["status"]
        (tmp_path / "go").touch()
        assert "COMPLETED" == caller.statuses(name)[-1]
        assert (b"up\ndown\n", 1) == (caller.logs(name), len(caller.run(name)["resumptions"]))


def test_end_while_no_server_is_there(tmp_path: Path) -> None:
    """How a run ended while no server was there is known to the next one."""
    with served(tmp_path / "data") as caller:
        name = waiting_run(caller, tmp_path / "go", scheduling={"maxRetries": 0})
        folder = tmp_path / "data" / "runs" / name / "0" / "0"
    supervisor = json.loads((folder / PROCESS).read_text())["supervisor"][0]
    (tmp_path / "go").touch()
    os.waitpid(supervisor, 0)
    with served(tmp_path / "data") as caller:
        assert "COMPLETED" == caller.statuses(name)[-1]


def test_run_outlives_a_killed_server(tmp_path: Path) -> None:
    """After `kill -9` of the server the next one finds its runs again, those with many nodes too."""
    arguments = ("--nodes", "2", "--gpus-per-node", "8")
    with server(tmp_path / "data", *arguments) as (caller, process):
        name = waiting_run(caller, tmp_path / "go", compute={"gpus": 16})
        process.send_signal(signal.SIGKILL)
        process.wait()
    with server(tmp_path / "data", *arguments) as (caller, process):
        assert "RUNNING" == caller.run(name)["status"]
        (tmp_path / "go").touch()
        assert "COMPLETED" == caller.statuses(name)[-1]
        assert b"up\ndown\n" == caller.logs(name, nodeRank=1)


def test_answers_outlive_a_killed_server(tmp_path: Path) -> None:
    """A mutation that is sent again after `kill -9` of the server still takes effect once."""
    run_input = {"runName": "once", "image": "i", "command": "true", "compute": {"gpus": 0}}
    variables = {"createRunData": {"runInput": run_input}}
    answers = []
    for _ in range(2):
        with server(tmp_path / "data") as (caller, _process):
            answers.append(caller.post(CREATE, variables, **{"Idempotency-Key": "key"}).json())
    assert answers[0] == answers[1]


def test_stop_after_a_restart(tmp_path: Path) -> None:
    """A run that was found again can be stopped."""
    with served(tmp_path / "data") as caller:
        name = waiting_run(caller, tmp_path / "go")
    with served(tmp_path / "data") as caller:
        caller.change("stopRuns", name)
        assert "STOPPED" == caller.statuses(name)[-1]


def test_waiting_runs_start_after_a_restart(tmp_path: Path) -> None:
    """A run that waits for nodes gets them from the next server."""
    with served(tmp_path / "data") as caller:
        holders = [waiting_run(caller, tmp_path / "go") for _ in range(16)]
        name = caller.create("true")
        caller.wait(name, "QUEUED")
    (tmp_path / "go").touch()
    with served(tmp_path / "data") as caller:
        assert "COMPLETED" == caller.statuses(name)[-1]
        assert {"COMPLETED"} == {caller.statuses(holder)[-1] for holder in holders}


def test_stop_during_a_scheduling_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that gets its nodes in the moment in which the platform is stopped is stopped as well."""
    planning, stopping = threading.Event(), threading.Event()

    def slow_plan(cluster: Cluster, waiting: Sequence[Waiting], placed: Sequence[Placed]) -> Plan:
        if waiting:
            planning.set()
            assert stopping.wait(PATIENCE)
        return scheduler.plan(cluster, waiting, placed)

    async def close(self: Controller, *, stop_runs: bool) -> None:
        asyncio.get_running_loop().call_soon(stopping.set)
        await end(self, stop_runs=stop_runs)

    end = Controller.close
    monkeypatch.setattr(controller, "plan", slow_plan)
    monkeypatch.setattr(Controller, "close", close)
    platform = Platform(tmp_path / "data", grace=1)
    with platform:
        caller = Caller(platform)
        caller.create("sleep 60")
        assert planning.wait(PATIENCE)
        caller.close()
    with closing(sqlite3.connect(platform.data_dir / "platform.sqlite3")) as db:
        assert [("STOPPED",)] == db.execute("SELECT status FROM runs").fetchall()


@pytest.mark.parametrize("who", ["command", "supervisor"])
def test_lost_rank_is_the_systems_failure(tmp_path: Path, who: str) -> None:
    """A rank that is killed, or whose supervisor is, counts as lost, leaves nothing, and can be retried."""
    with served(tmp_path / "data") as caller:
        command = "echo $PPID $$; if [ $RESUMPTION_INDEX = 0 ]; then while :; do sleep 0.05; done; fi"
        name = caller.create(command, scheduling={"retryOnSystemFailure": True})
        caller.wait_for_log(name, b"\n")
        supervisor, leader = map(int, caller.logs(name).split())
        os.kill(supervisor if who == "supervisor" else leader, signal.SIGKILL)
        assert "COMPLETED" == caller.statuses(name)[-1]
        assert ["FAILED", "COMPLETED"] == [each["status"] for each in caller.run(name)["resumptions"]]
        assert not is_running(leader)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_one_server_for_each_folder(tmp_path: Path) -> None:
    """A second server of a folder is refused, and told who the first one is."""
    with served(tmp_path), pytest.raises(AlreadyServedError, match=f"process {os.getpid()}"):
        Platform(tmp_path).start()


def test_secret_files_are_private(tmp_path: Path) -> None:
    """Key and announcement have mode 0600, and the folder 0700."""
    with served(tmp_path / "data") as caller:
        files = [caller.platform.data_dir / name for name in ("api_key", "server.json", "lock")]
        assert [0o600] * 3 == [file.stat().st_mode & 0o777 for file in files]
        assert 0o700 == caller.platform.data_dir.stat().st_mode & 0o777


def test_key_is_kept(tmp_path: Path) -> None:
    """The next server of a folder has the same key, of 47 characters."""
    with served(tmp_path) as caller:
        key = caller.key
    with served(tmp_path) as caller:
        assert key == caller.key
    assert 47 == len(key)


@pytest.mark.parametrize("content", [None, ""])
def test_new_key(tmp_path: Path, content: str | None) -> None:
    """Who removes the key's file, or loses what was in it, gets another key, and the old one is worth nothing."""
    with served(tmp_path) as caller:
        old = caller.key
    (tmp_path / "api_key").unlink() if content is None else (tmp_path / "api_key").write_text(content)
    with served(tmp_path) as caller:
        assert old != caller.key == (tmp_path / "api_key").read_text()
        former = Caller(caller.platform, old)
        assert 401 == former.error("{ getUsers(getUsersData: {}) { email } }")[0]
        former.close()


def test_place_is_kept(tmp_path: Path) -> None:
    """The next server of a folder listens where the last one did, because runs that go on know no other place."""
    with served(tmp_path) as caller:
        endpoint = caller.endpoint
    with served(tmp_path) as caller:
        assert endpoint == caller.endpoint


def test_server_is_found_while_it_lives(tmp_path: Path) -> None:
    """The announcement is found while the server lives, and no longer."""
    with served(tmp_path) as caller:
        found = find(tmp_path)
        assert found is not None
        assert caller.endpoint == found["endpoint"]
    assert find(tmp_path) is None


def test_sigterm_ends_the_server_but_not_its_runs(tmp_path: Path) -> None:
    """After SIGTERM the server leaves with status 0, and the runs go on."""
    with server(tmp_path / "data") as (caller, process):
        name = waiting_run(caller, tmp_path / "go")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(20)
    (tmp_path / "go").touch()
    with served(tmp_path / "data") as caller:
        assert "COMPLETED" == caller.statuses(name)[-1]


def test_stop_runs(tmp_path: Path) -> None:
    """With `--stop-runs` the runs are stopped before the server leaves."""
    with server(tmp_path / "data", "--stop-runs", "--grace", "1") as (caller, process):
        name = waiting_run(caller, tmp_path / "go")
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(20)
    with served(tmp_path / "data") as caller:
        assert "STOPPED" == caller.run(name)["status"]


def test_servers_killed_in_a_row_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many servers are killed one after the other, each run is executed once and completes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where processes that are killed may leave things
    data = tmp_path / "data"
    with server(data) as (caller, process):
        names = [caller.create("echo once") for _ in range(24)]
        process.kill()
    for tenths in (0, 1, 2, 1, 0):
        with server(data) as (caller, process):
            with suppress(subprocess.TimeoutExpired):
                process.wait(tenths / 10)
            process.kill()
    with server(data) as (caller, process):
        ends = {name: caller.statuses(name)[-1] for name in names}
        assert dict.fromkeys(names, "COMPLETED") == ends
        assert dict.fromkeys(names, b"once\n") == {name: caller.logs(name) for name in names}
        assert {1} == {len(caller.run(name)["resumptions"]) for name in names}
