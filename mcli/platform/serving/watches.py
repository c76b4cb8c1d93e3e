"""Following the status of a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcli.platform.state import records
from mcli.platform.state.selection import named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mcli.platform.state.hub import Change, Hub
    from mcli.platform.state.store import Store

__all__ = ["Watches"]


class Watches:
    """What happens to all runs, for those who watch one."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub

    async def statuses(self, data: Mapping[str, Any]) -> AsyncIterator[str]:
        """Yield the status that a run has, then each new one in order, up to a terminal one."""
        run = await self._store.read(lambda db: named(db, data["name"]))
        changes: asyncio.Queue[Change] = asyncio.Queue()
        with self._hub.listening(run.id, changes.put_nowait):
            # Read again: it may have changed before we listened.
            run = await self._store.read(lambda db: records.load(db, run.id))
            seen, status = len(run.lifecycle), run.status
            yield status
            while status not in records.TERMINAL:
                change = await changes.get()
                if change.sequence > seen:
                    seen, status = change.sequence, change.status
                    yield status
