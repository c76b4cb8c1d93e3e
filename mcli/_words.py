"""Words for people: lengths of time, and what a run was given. For terminals and notebooks alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

__all__ = ["age", "compute", "span"]


class Computes(Protocol):
    """What has compute: a run."""

    @property
    def gpus(self) -> int: ...
    @property
    def gpu_type(self) -> str: ...
    @property
    def cpus(self) -> int: ...
    @property
    def node_count(self) -> int: ...


def span(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> span(0.4), span(75), span(3600), span(90061)
    ('0s', '1m15s', '1h', '1d1h')
    """
    whole = max(0, int(seconds))
    for size, unit, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{whole}s"


def age(moment: datetime) -> str:
    """Return how long ago something was."""
    return span((datetime.now(UTC) - moment).total_seconds())


def compute(run: Computes) -> str:
    """Return what a run was given: `16x a100_80gb, 2 nodes`, `2 cpus`, `cpu`."""
    nodes = f", {run.node_count} nodes" if (run.node_count or 0) > 1 else ""
    if run.gpus:
        return f"{run.gpus}x {run.gpu_type}{nodes}"
    return (f"{run.cpus} cpu{'s' if run.cpus > 1 else ''}" if run.cpus else "cpu") + nodes
