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
server is gone, which an end of file on standard input tells. SIGTERM is passed on to all processes of the rank, those
in sessions of their own as well, which get `grace` seconds before SIGKILL. When the command has ended, whatever it left
running is killed, the log is flushed to disk, and `exit.json` is written, atomically and last: who sees it knows that
the log is complete. While the disk is full, notes are tried again until they are written.

All processes of a rank have its folder in the variable `MCLI_RANK_FOLDER`, by which they are found should this one
be killed. SIGURG stops a rank like SIGTERM: Slurm sends signals to all processes of a job, and this one harms no other.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXIT", "MARK", "PROCESS", "identity", "write_atomically"]

PROCESS = "process.json"
EXIT = "exit.json"
MARK = "MCLI_RANK_FOLDER"
_LOCK = "lock"

_PR_SET_CHILD_SUBREAPER = 36
_NOT_EXECUTABLE = 127
_LONGEST_ANSWER = 4000  # bytes that a pipe takes at once, whoever reads them
_CHECK_SECONDS = 0.05
_CUT_SECONDS = 1.0  # between two looks at the size of the logs
_RETRY_SECONDS = 1.0  # between two tries to write a note


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
        self.started: bool = False
        self.log_cut: bool = False
        self._cut: Callable[[str, int], bool] | None = _beside("log_limit").cut if rank["log_limit"] else None
        self._meter = _beside("usage").Meter(self.folder)
        self.status: int | None = None
        self.ended_at: float = 0.0
        self.deadline: float | None = None
        """When SIGKILL follows, once SIGTERM has come."""
        self._stopping = False
        self._wakeup, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(self._wakeup, False)
        self._watched = [self._wakeup, *([0] if rank["bound"] else [])]
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGURG):
            signal.signal(number, self._stop)
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
        """Write down which processes belong to this rank: this one and, once there is one, the command."""
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
        self.started = self._insist(self.note, until=lambda: self._stopping)
        self._meter.watch_gpus({**self.rank["environment"], MARK: self.rank["folder"]})
        with contextlib.suppress(BrokenPipeError), os.fdopen(opener, "wb") as pipe:
            pipe.write(b"go" if self.started else b"")

    def report(self) -> None:
        """Write down how the command ended, however long that takes."""
        self._insist(lambda: write_atomically(self.folder / EXIT, self.result()))

    def _insist(self, write: Callable[[], None], until: Callable[[], bool] = lambda: False) -> bool:
        """Write to a disk that may be full, again and again; tell whether it succeeded. Gives up without a folder."""
        while not until():
            try:
                write()
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError:
                self._wait(_RETRY_SECONDS)
            else:
                return True
        return False

    def attend(self) -> None:
        """Wait until the command, or what must be waited for, has ended."""
        while True:
            self._reap()
            if self._stopping and self.deadline is None:
                self.deadline = time.monotonic() + self.rank["grace"]
                self._signal(signal.SIGTERM)
            if self.status is not None and not (self.deadline and _descendants()):
                return
            left = None if self.deadline is None else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                self._signal(signal.SIGKILL)
                if self.status is not None:
                    return
                left = None
            self._cut_logs()
            if not self._meter.seconds_left:
                self._meter.look(_descendants())
            # after the command itself, what it has started may end without a signal to us
            most = _CHECK_SECONDS if self.status is not None else _CUT_SECONDS if self._cut else None
            waits = (left, most, self._meter.seconds_left)
            self._wait(min(each for each in waits if each is not None))

    def clear(self) -> None:
        """Kill all that the command left behind, also what moved to other sessions."""
        self._signal(signal.SIGKILL)
        self._reap()
        while _descendants():
            self._signal(signal.SIGKILL)
            self._wait(_CHECK_SECONDS)
            self._reap()
        self._cut_logs()

    def _cut_logs(self) -> None:
        """Keep the log, and those that launchers write for GPU ranks, within their size."""
        if self._cut is not None:
            logs = (self.rank["log"], *map(str, self.folder.glob("gpu/*.txt")))
            with contextlib.suppress(OSError):
                for log in logs:
                    self.log_cut |= self._cut(log, self.rank["log_limit"])

    def result(self) -> dict[str, Any]:
        """Say how the command ended."""
        status = os.waitstatus_to_exitcode(self.status or 0)
        code, stopped = status if status >= 0 else 128 - status, self.deadline is not None
        return {
            "code": code,
            "signal": -status if status < 0 else None,
            "stopped": stopped,
            "ended_at": self.ended_at or time.time(),
            "started": self.started,
            "log_cut": self.log_cut,
            **self._meter.result(code, stopped=stopped),
        }

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.command:
                    self.status, self.ended_at = status, time.time()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the command's process group, and to all that has left it."""
        if self.command:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.command, number)
        for pid, group in _descendants().items():
            if group != self.command:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

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
            os.execve(rank["argv"][0], rank["argv"], rank["environment"] | {MARK: rank["folder"]})  # noqa: S606 - that is what it is for
    except (OSError, ValueError) as error:
        os.write(log, f"Cannot start {rank['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(_NOT_EXECUTABLE)


def _descendants() -> dict[int, int]:
    """Give the processes below this one, each with its process group. On Linux, where we adopt orphans, that is all."""
    family: dict[int, dict[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, group = stat.read_text().rpartition(")")[2].split()[:3]
            if state not in "ZX":
                family.setdefault(int(parent), {})[int(stat.parent.name)] = int(group)
    found: dict[int, int] = {}
    generation = {os.getpid(): 0}
    while generation:
        generation = {pid: group for parent in generation for pid, group in family.pop(parent, {}).items()}
        found |= generation
    return found


def _beside(name: str) -> Any:
    """Load the file of this name beside this one: alone and without site-packages, nothing here is in a package."""
    if (folder := str(Path(__file__).parent)) not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


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
    with contextlib.suppress(OSError):  # what cannot be flushed is not there to be read either
        os.fsync(log)
    supervisor.report()


if __name__ == "__main__":
    main()
