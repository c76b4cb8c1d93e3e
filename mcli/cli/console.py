"""What a terminal shows: tables, colours, spans of time, a live line. A pipe gets plain lines that are never cut."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from mcli._terminal import LiveLine, is_coloured, is_terminal, paint, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "LiveLine",
    "failure",
    "is_coloured",
    "is_terminal",
    "paint",
    "plain",
    "status",
    "status_colour",
    "table",
]

_COLOURS = {
    "RUNNING": 34,
    "STARTING": 34,
    "COMPLETED": 32,
    "FAILED": 31,
    "QUEUED": 33,
    "PENDING": 33,
    "TERMINATING": 33,
    "STOPPED": 2,
    "UNKNOWN": 2,
}
_BOLD, _RED = 1, 31


def status(name: str) -> str:
    """Return a status for people: `Running`, in its colour."""
    return paint(name.capitalize(), _COLOURS.get(name))


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], code: Callable[[int, str], int | None] | None = None
) -> None:
    """Print aligned columns. On a terminal the last one is cut to the width; in a pipe nothing is cut.

    Args:
        head: Titles of the columns.
        rows: The cells of each row.
        code: The colour of a cell, by its column and text.
    """
    lines = [tuple(head), *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    if is_terminal(sys.stdout):
        left = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * (len(head) - 1)
        widths[-1] = max(8, min(widths[-1], left))
    for number, line in enumerate(lines):
        cells = []
        for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
            shown = cell if len(cell) <= width else f"{cell[: width - 1]}…"
            colour = _BOLD if number == 0 else code(column, cell) if code else None
            padded = shown if column == len(head) - 1 else shown.ljust(width)
            cells.append(paint(padded, colour))
        print("  ".join(cells).rstrip())


def status_colour(column: int) -> Callable[[int, str], int | None]:
    """Return what colours the cells of one column by the status that they name."""
    return lambda at, cell: _COLOURS.get(cell) if at == column else None


def failure(error: BaseException) -> None:
    """Print an error for people, on stderr."""
    text = str(error) or type(error).__name__
    print(f"{paint('mcli:', _RED, sys.stderr)} {text}", file=sys.stderr)
