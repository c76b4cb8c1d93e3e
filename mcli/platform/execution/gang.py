"""Start the ranks of a job on this machine, together or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcli.platform.execution import supervisor
from mcli.platform.execution.rank_files import Note, kill_rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcli.platform.execution.engine import Rank

__all__ = ["RankTakenError", "start_together"]

_SUPERVISOR_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


class RankTakenError(OSError):
    """Another supervisor has the rank's folder."""


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
        match os.read(self.answers, 4096):
            case b"ready\n":
                return
            case b"taken\n":
                raise RankTakenError("A rank could not be started: another process has its folder.")
            case problem:
                told = problem.decode(errors="replace").strip() or "supervisor.log in its folder says why"
                raise OSError(f"A rank could not be started: {told}.")

    def close(self) -> None:
        os.close(self.orders)
        os.close(self.answers)


def start_together(ranks: Sequence[Rank]) -> list[int]:
    """Start all ranks or none; returns what the bound ones are bound to."""
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
        return [os.dup(launch.orders) for rank, launch in zip(ranks, launches, strict=True) if rank.bound]


def _abandon(launch: _Launch, folder: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(launch.pid, signal.SIGKILL)
        os.waitpid(launch.pid, 0)
    noted = Note.read(folder).supervisor
    if (
        noted is not None and noted[0] == launch.pid
    ):  # else another has the folder, whose command is not ours to end
        kill_rest(folder)


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
