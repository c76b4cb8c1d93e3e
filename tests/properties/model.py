"""What a platform must know, as plain values: the model that the real one is held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli import Run, RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GPUS", "PLACES", "Known", "settled"]

GPUS = 8
"""GPUs of the cluster, and of each run that wants it for itself."""


PLACES = 16
"""Runs without GPUs that a node takes at least."""


@dataclass(eq=False)
class Known:
    """A run of the model. It is under way, in some status before its end, until `end` says otherwise."""

    name: str
    pipe: Path
    """Where its command waits for its exit status."""
    gpus: int
    created_at: datetime
    max_retries: int
    limit: float | None
    """Seconds that an attempt may take."""
    metadata: dict[str, Any] = field(default_factory=dict)
    end: RunStatus | None = None
    attempts: int = 1
    failures: int = 0
    is_deleted: bool = False
    started_at: datetime | None = None
    """When the present attempt was first seen RUNNING."""

    @property
    def is_running(self) -> bool:
        """Whether its command waits for an exit status."""
        return self.end is None and self.started_at is not None

    def fail(self) -> None:
        """Take note that the command failed: the platform tries again, or not."""
        if self.failures < self.max_retries:
            self.failures += 1
            self.again()
        else:
            self.end = RunStatus.FAILED

    def again(self) -> None:
        """Take note of another attempt."""
        self.attempts += 1
        self.started_at = self.end = None

    def see(self, now: datetime) -> None:
        """Take note that the command runs."""
        self.started_at = self.started_at or now

    def pass_time(self, now: datetime) -> None:
        """Take note of the time, which may be over for the present attempt."""
        if self.end is not None or self.limit is None or self.started_at is None:
            return
        if now >= self.started_at + timedelta(seconds=self.limit):
            self.end = RunStatus.STOPPED


def settled(known: Sequence[Known], found: Sequence[Run]) -> bool:
    """Tell whether the platform has done all there is to do: each run waits for its command or GPUs, or has ended."""
    listed = {run.name: run for run in found}
    if {each.name for each in known} != listed.keys():
        return False
    return all(_agrees(each, listed[each.name]) for each in known) and _shared_out(known, listed)


def _agrees(known: Known, run: Run) -> bool:
    under_way = {RunStatus.RUNNING, RunStatus.QUEUED} if known.gpus else {RunStatus.RUNNING}
    right = run.status in under_way if known.end is None else run.status is known.end
    return right and len(run.resumptions) == known.attempts


def _shared_out(known: Sequence[Known], listed: dict[str, Run]) -> bool:
    """Tell whether one run has the GPUs, if any wants them, and it is none that lost them."""
    wanting = [each for each in known if each.gpus and each.end is None]
    running = [each for each in wanting if listed[each.name].status is RunStatus.RUNNING]
    kept = [each for each in wanting if each.is_running]
    return len(running) == min(1, len(wanting)) and (not kept or kept == running)
