"""Own one rank of a run: start its command, keep its log, write down how it ended.

Run as a program of its own (`python -I -S supervisor.py`, only the standard library), in its own session, so
that it outlives the server. Until the start it talks to the server over its standard streams:

1. It reads one line of JSON: the `Rank` of engine.py.
2. It takes the rank's folder for itself, notes who it is in `process.json`, and writes the line `ready`. When another
   supervisor has the folder, or has had it and started the command, it writes `taken` and leaves: no command is
   started twice. When something fails it says what, in place of `ready`.
3. It reads the line `go`, notes who the command is to be, and starts it: whatever dies meanwhile, no command runs
   that nobody knows of. At an end of file instead, because the server died or another rank of the run could not be
   started, it leaves without having started anything.

From then on only files and signals count, but for a rank that is `bound` to its server: it is stopped when the
server is gone, which an end of file on standard input tells. SIGTERM is passed on to the command's process group,
which gets `grace` seconds before SIGKILL. When the command has ended, whatever it left running is killed, the log is
flushed to disk, and `exit.json` is written, atomically and last: who sees it knows that the log is complete.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["EXIT", "PROCESS", "identity", "write_atomically"]

PROCESS = "process.json"
EXIT = "exit.json"
_LOCK = "lock"

_PR_SET_CHILD_SUBREAPER = 36
_NOT_EXECUTABLE = 127
_LONGEST_ANSWER = 4000  # bytes that a pipe takes at once, whoever reads them
_CHECK_SECONDS = 0.05


def identity(pid: int) -> str | None:
    """Tell a process, be it a zombie, from a later one with the same number; None when it is gone.

    On Linux the machine's boot and the clock tick at which the process started; elsewhere only the number.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return str(pid)
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{started}"


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Replace a file by JSON for the owner's eyes only, such that readers and crashes see all of it or none."""
    draft = path.with_suffix(".new")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class Supervisor:
    """The rank, its command, and the signals that this process gets."""

    def __init__(self, rank: dict[str, Any]) -> None:
        self.folder: Path = Path(rank["folder"])
        self.rank = rank
        self.command: int = 0
        self.status: int | None = None
        self.deadline: float | None = None
        """When SIGKILL follows, once SIGTERM has come."""
        self._stopping = False
        self._wakeup, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(self._wakeup, False)
        self._watched = [self._wakeup, *([0] if rank["bound"] else [])]
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def take(self) -> bool:
        """Take the folder for this process as long as it lives; tell whether it was free, and nothing started there."""
        lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if (self.folder / EXIT).exists():
            return False
        try:
            return json.loads((self.folder / PROCESS).read_text())["command"] is None
        except FileNotFoundError:
            return True

    def note(self) -> None:
        """Write down which processes belong to this rank."""
        processes = {
            "supervisor": [os.getpid(), identity(os.getpid())],
            "command": [self.command, identity(self.command)] if self.command else None,
        }
        write_atomically(self.folder / PROCESS, processes)

    def start(self, log: int) -> None:
        """Start the command as the leader of its own process group, once it is written down who it is."""
        gate, opener = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.command = os.fork()
        if self.command == 0:
            os.close(opener)
            _become(self.rank, log, gate)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.close(gate)
        os.setpgid(self.command, self.command)
        self.note()
        with contextlib.suppress(BrokenPipeError), os.fdopen(opener, "wb") as pipe:
            pipe.write(b"go")

    def attend(self) -> None:
        """Wait until the command, or what must be waited for, has ended."""
        while True:
            self._reap()
            if self._stopping and self.deadline is None:
                self.deadline = time.monotonic() + self.rank["grace"]
                self._signal_group(signal.SIGTERM)
            if self.status is not None and not (self.deadline and self._group_lives()):
                return
            left = None if self.deadline is None else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                self._signal_group(signal.SIGKILL)
                if self.status is not None:
                    return
                left = None
            # After the command itself, members of its group may end without a signal to us.
            self._wait(left if self.status is None else min(left or _CHECK_SECONDS, _CHECK_SECONDS))

    def clear(self) -> None:
        """Kill all that the command left behind, also what moved to other sessions."""
        self._signal_group(signal.SIGKILL)
        self._reap()
        while orphans := _children():
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            self._wait(_CHECK_SECONDS)
            self._reap()

    def result(self) -> dict[str, Any]:
        """Say how the command ended."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        return {
            "code": code if code >= 0 else 128 - code,
            "signal": -code if code < 0 else None,
            "stopped": self.deadline is not None,
            "ended_at": time.time(),
        }

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.command:
                    self.status = status

    def _signal_group(self, number: signal.Signals) -> None:
        if self.command:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.command, number)

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.command, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return bool(self.command)

    def _wait(self, seconds: float | None) -> None:
        for stream in select.select(self._watched, [], [], seconds)[0]:
            if not os.read(stream, 4096):
                self._watched.remove(stream)
                self._stopping = True


def _become(rank: dict[str, Any], log: int, gate: int) -> NoReturn:
    """Be the command of a rank as soon as the gate opens; nothing, if nobody is left who could open it."""
    try:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.read(gate, 2):
            for stream, source in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
                os.dup2(source, stream)
            os.execve(rank["argv"][0], rank["argv"], rank["environment"])  # noqa: S606 - that is what it is for
    except (OSError, ValueError) as error:
        os.write(log, f"Cannot start {rank['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(_NOT_EXECUTABLE)


def _children() -> list[int]:
    """Give our children; on Linux, where we adopt orphans, all that is left of the command."""
    me, found = str(os.getpid()), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == me:
                found.append(int(stat.parent.name))
    return found


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _prepare(supervisor: Supervisor) -> int | None:
    """Take the folder and open the log; None when somebody else has it."""
    if not supervisor.take():
        return None
    log = os.open(supervisor.rank["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.chdir(supervisor.rank["working_folder"])
    supervisor.note()
    return log


def main() -> None:
    """Do all of the above for the rank on standard input."""
    os.setsid()
    _adopt_orphans()
    supervisor = Supervisor(json.loads(sys.stdin.buffer.readline()))
    try:
        log = _prepare(supervisor)
    except (OSError, ValueError) as error:
        os.write(1, f"{error}\n".encode()[:_LONGEST_ANSWER])
        return
    if log is None:
        os.write(1, b"taken\n")
        return
    os.write(1, b"ready\n")
    if sys.stdin.buffer.readline() != b"go\n":
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2) if supervisor.rank["bound"] else (0, 1, 2):
        os.dup2(nothing, stream)
    supervisor.start(log)
    supervisor.attend()
    supervisor.clear()
    os.fsync(log)
    write_atomically(supervisor.folder / EXIT, supervisor.result())


if __name__ == "__main__":
    main()
