"""Remove what servers left that were killed: secrets and tokens of resumptions that have ended, temporary platforms."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import Job
from mcli.platform.execution.folders import NodeFolder
from mcli.platform.execution.rank_files import Note

if TYPE_CHECKING:
    from collections.abc import Collection

    from mcli.platform.execution.engine import Engine
    from mcli.platform.execution.folders import RunFolders

__all__ = ["TEMPORARY", "sweep_resumptions", "sweep_temporary_platforms"]

TEMPORARY = "mcli-local-"
"""What the names of temporary platforms' folders begin with."""


async def sweep_resumptions(folders: RunFolders, engine: Engine, living: Collection[str]) -> None:
    """Clear the resumptions that were begun and not cleared, but for those in `living`, by their ids."""
    shutil.rmtree(folders.incoming, ignore_errors=True)
    for key, folder in folders.open_resumptions().items():
        if key not in living:
            ranks = tuple(each for each in sorted(folder.glob("[0-9]*")) if each.is_dir())
            job = Job(key, folder, ranks)
            await engine.stop(job)
            for rank in ranks:
                NodeFolder(rank).clear()
            await engine.forget(job)
            folders.close_resumption(key)


def sweep_temporary_platforms() -> None:
    """Remove the folders of temporary platforms whose processes were killed, once nothing of theirs runs."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and _is_abandoned(folder):
                shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    """Tell whether a folder had a server and has none now, nor a rank that has its grace."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)  # a folder without one is just being made
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        notes = folder.glob("runs/*/*/*/process.json")
        return not any(Note.read(note.parent).living_supervisor for note in notes)
    finally:
        os.close(lock)
