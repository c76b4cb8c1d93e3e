"""What every engine must do."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from mcli.platform.execution.engine import Engine, Exit, Job, Phase, Sight
from tests.platform.engines.stage import Stage, ends, log_of, says, to_end, until

ENDLESS = "echo up; while :; do sleep 0.05; done"


def test_exit_status(stage: Stage) -> None:
    """The exit status of the command comes back."""
    (end,) = stage.run(stage.job("exit 7"))
    assert (7, None, False, False) == (end.code, end.signal, end.stopped, end.lost)


def test_signal(stage: Stage) -> None:
    """A signal that nobody of ours has sent is told, and is the platform's fault."""
    (end,) = stage.run(stage.job("kill -KILL $$"))
    assert (137, signal.SIGKILL, True) == (end.code, end.signal, end.is_platforms_fault)


def test_output_and_errors_are_logged(stage: Stage) -> None:
    """Both outputs go to the log in order; there is nothing to read on standard input."""
    stage.run(job := stage.job("echo $GREETING; cat >&2; echo end >&2"))
    assert "hello\nend\n" == log_of(job)


def test_environment_is_the_given_one(stage: Stage) -> None:
    """A rank sees what it was given, and where its job meets."""
    stage.run(
        job := stage.job(
            "env | cut -d= -f1 | grep -vx -e _ -e SHLVL -e PWD -e MCLI_RANK_FOLDER | sort | xargs"
        )
    )
    assert "CUDA_DEVICE_ORDER CUDA_VISIBLE_DEVICES GREETING MASTER_ADDR MASTER_PORT PATH\n" == log_of(job)


def test_what_a_rank_has_of_its_own_wins(stage: Stage) -> None:
    """The engine sets no variable that the rank has already."""
    job = stage.job("echo $MASTER_PORT")
    order = job.order()
    assert order
    (rank,) = order.ranks
    job.write(replace(order, ranks=(replace(rank, environment={**rank.environment, "MASTER_PORT": "mine"}),)))
    stage.run(job)
    assert "mine\n" == log_of(job)


def test_a_gang_has_one_place_to_meet(stage: Stage) -> None:
    """All ranks of a job are told the same address and port."""
    stage.run(job := stage.job(*["echo $MASTER_ADDR:$MASTER_PORT"] * 2))
    assert log_of(job, 0) == log_of(job, 1)
    assert log_of(job).strip().rpartition(":")[2].isdecimal()


def test_stop_is_sigterm(stage: Stage) -> None:
    """A rank that is stopped gets SIGTERM and may end in its own way."""
    end = stopped(stage, stage.job(f"trap 'exit 3' TERM; {ENDLESS}", grace=30))
    assert (3, True, False) == (end.code, end.stopped, end.is_platforms_fault)


def test_the_whole_group_gets_sigterm(stage: Stage) -> None:
    """What the command has started gets SIGTERM too, and its grace, when the command itself ends at once."""
    child = f"(trap 'sleep 0.3; echo saved; exit' TERM; {ENDLESS}) & wait"
    stopped(stage, job := stage.job(child, grace=30))
    assert log_of(job).endswith("saved\n")


def test_kill_after_the_grace(stage: Stage) -> None:
    """What ignores SIGTERM is killed after the grace."""
    end = stopped(stage, stage.job(f"trap '' TERM; {ENDLESS}", grace=0.1))
    assert (signal.SIGKILL, True) == (end.signal, end.stopped)


def stopped(stage: Stage, job: Job) -> Exit:
    """Play a job until it is up, stop it, and give its end."""

    async def act(engine: Engine) -> Sight:
        await engine.submit(job)
        await says(job, "up\n")
        await engine.stop(job)
        await engine.stop(job)
        return await to_end(engine, job)

    (sight,) = stage.play(act)
    (end,) = ends(sight)
    return end


def test_all_or_none_start(stage: Stage) -> None:
    """When one rank cannot be started no other has done anything."""
    job = stage.job("echo started", "true")
    order = job.order()
    assert order
    broken = replace(order.ranks[1], working_folder="/nothing/here")
    job.write(replace(order, ranks=(order.ranks[0], broken)))

    async def act(engine: Engine) -> Sight | OSError:
        try:
            await engine.submit(job)
        except OSError as error:
            return error
        return await to_end(engine, job)

    (result,) = stage.play(act)
    if isinstance(result, Sight):
        assert [False, False] == [end.started for end in ends(result)]
    else:
        assert "/nothing/here" in str(result)
    assert "" == log_of(job)


def test_a_command_that_cannot_be_executed(stage: Stage) -> None:
    """A program that is not there is exit status 127 with a line in the log."""
    job = stage.job("")
    order = job.order()
    assert order
    job.write(replace(order, ranks=(replace(order.ranks[0], argv=["/nothing/here"]),)))
    (end,) = stage.run(job)
    assert 127 == end.code
    assert "/nothing/here" in log_of(job)


def test_phases(stage: Stage) -> None:
    """A job is launched, runs once every rank's command does, and ends when the last rank has."""
    job = stage.job("echo up; read < go", "echo up; exit 4")
    os.mkfifo(job.ranks[0] / "go")

    async def act(engine: Engine) -> list[Phase]:
        await engine.submit(job)
        await until(engine, job, Phase.RUNNING)
        phases: list[Phase] = []
        async for sight in engine.watch(job):
            if sight.ends == (None, sight.ends[1]) and sight.ends[1]:
                await asyncio.to_thread((job.ranks[0] / "go").write_text, "\n")
            if not phases or phases[-1] != sight.phase:
                phases.append(sight.phase)
        return [phase for phase in phases if phase in {Phase.RUNNING, Phase.ENDED}]

    assert [[Phase.RUNNING, Phase.ENDED]] == stage.play(act)


def test_a_slow_reader_misses_nothing(stage: Stage) -> None:
    """What becomes true while the reader is busy with an earlier sight is told by the next one."""
    job = stage.job("echo up; sleep 60")

    async def act(engine: Engine) -> list[Phase]:
        await engine.submit(job)
        seen = []
        async for sight in engine.watch(job):
            seen.append(sight.phase)
            await says(job, "up\n")
            await asyncio.sleep(0.3)  # until the engine has noticed
            if sight.phase is Phase.RUNNING:
                await engine.stop(job)
        return seen[-2:]

    assert [[Phase.RUNNING, Phase.ENDED]] == stage.play(act)


def test_a_job_is_found_again(stage: Stage) -> None:
    """Another server sees the job while it runs and after its end."""
    job = stage.job("echo up; read < go; exit 4")
    os.mkfifo(job.ranks[0] / "go")

    async def first(engine: Engine) -> None:
        await engine.submit(job)
        await says(job, "up\n")

    async def second(engine: Engine) -> Sight:
        await until(engine, job, Phase.RUNNING)
        await asyncio.to_thread((job.ranks[0] / "go").write_text, "\n")
        return await to_end(engine, job)

    _, *later = stage.play(first, second, lambda engine: to_end(engine, job))
    assert [4, 4] == [ends(sight)[0].code for sight in later]


def test_once_however_often_it_is_submitted(stage: Stage) -> None:
    """A job that is submitted again, at once and later and after its end, runs once."""
    job = stage.job("echo up; sleep 0.5")

    async def submit(engine: Engine) -> None:
        await asyncio.gather(*(engine.submit(job) for _ in range(3)))
        await says(job, "up\n")

    async def again(engine: Engine) -> Sight:
        await engine.submit(job)
        sight = await to_end(engine, job)
        await engine.submit(job)
        return sight

    stage.play(submit, again)
    assert "up\n" == log_of(job)


def test_a_job_that_was_not_submitted_ends_unstarted(stage: Stage) -> None:
    """A server that died before it submitted has started nothing, and that is known."""
    job = stage.job("echo up", "echo up")
    job.discard_order()
    (sight,) = stage.play(lambda engine: to_end(engine, job))
    assert [(False, True)] * 2 == [(end.started, end.lost) for end in ends(sight)]


def test_a_job_without_an_order_is_not_started(stage: Stage) -> None:
    """A job of which nobody has written what it is to do cannot be submitted."""
    job = stage.job("echo up")
    job.discard_order()
    with pytest.raises(OSError, match="does not say"):
        stage.play(lambda engine: engine.submit(job))


def test_forgetting_removes_what_the_ranks_were_given(stage: Stage) -> None:
    """After the end nothing of the environment is left in the job's files."""
    stage.run(job := stage.job("true"))
    stage.play(lambda engine: engine.forget(job))
    held = [path for path in job.folder.rglob("*") if path.is_file() and b"GREETING" in path.read_bytes()]
    assert [] == held


def test_a_process_in_a_session_of_its_own_has_its_grace(stage: Stage) -> None:
    """What left the command's process group gets SIGTERM and its time as well."""
    trainer = f"setsid bash -c \"trap 'sleep 0.3; echo saved; exit' TERM; {ENDLESS}\" & wait"
    stopped(stage, job := stage.job(trainer, grace=30))
    assert log_of(job).endswith("saved\n")


def test_a_killed_command_of_bash_is_the_platforms_fault(stage: Stage) -> None:
    """bash says 137 when something killed what it had started: that was not the command's own failure."""
    (end,) = stage.run(stage.job("set -e; bash -c 'kill -KILL $$'; echo not reached"))
    assert (137, True) == (end.code, end.is_platforms_fault)


def test_a_log_is_kept_within_its_size(stage: Stage) -> None:
    """What a log has over its limit is dropped, and that is told there and at the end."""
    job = stage.job("for i in $(seq 1000); do echo 0123456789; done")
    order = job.order()
    assert order
    job.write(replace(order, ranks=(replace(order.ranks[0], log_limit=1100),)))
    (end,) = stage.run(job)
    assert (True, "0123456789\n" * 100) == (end.log_cut, log_of(job).partition("\n[mcli]")[0])
