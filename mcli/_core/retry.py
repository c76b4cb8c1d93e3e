"""When to try again, and how long to wait before: a function of what went wrong and how often.

Queries may be repeated. A mutation may be repeated only if the platform certainly did not carry it out, or if it
remembers the request by its key.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

__all__ = ["TRANSIENT", "Failure", "Kind", "is_ambiguous", "pause"]

TRANSIENT = {429, 502, 503, 504}
"""Statuses that say `not now`."""

TRIES = 10
"""Tries in all of a request that the platform cannot take now."""
TRIES_TO_CONNECT = 4
"""Tries in all to reach an endpoint: a dead one is to be told as such within a second."""

LONGEST = 600.0
"""Seconds that we wait when asked to: whoever asks for more is taken to be down."""


class Kind(Enum):
    """How far a request came."""

    UNREACHED = "it never reached the platform"
    LOST = "it was sent, and no answer came"
    REFUSED = "the platform, or something before it, answered that it cannot now"
    FINAL = "the platform answered"


@dataclass(frozen=True)
class Failure:
    """What went wrong with one try."""

    kind: Kind
    status: int = 0
    """HTTP status of the answer, 0 without one."""
    retry_after: float | None = None
    """Seconds that the answer asks to wait."""


def is_ambiguous(failure: Failure) -> bool:
    """Tell whether the platform may have carried out the request, without our knowing.

    A 503 may come from a proxy after the platform did its work; a 429 means that it did not begin.
    """
    return failure.kind is Kind.LOST or (failure.kind is Kind.REFUSED and failure.status != 429)


def pause(failure: Failure, number: int, *, repeatable: bool, chance: float | None = None) -> float | None:
    """Return the seconds to wait before the next try, None to give up.

    Args:
        failure: What went wrong with this try.
        number: Number of this try, from 1.
        repeatable: Whether the request may be carried out twice without harm.
        chance: Number from 0 to 1 that spreads the pauses of many clients; drawn if not given.

    >>> pause(Failure(Kind.REFUSED, 503), 1, repeatable=False) is None
    True
    >>> pause(Failure(Kind.REFUSED, 429, retry_after=7), 1, repeatable=False)
    7
    """
    limit = TRIES_TO_CONNECT if failure.kind is Kind.UNREACHED else TRIES
    if failure.kind is Kind.FINAL or number >= limit or (is_ambiguous(failure) and not repeatable):
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= LONGEST else None
    longest: float = 0.1 * 2**number
    if failure.kind is Kind.UNREACHED:
        longest /= 2
    return min(longest, 15.0) * (0.5 + (random.random() if chance is None else chance) / 2)  # noqa: S311 - spreads, hides nothing
