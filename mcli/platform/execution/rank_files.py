"""What the files of a rank tell of it, and of its processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import Exit
from mcli.platform.execution.supervisor import EXIT, PROCESS, identity

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Note", "kill_command", "lost", "open_process", "read_exit", "reap"]

_KILL_SECONDS = 1.0  # that a killed process is waited for: another resumption would have to share with it


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


def kill_command(note: Note) -> None:
    """Kill what a dead supervisor watched over."""
    if note.command is None or identity(note.command[0]) != note.command[1]:
        return
    handle = open_process(note.command[0])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(note.command[0], signal.SIGKILL)
    if handle is not None:
        gone = select.poll()
        gone.register(handle)
        gone.poll(_KILL_SECONDS * 1000)
        os.close(handle)


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
