"""What frees the disk: `prune` removes what old runs have made, `reset` everything but the settings.

Both work on the files of a data folder, whether a platform runs there or not.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mcli.platform.clock import format_time
from mcli.platform.execution.folders import RunFolders
from mcli.platform.presence import holding
from mcli.platform.state.status import LIVE, TERMINAL

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["has_live_runs", "prune", "reset"]

_DATABASE = "platform.sqlite3"
_OURS = (
    *(_DATABASE + suffix for suffix in ("", "-wal", "-shm")),
    *("api_key", "vault.key", "server.log", "port", "outside_port"),
)
_FOLDERS = ("runs", "open", "tls")


def prune(data_dir: Path, age: timedelta, *, keep_logs: bool) -> dict[str, int]:
    """Remove the files of runs that ended longer ago than `age`; the runs themselves stay in the lists.

    Args:
        data_dir: The platform's data folder.
        age: How long ago a run must have ended.
        keep_logs: Whether to leave the logs, and remove only what the runs have made.

    Returns:
        The number of `runs`, and the `freed_bytes`.
    """
    folders, before = RunFolders(data_dir / "runs"), format_time(datetime.now(UTC) - age)
    sizes, pruned = folders.disk_use(), list[str]()
    for name in sizes:
        # asked for each anew: it may have been started again
        if _select(data_dir, "name = ? AND ended_at < ?", TERMINAL, name, before):
            folders.discard(name) if keep_logs else folders.remove(name)
            pruned.append(name)
    left = folders.disk_use()
    return {"runs": len(pruned), "freed_bytes": sum(sizes[name] - left.get(name, 0) for name in pruned)}


def has_live_runs(data_dir: Path) -> bool:
    """Tell whether runs of a folder go on, perhaps without a platform."""
    return _select(data_dir, "1", LIVE)


def reset(data_dir: Path) -> None:
    """Remove runs, logs, secrets and keys of a folder without a platform; its settings stay.

    Raises:
        AlreadyServedError: A platform runs there.
    """
    with holding(data_dir):
        for name in _OURS:
            (data_dir / name).unlink(missing_ok=True)
        for name in _FOLDERS:
            shutil.rmtree(data_dir / name, ignore_errors=True)


def _select(data_dir: Path, condition: str, statuses: tuple[str, ...], *values: str) -> bool:
    """Tell whether there is a run with one of these statuses that meets a condition."""
    file = data_dir / _DATABASE
    if not file.exists():
        return False
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        marks = ", ".join("?" * len(statuses))
        query = f"SELECT 1 FROM runs WHERE status IN ({marks}) AND {condition} LIMIT 1"  # noqa: S608 - ours
        return db.execute(query, (*statuses, *values)).fetchone() is not None
