"""Who is told of what happens to a run: watchers get every change in order, followers are woken."""

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
        self._listeners: defaultdict[str, list[Callable[[Change], None]]] = defaultdict(list)

    @contextmanager
    def listening(self, run_id: str, tell: Callable[[Change], None]) -> Generator[None]:
        """Have every change of a run told from now on."""
        self._listeners[run_id].append(tell)
        try:
            yield
        finally:
            self._listeners[run_id].remove(tell)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    def publish(self, change: Change) -> None:
        """Tell everybody who listens to this run."""
        for tell in tuple(self._listeners.get(change.run_id, ())):
            tell(change)
