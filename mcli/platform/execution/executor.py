"""Where runs execute: the protocol, and processes on this machine.

A rank is the command of a run on one node. The ranks of a run start together or not at all, and outlive the
server: a later one finds them again by the folder that each keeps its files in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from mcli.platform.execution import supervisor
from mcli.platform.execution.supervisor import EXIT, PROCESS, identity

__all__ = ["GRACE", "Executor", "Exit", "LocalExecutor", "Rank", "RunningRank"]

GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL, unless somebody wants others."""
_POLL_SECONDS = 0.1  # where the system has no process handles
_KILL_SECONDS = 1.0  # that a killed process is waited for: another attempt would have to share with it
_SUPERVISOR_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class Rank:
    """One rank to start."""

    folder: str
    """Where the files about the rank are kept. One rank, one folder."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    working_folder: str
    log: str
    """File that standard output and error are appended to."""
    grace: float
    """Seconds between SIGTERM and SIGKILL when the rank is stopped."""
    bound: bool = False
    """Whether the rank is stopped when whoever started it lets go of it or dies."""


@dataclass(frozen=True)
class Exit:
    """How a rank ended."""

    code: int
    """Exit status of the command; 128 + signal when a signal ended it."""
    signal: int | None = None
    stopped: bool = False
    """Whether it was asked to stop before."""
    ended_at: float = 0.0
    """Unix seconds."""
    lost: bool = False
    """Whether nobody knows how it ended, because what watched over it died as well."""
    started: bool = True
    """Whether the command was started at all."""
    problem: str | None = None
    """What is known of why it was lost."""

    @property
    def is_platforms_fault(self) -> bool:
        """Whether the rank was lost, or was killed by a signal that no stop had sent."""
        return self.lost or (self.signal in _SENT_FROM_OUTSIDE and not self.stopped)


_SENT_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT}


class RunningRank(Protocol):
    """A rank that was started."""

    async def wait(self) -> Exit:
        """Return when the rank has ended and its log is complete."""
        ...

    def stop(self) -> None:
        """Ask the rank to end: SIGTERM now, SIGKILL after its grace. Does nothing when it has ended."""

    def close(self) -> None:
        """Let go of the rank, without any effect on it."""


class Executor(Protocol):
    """What starts ranks, and finds them again."""

    async def start(self, ranks: Sequence[Rank]) -> list[RunningRank]:
        """Start all ranks or none. Raises `OSError` when it is none."""
        ...

    def find(self, folder: Path) -> RunningRank | None:
        """Find the rank that was started in this folder, also one that has ended; None when none ever was."""


class ProcessRank:
    """A rank on this machine, seen through its supervisor's process."""

    def __init__(self, folder: Path, pid: int | None, bond: int | None = None) -> None:
        self._folder = folder
        self._bond = bond
        """What a bound rank watches for its end."""
        self._pid = pid
        """The supervisor; None when it is known to be gone."""
        self._handle = _open_process(pid)

    async def wait(self) -> Exit:
        await self._gone()
        _reap(self._pid)
        return await asyncio.to_thread(read_exit, self._folder)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGTERM)
            elif self._pid and self._is_running():
                os.kill(self._pid, signal.SIGTERM)

    def close(self) -> None:
        for held in (self._handle, self._bond):
            if held is not None:
                os.close(held)
        self._handle = self._bond = None

    async def _gone(self) -> None:
        if self._handle is None:
            while self._is_running():  # noqa: ASYNC110 - without process handles there is nothing to wait for
                await asyncio.sleep(_POLL_SECONDS)
            return
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._handle, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._handle)

    def _is_running(self) -> bool:
        return self._pid is not None and not _reap(self._pid) and identity(self._pid) is not None


class LocalExecutor:
    """Ranks as processes on this machine, each with its own supervisor."""

    async def start(self, ranks: Sequence[Rank]) -> list[RunningRank]:
        return list(await asyncio.to_thread(_start_together, ranks))

    def find(self, folder: Path) -> RunningRank | None:
        try:
            pid, started = json.loads((folder / PROCESS).read_text())["supervisor"]
        except FileNotFoundError:
            return None
        # A process that has our supervisor's number but not its start is somebody else's.
        return ProcessRank(folder, pid if identity(pid) == started else None)


def read_exit(folder: Path) -> Exit:
    """Read how the rank of a folder ended; when that was never written, kill what is left of it."""
    try:
        return Exit(**json.loads((folder / EXIT).read_text()))
    except FileNotFoundError:
        return Exit(code=128 + signal.SIGKILL, lost=True, started=_kill_command(folder))


def _kill_command(folder: Path) -> bool:
    """Kill what a dead supervisor watched over; tell whether it had started anything."""
    try:
        command = json.loads((folder / PROCESS).read_text())["command"]
    except FileNotFoundError:
        return False
    if command is not None and identity(command[0]) == command[1]:
        handle = _open_process(command[0])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command[0], signal.SIGKILL)
        if handle is not None:
            gone = select.poll()
            gone.register(handle)
            gone.poll(_KILL_SECONDS * 1000)
            os.close(handle)
    return command is not None


@dataclass
class _Launch:
    """A supervisor that waits for `go`."""

    pid: int
    orders: int
    answers: int

    def send(self, text: bytes) -> None:
        with os.fdopen(os.dup(self.orders), "wb") as pipe:
            pipe.write(text)

    def expect_ready(self) -> None:
        if os.read(self.answers, 6) != b"ready\n":
            raise OSError("A rank could not be started; supervisor.log in its folder says why.")

    def to_rank(self, rank: Rank) -> ProcessRank:
        return ProcessRank(Path(rank.folder), self.pid, os.dup(self.orders) if rank.bound else None)

    def close(self) -> None:
        os.close(self.orders)
        os.close(self.answers)


def _start_together(ranks: Sequence[Rank]) -> list[ProcessRank]:
    with contextlib.ExitStack() as undo, contextlib.ExitStack() as pipes:
        launches = []
        for rank in ranks:
            launches.append(launch := _launch(rank))
            pipes.callback(launch.close)
            undo.callback(_abandon, launch, Path(rank.folder))
            launch.send(json.dumps(asdict(rank)).encode() + b"\n")
        for launch in launches:
            launch.expect_ready()
        for launch in launches:
            launch.send(b"go\n")
        undo.pop_all()
        return [launch.to_rank(rank) for rank, launch in zip(ranks, launches, strict=True)]


def _abandon(launch: _Launch, folder: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(launch.pid, signal.SIGKILL)
        os.waitpid(launch.pid, 0)
    _kill_command(folder)


def _reap(pid: int | None) -> bool:
    """Take note of the end of a child; tell whether it had ended. Of others' children nothing is known."""
    try:
        return pid is not None and os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _launch(rank: Rank) -> _Launch:
    orders_out, orders_in = os.pipe()
    answers_out, answers_in = os.pipe()
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", supervisor.__file__],
            {name: os.environ[name] for name in _SUPERVISOR_VARIABLES if name in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, orders_out, 0),
                (os.POSIX_SPAWN_DUP2, answers_in, 1),
                (
                    os.POSIX_SPAWN_OPEN, 2, f"{rank.folder}/supervisor.log",
                    os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600,
                ),
            ],
            setsigmask=[],
        )  # fmt: skip
    except OSError:
        os.close(orders_in)
        os.close(answers_out)
        raise
    finally:
        os.close(orders_out)
        os.close(answers_in)
    return _Launch(pid, orders_in, answers_out)


def _open_process(pid: int | None) -> int | None:
    if pid is not None and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None
