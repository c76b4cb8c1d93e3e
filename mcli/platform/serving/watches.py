"""Following the status of a run."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from mcli.platform.state import records
from mcli.platform.state.selection import named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from mcli.platform.state.hub import Change, Hub
    from mcli.platform.state.store import Store

__all__ = ["Watches"]


PATIENCE = 5.0
"""Seconds that the answer to a stop waits for the end of the run, and to a start for its beginning."""


class Watches:
    """What happens to all runs, for those who watch one."""

    def __init__(self, store: Store, hub: Hub, patience: float = PATIENCE) -> None:
        self._store = store
        self._hub = hub
        self._patience = patience

    async def statuses(self, data: Mapping[str, Any]) -> AsyncIterator[str]:
        """Yield the status that a run has, then each new one in order, up to a terminal one.

        A deleted run is watched to its end as any other.
        """
        run = await self._store.read(lambda db: named(db, data["name"], deleted=True))
        changes: asyncio.Queue[Change] = asyncio.Queue()
        with self._hub.listening(run.id, changes.put_nowait):
            # read again: it may have changed before we listened.
            run = await self._store.read(lambda db: records.load(db, run.id))
            seen, status = len(run.lifecycle), run.status
            yield status
            while status not in records.TERMINAL:
                change = await changes.get()
                if change.sequence > seen:
                    seen, status = change.sequence, change.status
                    yield status

    async def settled(self, run_ids: Collection[str], statuses: Collection[str]) -> None:
        """Return once each of these runs has, or has had meanwhile, one of these statuses; at most 5 s later."""
        missing, over = set(run_ids), asyncio.Event()

        def hear(change: Change) -> None:
            if change.status in statuses:
                missing.discard(change.run_id)
            if not missing:
                over.set()

        with ExitStack() as listening:
            for run_id in run_ids:
                listening.enter_context(self._hub.listening(run_id, hear))
            for run_id, status in (await self._store.read(lambda db: records.statuses(db, run_ids))).items():
                if status in statuses:
                    missing.discard(run_id)
            if missing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), self._patience)
