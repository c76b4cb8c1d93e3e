"""Ranks as processes of this machine: what their supervisors leave behind, whoever dies when."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mcli.platform.execution import supervisor
from mcli.platform.execution.engine import Engine, Exit, Job, Phase, Rank, Sight
from mcli.platform.execution.processes import ProcessEngine
from mcli.platform.execution.supervisor import EXIT, MARK, PROCESS, identity
from tests.platform.engines.stage import Stage, ends, log_of, says, to_end, until


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, ProcessEngine)


def ranks(job: Job) -> tuple[Rank, ...]:
    order = job.order()
    assert order
    return order.ranks


def start_by_hand(job: Job, number: int = 0) -> subprocess.Popen[bytes]:
    """Start a supervisor of a rank, and wait for what it says."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    process.stdin.write(json.dumps(asdict(ranks(job)[number])).encode() + b"\n")
    process.stdin.flush()
    return process


def answer(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.readline()


def let_go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"go\n")
    process.stdin.flush()


def end_of(stage: Stage, job: Job) -> list[Exit]:
    (sight,) = stage.play(lambda engine: to_end(engine, job))
    return ends(sight)


def test_death_of_the_server_before_the_start(stage: Stage) -> None:
    """A supervisor whose server dies before `go` starts nothing, and that is known afterwards."""
    process = start_by_hand(job := stage.job("echo started"))
    assert b"ready\n" == answer(process)
    process.communicate()
    (end,) = end_of(stage, job)
    assert (False, True) == (end.started, end.lost)
    assert not (job.ranks[0] / EXIT).exists()


def test_a_job_is_started_by_the_next_server(stage: Stage) -> None:
    """Whoever was not started when the server died is started by the next one."""
    process = start_by_hand(job := stage.job("echo started"))
    assert b"ready\n" == answer(process)
    process.communicate()
    assert [0] == [end.code for end in stage.run(job)]
    assert "started\n" == log_of(job)


def test_the_rest_of_a_gang_is_started_by_the_next_server(stage: Stage) -> None:
    """A server that died between two ranks of a gang leaves one running; the next starts the other, at its port."""
    job = stage.job("echo alone; while [ ! -e go ]; do sleep 0.02; done", "echo $MASTER_PORT; touch ../0/go")
    (job.folder / "port").write_text("4711")
    process = start_by_hand(job)
    assert b"ready\n" == answer(process)
    let_go(process)
    assert [0, 0] == [end.code for end in stage.run(job)]
    process.communicate()
    assert ("alone\n", "4711\n") == (log_of(job), log_of(job, 1))


def test_a_folder_has_one_supervisor(stage: Stage) -> None:
    """A second supervisor of a rank leaves, while the first one lives and when it has started its command."""
    job = stage.job("sleep 0.1")
    first, second = start_by_hand(job), None
    assert b"ready\n" == answer(first)
    second = start_by_hand(job)
    assert b"taken\n" == answer(second)
    let_go(first)
    first.communicate()
    third = start_by_hand(job)
    assert b"taken\n" == answer(third)
    for process in (second, third):
        process.communicate()


def test_a_supervisor_says_why_it_cannot_start(stage: Stage) -> None:
    """What keeps a supervisor from starting its command is told to whoever wanted it."""
    job = stage.job("true")
    order = job.order()
    assert order
    job.write(replace(order, ranks=(replace(order.ranks[0], log="/nothing/here"),)))
    with pytest.raises(OSError, match=r"could not be started: .*No such file.*'/nothing/here'"):
        stage.play(lambda engine: engine.submit(job))


def test_death_of_the_supervisor_during_the_start(stage: Stage) -> None:
    """A supervisor that dies before it has written down who its command is leaves no command behind."""
    process = start_by_hand(job := stage.job("echo started"))
    assert b"ready\n" == answer(process)
    os.mkfifo(job.ranks[0] / "process.new")  # its draft of the note: to write there it must wait for us
    let_go(process)
    with (job.ranks[0] / "process.new").open("rb"):
        command = children(process.pid)
        handles = [os.pidfd_open(pid) for pid in command]
        process.kill()
        process.communicate()
    for handle in handles:
        select.select([handle], [], [], 60)
        os.close(handle)
    assert (1, "") == (len(command), log_of(job))
    assert not end_of(stage, job)[0].started


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"supervisor": 7, "command": null}', "null"])
def test_an_unreadable_note_is_a_lost_rank(stage: Stage, content: str) -> None:
    """A rank whose note cannot be read is lost, and is not started a second time."""
    job = stage.job("echo started")
    (job.ranks[0] / PROCESS).write_text(content)
    (end,) = stage.run(job)
    assert (True, True) == (end.lost, end.started)
    assert not (job.ranks[0] / "log.txt").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"code": 0, "unknown": 1}', "null"])
def test_an_unreadable_end_is_a_lost_rank(stage: Stage, content: str) -> None:
    """A rank whose end cannot be read is lost, and says so."""
    stage.run(job := stage.job("true"))
    (job.ranks[0] / EXIT).write_text(content)
    (end,) = end_of(stage, job)
    assert (True, True) == (end.lost, end.started)
    assert "cannot be read" in (end.problem or "")


def test_the_rest_of_a_killed_supervisor_is_ended(stage: Stage) -> None:
    """When its supervisor is killed a rank is lost, and all that it had started ends, in sessions of its own too."""
    job = stage.job("setsid sleep 600 & setsid bash -c 'sleep 600; true' & echo $PPID; sleep 600")

    async def act(engine: Engine) -> Sight:
        await engine.submit(job)
        await says(job, "\n")
        while len(processes_of(job)) < 4:  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.02)
        os.kill(int(log_of(job)), signal.SIGKILL)
        return await to_end(engine, job)

    (sight,) = stage.play(act)
    assert (True, []) == (ends(sight)[0].lost, processes_of(job))


def processes_of(job: Job) -> list[str]:
    """Return the processes that were given the mark of the job's first rank."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={job.ranks[0]}".encode() in (each / "environ").read_bytes():
                found.append(each.name)
    return found


def test_a_full_disk_delays_the_end_and_no_more(stage: Stage) -> None:
    """An end that cannot be written is written as soon as it can be, with the status that the command had."""
    job = stage.job("echo up; while [ ! -e go ]; do sleep 0.02; done; exit 5")
    (job.ranks[0] / "exit.new").mkdir()  # its draft cannot be opened, as little as on a full disk

    async def act(engine: Engine) -> Sight:
        await engine.submit(job)
        await says(job, "up\n")
        (job.ranks[0] / "go").touch()
        while processes_of(job):  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.02)
        assert Phase.RUNNING == (await until(engine, job, Phase.RUNNING, Phase.ENDED)).phase
        (job.ranks[0] / "exit.new").rmdir()
        return await to_end(engine, job)

    (sight,) = stage.play(act)
    assert [5] == [end.code for end in ends(sight)]


def test_a_rank_that_cannot_be_noted_waits_and_can_be_stopped(stage: Stage) -> None:
    """A command that nobody could know of does not start; a stop ends the waiting."""
    process = start_by_hand(job := stage.job("echo started"))
    assert b"ready\n" == answer(process)
    (job.ranks[0] / "process.new").mkdir()
    let_go(process)
    while not children(process.pid):
        time.sleep(0.01)
    process.terminate()
    process.communicate()
    (end,) = end_of(stage, job)
    assert (False, True, "") == (end.started, end.stopped, log_of(job))


def test_another_process_with_the_same_number(stage: Stage) -> None:
    """A process that merely has the number of a supervisor is left alone."""
    job = stage.job("true")
    stranger = {"supervisor": [os.getpid(), "another start"], "command": None}
    (job.ranks[0] / PROCESS).write_text(json.dumps(stranger))
    stage.play(lambda engine: engine.stop(job))
    assert end_of(stage, job)[0].lost


def test_a_bound_job_ends_with_its_engine(stage: Stage) -> None:
    """The ranks of a bound job are stopped when the engine that started them lets go."""
    job = stage.job("echo up; sleep 60")
    order = job.order()
    assert order
    job.write(replace(order, ranks=(replace(order.ranks[0], bound=True),)))

    async def start(engine: Engine) -> None:
        await engine.submit(job)
        await says(job, "up\n")

    stage.play(start)
    (end,) = end_of(stage, job)
    assert (True, 143) == (end.stopped, end.code)


def test_a_job_of_many_ranks_waits_for_its_last(stage: Stage) -> None:
    """A job is running only when the last of its ranks has been started."""
    job = stage.job("sleep 60", "sleep 60")
    process = start_by_hand(job)
    assert b"ready\n" == answer(process)
    let_go(process)

    async def act(engine: Engine) -> list[Phase]:
        launching = await until(engine, job, Phase.LAUNCHING, Phase.RUNNING)
        await engine.submit(job)
        running = await until(engine, job, Phase.RUNNING)
        await engine.stop(job)
        await to_end(engine, job)
        return [launching.phase, running.phase]

    assert [[Phase.LAUNCHING, Phase.RUNNING]] == stage.play(act)
    process.communicate()


def test_identity_tells_processes_apart() -> None:
    """The identity of a process stays the same, differs from others', and ends with the process."""
    other = subprocess.Popen(["sleep", "600"])
    mine, theirs = identity(os.getpid()), identity(other.pid)
    other.kill()
    other.wait()
    assert mine == identity(os.getpid())
    assert mine != theirs
    assert identity(other.pid) is None


def test_no_engine_leaves_anything_open(stage: Stage) -> None:
    """After jobs have been played no file of theirs is open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        stage.run(stage.job("true", "false"))
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_an_engine_may_be_closed_twice() -> None:
    """Closing is idempotent, and an engine without jobs can be closed."""
    engine = ProcessEngine()
    for _ in range(2):
        asyncio.run(engine.close())
