"""The files of deleted runs, which go when their last reader has left."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from mcli.platform.clock import format_time
from mcli.platform.state import removals

if TYPE_CHECKING:
    from mcli.platform.clock import Clock
    from mcli.platform.execution.folders import RunFolders
    from mcli.platform.state.store import Store

__all__ = ["Removal"]

log: logging.Logger = logging.getLogger(__name__)

KEPT = timedelta(seconds=60)
"""How long files are kept after the deletion, or the server's start: readers who lost their connection come back."""

PAUSE = timedelta(seconds=15)


class Removal:
    """Frees the disk of deleted runs, as long as the server lives."""

    def __init__(self, store: Store, folders: RunFolders, clock: Clock) -> None:
        self._store = store
        self._folders = folders
        self._clock = clock
        self._begin = clock.now()

    async def run(self) -> None:
        """Look again and again; ends by being cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now() + PAUSE)
            try:
                await self.sweep()
            except Exception:
                log.exception("Files of deleted runs could not be removed; this is tried again")

    async def sweep(self) -> None:
        """Remove the files of those deleted runs whose time has come, and that nobody reads."""
        before = self._clock.now() - KEPT
        if before < self._begin:
            return
        due = await self._store.read(lambda db: removals.due(db, format_time(before)))
        unread = {run_id: name for run_id, name in due.items() if not self._folders.is_read(name)}
        for name in unread.values():
            await asyncio.to_thread(self._folders.remove, name)
        if unread:
            await self._store.write(lambda transaction: removals.finish(transaction, tuple(unread)))
