"""What a command uses: memory, processor time, GPUs; and whether the kernel killed something for want of memory.

The supervisor loads this file by its path, so this imports the standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Meter", "in_words", "out_of_memory_kills"]

USAGE = "usage.json"
_GPUS = "gpu_use.txt"
_FIRST_LOOK, _LONGEST_PAUSE = 0.5, 10.0  # seconds; the pauses between looks double
_GPU_SECONDS = 10
_KILLED = 137


class Meter:
    """Measures the processes below a supervisor, at first often and then every ten seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._peak = 0
        self._pause = _FIRST_LOOK
        self._next = time.monotonic() + self._pause
        self._kills = out_of_memory_kills()

    def watch_gpus(self, environment: Mapping[str, str]) -> None:
        """Have nvidia-smi write down how busy the GPUs of the command are, where there are both."""
        gpus, program = environment.get("CUDA_VISIBLE_DEVICES"), shutil.which("nvidia-smi")
        if gpus and program:
            query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", f"--id={gpus}"]
            line = [program, *query, f"--loop={_GPU_SECONDS}", f"--filename={self._folder / _GPUS}"]
            with contextlib.suppress(OSError):
                os.posix_spawn(program, line, dict(environment))

    @property
    def seconds_left(self) -> float:
        """Seconds until the next look is due."""
        return max(0.0, self._next - time.monotonic())

    def look(self, pids: Iterable[int]) -> None:
        """Look at the processes if it is time to."""
        if self.seconds_left:
            return
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._next = time.monotonic() + self._pause
        self._peak = max(self._peak, _memory(pids))
        with contextlib.suppress(OSError):
            (self._folder / USAGE).write_text(json.dumps({"peak_bytes": self._peak}))

    def result(self, code: int, *, stopped: bool) -> dict[str, Any]:
        """Return what was used, once all processes have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        killed = code == _KILLED and not stopped
        result = {
            "peak_bytes": max(self._peak, used.ru_maxrss * 1024),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
            "gpu_percent": self._gpu_percent(),
        }
        with contextlib.suppress(OSError):
            (self._folder / USAGE).write_text(json.dumps(result))
        return result | {"out_of_memory": killed and out_of_memory_kills() > self._kills}

    def _gpu_percent(self) -> float | None:
        try:
            looks = [float(each) for each in (self._folder / _GPUS).read_text().split()]
        except (OSError, ValueError):
            return None
        return round(sum(looks) / len(looks), 1) if looks else None


def _memory(pids: Iterable[int]) -> int:
    """Return the bytes that processes hold. What they may share is counted once, for the one that holds most of it."""
    own, shared = 0, 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            pages = [int(number) for number in Path(f"/proc/{pid}/statm").read_text().split()[1:3]]
            own += pages[0] - pages[1]
            shared = max(shared, pages[1])
    return (own + shared) * resource.getpagesize()


def out_of_memory_kills(root: Path = Path("/")) -> int:
    """Return how many processes the kernel has killed for want of memory: of our group, else of the machine."""
    for file in (*_counters(root), root / "proc/vmstat"):
        with contextlib.suppress(OSError, ValueError):
            for line in file.read_text().splitlines():
                name, _, number = line.partition(" ")
                if name == "oom_kill":
                    return int(number)
    return 0


def _counters(root: Path) -> Iterable[Path]:
    """Yield the files in which the kernel counts for our group, in both versions of groups."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            place = path.lstrip("/")
            if not kinds:
                yield root / "sys/fs/cgroup" / place / "memory.events"
                yield root / "sys/fs/cgroup/unified" / place / "memory.events"
            elif "memory" in kinds.split(","):
                yield root / "sys/fs/cgroup/memory" / place / "memory.oom_control"


def in_words(peak_bytes: int, cpu_seconds: float, gpu_percent: float | None = None) -> str:
    """Say what a run used.

    >>> in_words(3_400_000_000, 75.25), in_words(5_000_000, 0.1, 87.5)
    ('At most 3.4 GB of memory, 75 s of CPU.', 'At most 5 MB of memory, 0.1 s of CPU, GPUs busy for 88 %.')
    """
    size, unit = (peak_bytes / 1e9, "GB") if peak_bytes >= 1e9 else (peak_bytes / 1e6, "MB")
    seconds = f"{cpu_seconds:.0f}" if cpu_seconds >= 10 else f"{cpu_seconds:.1f}"
    gpus = "" if gpu_percent is None else f", GPUs busy for {gpu_percent:.0f} %"
    return f"At most {size:.3g} {unit} of memory, {seconds} s of CPU{gpus}."
