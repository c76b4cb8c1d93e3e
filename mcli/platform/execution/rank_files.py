"""What the files of a rank tell of it, and of its processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from mcli.platform.execution.engine import Exit
from mcli.platform.execution.supervisor import EXIT, MARK, PROCESS, identity

__all__ = ["Note", "kill_rest", "lost", "open_process", "read_exit", "reap"]

_KILL_SECONDS = 5.0  # that killed processes are waited for: another resumption would have to share with them
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Note:
    """What a supervisor has written down about its processes; each is a number and the process's identity."""

    supervisor: tuple[int, str] | None = None
    command: tuple[int, str] | None = None
    is_readable: bool = True

    @classmethod
    def read(cls, folder: Path) -> Note:
        """Read the note of a rank; an empty one where no supervisor has come so far."""
        try:
            noted = json.loads((folder / PROCESS).read_text())
            supervisor, command = noted["supervisor"], noted["command"]
            return cls((supervisor[0], supervisor[1]), None if command is None else (command[0], command[1]))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except (OSError, ValueError, LookupError, TypeError):
            return cls(is_readable=False)

    @property
    def living_supervisor(self) -> int | None:
        """The supervisor's number, unless that has ended. A later process with its number is a stranger."""
        if self.supervisor is None or identity(self.supervisor[0]) != self.supervisor[1]:
            return None
        return self.supervisor[0]

    @property
    def was_started(self) -> bool:
        """Whether a command was started; yes also where nobody can tell, since it must not be started twice."""
        return self.command is not None or not self.is_readable


def read_exit(folder: Path) -> Exit | None:
    """Read how the rank of a folder ended; None when that was not written (yet)."""
    try:
        return Exit(**json.loads((folder / EXIT).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        return lost(folder, f"How the rank ended cannot be read: {error}")


def lost(folder: Path, problem: str | None = None) -> Exit:
    """Describe the end of a rank that was never written down, or cannot be read."""
    return Exit(code=128 + signal.SIGKILL, lost=True, started=Note.read(folder).was_started, problem=problem)


def kill_rest(folder: Path) -> None:
    """Kill what a dead supervisor watched over: the command's process group, and all that has the rank's mark."""
    command = Note.read(folder).command
    if command is not None and identity(command[0]) == command[1]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(command[0], signal.SIGKILL)
    end = time.monotonic() + _KILL_SECONDS
    while (marked := _marked(folder)) and time.monotonic() < end:
        for pid in marked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)


def _marked(folder: Path) -> list[int]:
    """Find the processes of a rank by what they were given in their environment."""
    mark, found = f"{MARK}={folder}".encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def reap(pid: int | None) -> bool:
    """Take note of the end of a child; tell whether it had ended. Of others' children nothing is known."""
    try:
        return pid is not None and os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def open_process(pid: int | None) -> int | None:
    """Give a handle of a process, which its number alone is not; None where there is no such thing."""
    if pid is not None and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None
