"""The local platform as an endpoint: found where it runs, started where it does not.

The two halves of this package meet on the wire only: this module runs `python -m mcli.platform start`, which prints
where the platform is, and reads what the running platform has announced in its data folder.
"""

from __future__ import annotations

import fcntl
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli import config
from mcli.exceptions import MCLIConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["data_folder", "find_or_start"]


def find_or_start() -> tuple[str, Callable[[], str]]:
    """Return the endpoint of this user's local platform, and what reads the key for it; start it if it does not run.

    Raises:
        MCLIConfigError: It cannot be started.
    """
    folder = data_folder()
    server = _running(folder) or _start(folder)
    return server["endpoint"], functools.partial(_read_key, Path(server["api_key_file"]))


def data_folder() -> Path:
    """Return the folder of the local platform, beside the configuration file; so does `python -m mcli.platform`."""
    return config.config_path().absolute().parent / "local"


def _running(folder: Path) -> dict[str, Any] | None:
    """Read where the platform is, if it runs: it holds a lock for as long as it lives, however it ends.

    The announcement alone is not enough: after a `kill -9` it stays, and its port or pid may be a stranger's.
    """
    try:
        with (folder / "lock").open() as lock:
            if _take(lock.fileno()):
                return None
            owner = lock.read(20)
        server: dict[str, Any] = json.loads((folder / "server.json").read_text())
        return server if str(server["pid"]) == owner else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(folder: Path) -> dict[str, Any]:
    sys.stderr.write(f"mcli: starting the local platform, with its data in {folder}\n")
    # -P: a folder `mcli` that the script happens to run in is not this package.
    command = [sys.executable, "-P", "-m", "mcli.platform", "start", "--data-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    try:
        server: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        problem = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise MCLIConfigError(
            f"The local platform does not start: {problem[0]}. It needs what the extra "
            "'local' of this package brings: pip install cryptography graphql-core uvicorn."
        ) from None
    return server


def _read_key(file: Path) -> str:
    return file.read_text().strip()
