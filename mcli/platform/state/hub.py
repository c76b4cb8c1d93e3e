"""Who is told of what happens to runs: first who moves them on, then those who watch or follow one of them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Change", "Hub"]


@dataclass(frozen=True)
class Change:
    """A run has a new status."""

    run_id: str
    sequence: int
    """Number of this status in the life of the run, from 1."""
    status: str


class Hub:
    """The listeners of one server. Lives on the event loop, like all that listen."""

    def __init__(self) -> None:
        self._movers: list[Callable[[Change], None]] = []
        self._listeners: defaultdict[str, list[Callable[[Change], None]]] = defaultdict(list)

    def listen_to_all(self, tell: Callable[[Change], None]) -> None:
        """Have every change of every run told for as long as the hub lives, before anybody else hears of it."""
        self._movers.append(tell)

    @contextmanager
    def listening(self, run_id: str, tell: Callable[[Change], None]) -> Generator[None]:
        """Call `tell` with every change of a run from now on."""
        self._listeners[run_id].append(tell)
        try:
            yield
        finally:
            self._listeners[run_id].remove(tell)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    def publish(self, change: Change) -> None:
        """Call everybody who listens to this run, or to all."""
        for tell in (*self._movers, *self._listeners.get(change.run_id, ())):
            tell(change)
