"""What becomes of a run whose ranks have ended: a pure function of the run and of how they ended.

What counts as the platform's failure, and how often what is retried, is said in the contract, sections 1.4 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcli.platform.clock import seconds_between
from mcli.platform.state import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcli.platform.execution.engine import Exit
    from mcli.platform.state.records import Run

__all__ = ["Outcome", "first_failure", "judge", "node_reason"]

SYSTEM_RETRIES = 100
SYSTEM_RETRIES_IN_A_ROW = 10
SOUND_AFTER = 60.0
"""Seconds of RUNNING after which earlier failures no longer count as "in a row"."""
LONGEST_PAUSE = 60.0  # seconds


@dataclass(frozen=True)
class Outcome:
    """How a resumption ended, and whether another one follows."""

    status: str
    reason: str
    retry_after: float | None = None
    """Seconds until the next resumption may start; None when there is none."""


def judge(run: Run, ends: Sequence[Exit], now: str) -> Outcome:
    """Decide what follows; count a failure that is retried in `run.failures`."""
    stopping = run.stopping or {}
    match stopping.get("kind"):
        case "preempted":
            return Outcome("STOPPED", stopping["reason"], retry_after=0.0)
        case "limit" if run.run_type == "INTERACTIVE":
            return Outcome("COMPLETED", events.COMPLETED)
        case "user" | "limit":
            return Outcome("STOPPED", stopping["reason"])
    first = first_failure(ends)
    if first is None:
        return Outcome("COMPLETED", events.COMPLETED)
    end = ends[first]
    return Outcome("FAILED", node_reason(run, first, end) or "", _retry(run, end, now))


def first_failure(ends: Sequence[Exit]) -> int | None:
    """Return the rank that failed first; ranks that were asked to stop come after those that were not."""
    failed = [rank for rank, end in enumerate(ends) if end.code != 0]
    return min(failed, key=lambda rank: (ends[rank].stopped, ends[rank].ended_at), default=None)


def node_reason(run: Run, rank: int, end: Exit) -> str | None:
    """Return why a node failed; None when it did not."""
    if end.lost:
        return end.problem or events.node_lost_reason(run.latest["placement"][rank]["name"])
    return events.exit_reason(end.code, end.detail, out_of_memory=end.out_of_memory) if end.code else None


def _retry(run: Run, end: Exit, now: str) -> float | None:
    counts, since = run.failures, run.latest["runningSince"]
    if since is not None and seconds_between(since, now) >= SOUND_AFTER:
        counts["in_a_row"] = 0
    if end.is_platforms_fault and run.retry_on_system_failure:
        if counts["system"] >= SYSTEM_RETRIES or counts["in_a_row"] >= SYSTEM_RETRIES_IN_A_ROW:
            return None
        counts["system"] += 1
    else:
        if counts["user"] >= run.max_retries:
            return None
        counts["user"] += 1
    counts["in_a_row"] += 1
    return pause(counts["in_a_row"])


def pause(retries: int) -> float:
    """Return the seconds before a retry, by its number in a row: 0 for the first, then 1, 2, 4 … 60.

    >>> [pause(number) for number in (1, 2, 3, 4, 9)]
    [0.0, 1.0, 2.0, 4.0, 60.0]
    """
    return 0.0 if retries <= 1 else min(LONGEST_PAUSE, 2.0 ** (retries - 2))
