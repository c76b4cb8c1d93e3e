"""Which run goes first."""

from __future__ import annotations

__all__ = ["PRIORITIES", "priority"]

PRIORITIES = {"highest": 4, "high": 3, "auto": 2, "medium": 2, "low": 1, "lowest": 0}


def priority(text: str | None) -> str:
    """Return the priority that a run gets when it asks for `text`: an unknown one counts as `auto`.

    >>> priority("LOW"), priority("urgent"), priority(None)
    ('low', 'auto', 'auto')
    """
    asked = (text or "auto").lower()
    return asked if asked in PRIORITIES else "auto"
