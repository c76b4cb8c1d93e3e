"""Where a run is in its life."""

from __future__ import annotations

import re
from enum import Enum
from functools import total_ordering

__all__ = ["RunStatus"]


@total_ordering
class RunStatus(Enum):
    """Possible statuses of a run, from the earliest to the latest.

    Statuses compare and sort by this order. They are not strings: `run.status == "COMPLETED"` is False.

    >>> sorted([RunStatus.FAILED, RunStatus.RUNNING, RunStatus.QUEUED])[0]
    <RunStatus.QUEUED: 'QUEUED'>
    >>> f"{RunStatus.RUNNING}"
    'RUNNING'
    """

    # The order of these lines is the order of the statuses.
    UNKNOWN = "UNKNOWN"
    """Not a status that this version knows."""
    PENDING = "PENDING"
    """Submitted; the scheduler has not looked at it yet."""
    QUEUED = "QUEUED"
    """Waits for resources."""
    STARTING = "STARTING"
    """Has its nodes, and gets them ready."""
    RUNNING = "RUNNING"
    """Its command runs."""
    TERMINATING = "TERMINATING"
    """Being shut down."""
    COMPLETED = "COMPLETED"
    """Ended without error."""
    STOPPED = "STOPPED"
    """Stopped by a user or by the platform."""
    FAILED = "FAILED"
    """Ended with an error."""

    def __str__(self) -> str:
        return self.value

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, RunStatus):
            return NotImplemented
        return _POSITION[self] < _POSITION[other]

    def before(self, other: RunStatus, inclusive: bool = False) -> bool:
        """Tell whether this status usually comes before the other, or with `inclusive` is the other.

        >>> RunStatus.RUNNING.before(RunStatus.COMPLETED)
        True
        """
        return self <= other if inclusive else self < other

    def after(self, other: RunStatus, inclusive: bool = False) -> bool:
        """Tell whether this status usually comes after the other, or with `inclusive` is the other.

        >>> RunStatus.COMPLETED.after(RunStatus.RUNNING)
        True
        """
        return self >= other if inclusive else self > other

    def is_terminal(self) -> bool:
        """Tell whether a run stays in this status: COMPLETED, STOPPED or FAILED.

        >>> RunStatus.RUNNING.is_terminal()
        False
        """
        return self >= RunStatus.COMPLETED

    @classmethod
    def from_string(cls, run_status: str | RunStatus) -> RunStatus:
        """Read a status in any letter case; what is not one is `RunStatus.UNKNOWN`.

        >>> RunStatus.from_string("running")
        <RunStatus.RUNNING: 'RUNNING'>
        >>> RunStatus.from_string("LEVITATING")
        <RunStatus.UNKNOWN: 'UNKNOWN'>
        """
        if isinstance(run_status, cls):
            return run_status
        known = _BY_NAME.get(run_status)
        if known is not None:
            return known
        if not isinstance(run_status, str):  # the wire may hold null, and old statuses
            return cls.UNKNOWN
        snake_case = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", run_status)
        return cls.__members__.get(snake_case.upper(), cls.UNKNOWN)


_BY_NAME: dict[object, RunStatus] = {status.name: status for status in RunStatus}
_POSITION = {status: position for position, status in enumerate(RunStatus)}
