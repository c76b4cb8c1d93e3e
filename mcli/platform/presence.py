"""One server for each data folder, and how others find it.

A server holds a lock on its folder for as long as it lives, however it ends, and says in `server.json` where it is.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.execution.supervisor import write_atomically

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["AlreadyServedError", "announce", "default_data_dir", "find", "holding"]

_LOCK = "lock"
_ANNOUNCEMENT = "server.json"


class AlreadyServedError(RuntimeError):
    """Another process serves this folder."""


@contextmanager
def holding(data_dir: Path) -> Generator[None]:
    """Be the one server of a folder. Raises `AlreadyServedError`, which names the other process."""
    lock = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _take(lock, fcntl.LOCK_EX):
            pid = os.pread(lock, 20, 0).decode() or "unknown"
            raise AlreadyServedError(f"The local platform in {data_dir} is served by process {pid} already.")
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            (data_dir / _ANNOUNCEMENT).unlink(missing_ok=True)
    finally:
        os.close(lock)


def default_data_dir() -> Path:
    """Give the folder of this user's platform."""
    home = os.environ.get("MCLI_CONFIG_DIR") or Path("~/.mosaic").expanduser()
    return Path(home) / "local"


def announce(data_dir: Path, endpoint: str, key_file: Path) -> dict[str, Any]:
    """Say where the server of a folder is; gives what is said."""
    announcement = {"endpoint": endpoint, "api_key_file": str(key_file), "pid": os.getpid()}
    file = data_dir / _ANNOUNCEMENT
    file.with_suffix(".new").touch(mode=0o600)
    write_atomically(file, announcement)
    return announcement


def find(data_dir: Path) -> dict[str, Any] | None:
    """Give what the living server of a folder has announced; None when there is none."""
    try:
        lock = os.open(data_dir / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _take(lock, fcntl.LOCK_SH):
            return None
        announcement: dict[str, Any] = json.loads((data_dir / _ANNOUNCEMENT).read_text())
    except FileNotFoundError:
        return None
    else:
        return announcement
    finally:
        os.close(lock)


def _take(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
