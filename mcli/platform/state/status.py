"""The statuses of a run, and which of them mean that it waits, holds nodes, or has ended."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LIVE", "TERMINAL", "WAITING", "Status"]


class Status(StrEnum):
    """Where a run is in its life, from earliest to latest."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


WAITING = (Status.PENDING, Status.QUEUED)
LIVE = (Status.STARTING, Status.RUNNING, Status.TERMINATING)
TERMINAL = (Status.COMPLETED, Status.STOPPED, Status.FAILED)
