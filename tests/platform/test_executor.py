"""What every executor must do; `executors` lists those that do it."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcli.platform.execution import supervisor
from mcli.platform.execution.executor import Executor, Exit, LocalExecutor, Rank, RunningRank
from mcli.platform.execution.supervisor import EXIT, PROCESS, identity

executors = pytest.mark.parametrize("executor", [LocalExecutor()], ids=["local"])


def rank(folder: Path, command: str, *, grace: float = 1.0) -> Rank:
    folder.mkdir(exist_ok=True)
    return Rank(
        folder=str(folder),
        argv=["/bin/bash", "-c", command],
        environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
        working_folder=str(folder),
        log=str(folder / "log.txt"),
        grace=grace,
    )


async def ends(ranks: Sequence[RunningRank]) -> list[Exit]:
    try:
        return list(await asyncio.gather(*(each.wait() for each in ranks)))
    finally:
        for each in ranks:
            each.close()


def run(executor: Executor, *ranks: Rank) -> list[Exit]:
    """Start ranks and wait for their ends."""

    async def main() -> list[Exit]:
        return await ends(await executor.start(ranks))

    return asyncio.run(main())


def stop(executor: Executor, one: Rank) -> Exit:
    """Start a rank that writes to the pipe `up` in its folder, and stop it then."""
    os.mkfifo(Path(one.folder, "up"))

    async def main() -> Exit:
        (running,) = await executor.start([one])
        await asyncio.to_thread(Path(one.folder, "up").read_text)
        running.stop()
        (end,) = await ends([running])
        return end

    return asyncio.run(main())


@executors
def test_exit_status(executor: Executor, tmp_path: Path) -> None:
    """The exit status of the command comes back."""
    (end,) = run(executor, rank(tmp_path, "exit 7"))
    assert (7, None, False, False) == (end.code, end.signal, end.stopped, end.lost)


@executors
def test_signal(executor: Executor, tmp_path: Path) -> None:
    """A signal that nobody of ours has sent is told, and is the platform's fault."""
    (end,) = run(executor, rank(tmp_path, "kill -KILL $$"))
    assert (137, signal.SIGKILL, True) == (end.code, end.signal, end.is_platforms_fault)


@executors
def test_output_and_errors_are_logged(executor: Executor, tmp_path: Path) -> None:
    """Both outputs go to the log in order; there is nothing to read on standard input."""
    run(executor, rank(tmp_path, "echo $GREETING; cat >&2; echo end >&2"))
    assert "hello\nend\n" == (tmp_path / "log.txt").read_text()


@executors
def test_environment_is_the_given_one(executor: Executor, tmp_path: Path) -> None:
    """A rank sees no variable that it was not given."""
    run(executor, rank(tmp_path, "env -u _ -u SHLVL -u PWD | sort"))
    assert f"GREETING=hello\nPATH={os.environ['PATH']}\n" == (tmp_path / "log.txt").read_text()


@executors
def test_stop_is_sigterm(executor: Executor, tmp_path: Path) -> None:
    """A rank that is stopped gets SIGTERM and may end in its own way."""
    end = stop(executor, rank(tmp_path, "trap 'exit 3' TERM; echo > up; while :; do sleep 0.02; done"))
    assert (3, True, False) == (end.code, end.stopped, end.is_platforms_fault)


@executors
def test_whole_group_gets_sigterm(executor: Executor, tmp_path: Path) -> None:
    """What the command has started gets SIGTERM too, and its grace, when the command itself ends at once."""
    child = "(trap 'sleep 0.3; echo saved; exit' TERM; echo > up; while :; do sleep 0.02; done) & wait"
    stop(executor, rank(tmp_path, child, grace=20))
    assert (tmp_path / "log.txt").read_text().endswith("saved\n")


@executors
def test_kill_after_the_grace(executor: Executor, tmp_path: Path) -> None:
    """What ignores SIGTERM is killed after the grace."""
    end = stop(executor, rank(tmp_path, "trap '' TERM; echo > up; while :; do sleep 0.02; done", grace=0.1))
    assert signal.SIGKILL == end.signal


@executors
def test_all_or_none_start(executor: Executor, tmp_path: Path) -> None:
    """When one rank cannot be started no other has done anything."""
    broken = Rank(**{**vars(rank(tmp_path / "b", "true")), "working_folder": "/nothing/here"})
    with pytest.raises(OSError, match="could not be started"):
        run(executor, rank(tmp_path / "a", "echo started"), broken)
    assert not (tmp_path / "a" / "log.txt").read_bytes()


@executors
def test_command_that_cannot_be_executed(executor: Executor, tmp_path: Path) -> None:
    """A program that is not there is exit status 127 with a line in the log."""
    (end,) = run(executor, Rank(**{**vars(rank(tmp_path, "")), "argv": ["/nothing/here"]}))
    assert 127 == end.code
    assert "/nothing/here" in (tmp_path / "log.txt").read_text()


@executors
def test_rank_is_found_again(executor: Executor, tmp_path: Path) -> None:
    """By its folder a rank is found, while it runs and after its end; others are not."""

    async def main() -> tuple[list[Exit], list[Exit]]:
        (first,) = await executor.start([rank(tmp_path / "a", "sleep 0.1; exit 4")])
        first.close()
        again = [found for found in [executor.find(tmp_path / "a")] if found]
        ended = await ends(again)
        return ended, await ends([found for found in [executor.find(tmp_path / "a")] if found])

    (tmp_path / "a").mkdir()
    assert [[4], [4]] == [[end.code for end in each] for each in asyncio.run(main())]
    assert executor.find(tmp_path / "b") is None


def start_by_hand(folder: Path) -> "subprocess.Popen[bytes]":
    """Start a supervisor that waits for `go`."""
    line = [sys.executable, "-I", "-S", supervisor.__file__]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(vars(rank(folder, "echo started"))).encode() + b"\n")
    process.stdin.flush()
    assert b"ready\n" == process.stdout.readline()
    return process


def test_death_of_the_server_before_the_start(tmp_path: Path) -> None:
    """A supervisor whose server dies before `go` starts nothing, and that is known afterwards."""
    process = start_by_hand(tmp_path)
    process.communicate()
    found = LocalExecutor().find(tmp_path)
    assert found is not None
    (end,) = asyncio.run(ends([found]))
    assert (False, True) == (end.started, end.lost)
    assert not (tmp_path / EXIT).exists()


def test_death_of_the_supervisor_during_the_start(tmp_path: Path) -> None:
    """A supervisor that dies before it has written down who its command is leaves no command behind."""
    process = start_by_hand(tmp_path)
    os.mkfifo(tmp_path / "process.new")  # its draft of the note: to write there it must wait for us
    assert process.stdin
    process.stdin.write(b"go\n")
    process.stdin.flush()
    with (tmp_path / "process.new").open("rb"):
        command = children(process.pid)
        handles = [os.pidfd_open(pid) for pid in command]
        process.kill()
        process.communicate()
    for handle in handles:
        select.select([handle], [], [])
        os.close(handle)
    assert (1, b"") == (len(command), (tmp_path / "log.txt").read_bytes())
    assert LocalExecutor().find(tmp_path) is not None


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_another_process_with_the_same_number(tmp_path: Path) -> None:
    """A process that merely has the number of a supervisor is left alone."""
    stranger = {"supervisor": [os.getpid(), "another start"], "command": None}
    (tmp_path / PROCESS).write_text(json.dumps(stranger))
    found = LocalExecutor().find(tmp_path)
    assert found is not None
    found.stop()
    (end,) = asyncio.run(ends([found]))
    assert end.lost


def test_identity_tells_processes_apart() -> None:
    """The identity of a process stays the same, differs from others', and ends with the process."""
    other = subprocess.Popen(["sleep", "600"])
    mine, theirs = identity(os.getpid()), identity(other.pid)
    other.kill()
    other.wait()
    assert mine == identity(os.getpid())
    assert mine != theirs
    assert identity(other.pid) is None
