"""Reading runs for those who follow them: a thousand may ask at once, when they have lost their connection."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any

from mcli._arguments import name_of
from mcli._core.retry import TRANSIENT
from mcli._core.transport import mapi
from mcli.exceptions import MAPIException
from mcli.runs import read_run, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mcli._arguments import Named
    from mcli._core.transport import HttpTransport
    from mcli.run import Run

__all__ = ["read_details", "standing"]

AT_ONCE = 100
"""Runs that one request reads."""
NOT_NOW = {401, *TRANSIENT}
"""Statuses that another request would have as well."""


async def read_details(network: HttpTransport, name: str) -> Run:
    """Read a run with details, by a request that begins after this call and may be shared with others.

    A run that was deleted is read as well: who follows a run until its end may see it deleted.

    Raises:
        MAPIException: There is no such run (404), or the platform could not be asked.
    """
    return await network.keep("details", lambda: _Reader(network)).read(name)


async def standing(run: str | Named, *_: object, **__: object) -> str:
    """Return how a run stands, in a sentence, for those who waited for it in vain."""
    found = await read_run(mapi(), name_of(run), deleted=True)
    reason = found.reason if not found.status.is_terminal() else ""
    return f"Run {found.name!r} is {found.status}{f' ({reason})' if reason else ''}."


class _Reader:
    """One request at a time, for all runs that were asked for meanwhile."""

    def __init__(self, network: HttpTransport) -> None:
        self._network = network
        self._turn = asyncio.Lock()
        self._next: _Request | None = None

    async def read(self, name: str) -> Run:
        request = self._next
        if request is None or request.is_over or len(request.names) == AT_ONCE:
            request = self._next = _Request(self._read)
        found = (await request.answer(name)).get(name)
        return found or await read_run(self._network.mapi(), name, deleted=True)

    async def _read(self, request: _Request) -> dict[str, Run]:
        async with self._turn:
            if request is self._next:
                self._next = None
            try:
                return {run.name: run for run in await read_runs(self._network.mapi(), list(request.names))}
            except MAPIException as e:
                if e.status in NOT_NOW:
                    raise
                return {}  # one run may spoil the answer for all: each is read by itself

    async def aclose(self) -> None:
        """Keep nothing open; requests under way end with their connection."""


class _Request:
    """One request for the details of several runs; it is given up when nobody waits for it any more."""

    def __init__(self, read: Callable[[_Request], Coroutine[Any, Any, dict[str, Run]]]) -> None:
        self.names: dict[str, None] = {}
        self._waiting = 0
        # Not in the context of the first caller, whose deadline must not apply to the others.
        self.task = asyncio.get_running_loop().create_task(read(self), context=Context())
        self.task.add_done_callback(_retrieve)

    @property
    def is_over(self) -> bool:
        """Whether it is answered, or was given up."""
        return self.task.done() or self.task.cancelling() > 0

    async def answer(self, name: str) -> dict[str, Run]:
        """Wait for the answer that has this run, if there is such a run."""
        self.names[name] = None
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.task.cancel()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Mark an error as seen: those who waited have it, and asyncio would log it where nobody waits any more."""
    if not task.cancelled():
        task.exception()
