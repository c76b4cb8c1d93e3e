"""The local platform as an endpoint: found where it runs, started where it does not.

The two halves of this package meet on the wire only: this module runs `python -m mcli.platform start`, which
prints where the platform is, and reads nothing else of it.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcli import config
from mcli._core.connection import Connection
from mcli.exceptions import MCLIConfigError

__all__ = ["connection"]


def connection() -> Connection:
    """Return the connection to the local platform of this user; start the platform if none runs.

    Raises:
        MCLIConfigError: It cannot be started.
    """
    folder = config.config_path().parent / "local"
    server = _running(folder) or _start(folder)
    key = Path(server["api_key_file"])
    return Connection(server["endpoint"], functools.partial(_read, key))


def _running(folder: Path) -> dict[str, Any] | None:
    """Read what the running platform says of itself."""
    try:
        server: dict[str, Any] = json.loads((folder / "server.json").read_text())
        os.kill(server["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return server


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
            f"The local platform does not start: {problem[0]}. It needs pip install 'mcli-sdk[local]'."
        ) from None
    return server


def _read(key: Path) -> str:
    return key.read_text().strip()
