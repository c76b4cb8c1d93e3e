"""Folders that exist for one run only: `/workspace`, `/mnt/config`, `/secrets`, and what it must not write to.

What stands beside a folder that had to be made stays visible: a missing `/mnt/config` hides nothing of `/mnt`. Files
that a run makes beside such a folder, as in `/`, are kept in the root folder, which is one of the run.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mcli.platform.execution import enter

__all__ = ["Layout", "inside", "problem", "sweep"]

_PROBE_SECONDS = 10


@dataclass(frozen=True)
class Layout:
    """What a command finds where."""

    root: str
    """An empty folder of the run, which becomes its `/`."""
    folders: Mapping[str, tuple[str, bool]]
    """By the path that the command knows: the folder that it leads to, and whether it is read-only."""
    read_only: Sequence[str] = ()
    """Paths of the machine that the command sees but cannot change."""
    start: str = "/"
    """The folder in which the command starts, as it knows it."""


def inside(layout: Layout, file: Path, argv: Sequence[str]) -> list[str]:
    """Write a layout to a file, and return the command line that executes `argv` in it."""
    file.write_text(json.dumps(asdict(layout)))
    return [sys.executable, "-I", "-S", enter.__file__, str(file), *argv]


@functools.cache
def problem() -> str | None:
    """Return why this machine does not allow such folders; None when it does. Tried once, in some 50 ms."""
    if sys.platform != "linux":
        return "Only Linux has mount namespaces."
    argv = [sys.executable, "-I", "-S", enter.__file__, "--try"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"The attempt took more than {_PROBE_SECONDS} seconds."
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"The attempt ended with status {done.returncode}."])[-1]


def sweep(root: Path) -> None:
    """Remove from the root folder of a run that has ended what only held the place of an entry of the machine.

    What the run has made there stays, but for empty folders.
    """
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = Path(folder, name)
            ours = os.path.lexists("/" / path.relative_to(root))
            with contextlib.suppress(FileNotFoundError):  # `prune` may sweep at the same time
                if ours and (path.is_symlink() or path.stat().st_size == 0):
                    path.unlink()
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
