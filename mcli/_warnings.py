"""Warnings that point at the user's line, however many of our functions stand between."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn whoever called into this package."""
    level, frame = 2, sys._getframe(1)  # noqa: SLF001 - documented, and what `warnings` itself uses
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "mcli":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, level)
