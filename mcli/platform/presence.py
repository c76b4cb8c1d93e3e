"""One server for each data folder, and how others find it.

A server holds a lock on its folder for as long as it lives, however it ends, and says in `server.json` where it is. Who
looks for it asks the lock first: the file may be left of a server that was killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.execution.folders import make_private
from mcli.platform.execution.supervisor import write_atomically

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["AlreadyServedError", "announce", "default_data_dir", "find", "holding", "make_data_dir"]

_LOCK = "lock"
_ANNOUNCEMENT = "server.json"
_LOOK_SECONDS = 0.005
"""For how long others hold the lock, who only look."""


class AlreadyServedError(RuntimeError):
    """Another process serves this folder."""


def default_data_dir() -> Path:
    """Return the folder of this user's platform: `local` beside the configuration file of the client."""
    file = os.environ.get("MCLI_CONFIG_PATH")
    folder = Path(file).parent if file else Path(os.environ.get("MCLI_CONFIG_DIR") or "~/.mosaic")
    return folder.expanduser().absolute() / "local"


def make_data_dir(data_dir: Path) -> None:
    """Make a data folder that only its owner can read, if it does not exist.

    Raises:
        OSError: It cannot be made, or others could change what is in it.
    """
    make_private(data_dir)
    found = data_dir.stat()
    if found.st_uid != os.getuid():
        raise PermissionError(
            f"The data folder {data_dir} belongs to another user; choose another by --data-dir."
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(
            f"Others can write to the data folder {data_dir}, and so execute commands as you; "
            f"chmod go-w it, or choose another by --data-dir."
        )


@contextmanager
def holding(data_dir: Path) -> Generator[None]:
    """Be the one server of a folder while a `with` block lasts.

    Raises:
        AlreadyServedError: Another process is; the message names it.
    """
    lock = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _take(lock, fcntl.LOCK_EX):
            if not _take(lock, fcntl.LOCK_SH):
                pid = os.pread(lock, 20, 0).decode() or "unknown"
                raise AlreadyServedError(f"The platform in {data_dir} is already served by process {pid}.")
            fcntl.flock(lock, fcntl.LOCK_UN)
            time.sleep(_LOOK_SECONDS)
        (data_dir / _ANNOUNCEMENT).unlink(missing_ok=True)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            (data_dir / _ANNOUNCEMENT).unlink(missing_ok=True)
    finally:
        os.close(lock)


def announce(data_dir: Path, endpoint: str, key_file: Path, **more: Any) -> None:
    """Say where the server of a folder is."""
    announcement = {"endpoint": endpoint, "api_key_file": str(key_file), "pid": os.getpid(), **more}
    file = data_dir / _ANNOUNCEMENT
    file.with_suffix(".new").touch(mode=0o600)
    write_atomically(file, announcement)


def find(data_dir: Path) -> dict[str, Any] | None:
    """Return what the living server of a folder has announced; None if there is none, or not yet."""
    try:
        lock = os.open(data_dir / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _take(lock, fcntl.LOCK_SH):
            return None
        announcement: dict[str, Any] = json.loads((data_dir / _ANNOUNCEMENT).read_text())
    except (FileNotFoundError, ValueError):
        return None
    else:
        return announcement if announcement.get("pid") == _holder(lock) else None
    finally:
        os.close(lock)


def _holder(lock: int) -> int | None:
    """Return the process that has written itself into the lock."""
    text = os.pread(lock, 20, 0)
    return int(text) if text.isdigit() else None


def _take(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
