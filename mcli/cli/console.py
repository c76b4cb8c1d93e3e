"""What a terminal shows: tables, colours, spans of time, a live line. A pipe gets plain lines that are never cut."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import unicodedata
from typing import TYPE_CHECKING, TextIO

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
_BOLD, _DIM, _RED = 1, 2, 31


def is_terminal(stream: TextIO) -> bool:
    """Tell whether somebody looks at a stream, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_coloured(stream: TextIO) -> bool:
    """Tell whether a stream gets colours: by `NO_COLOR`, `FORCE_COLOR`, and whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def paint(text: str, code: int | None = _BOLD, stream: TextIO | None = None) -> str:
    """Return a text in a colour, by its SGR code, where the stream (stdout) shows colours."""
    return f"\x1b[{code}m{text}\x1b[0m" if code and is_coloured(stream or sys.stdout) else text


def status(name: str) -> str:
    """Return a status for people: `Running`, in its colour."""
    return paint(name.capitalize(), _COLOURS.get(name))


def plain(text: str) -> str:
    """Return a text on one line, with nothing in it that moves a terminal's cursor or changes its colours.

    >>> plain("two\\nlines \\x1b[31mred")
    'two lines [31mred'
    """
    line = " ".join(text.split())
    return "".join(letter for letter in line if unicodedata.category(letter) != "Cc")


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


class LiveLine:
    """One line on stderr, below what is printed, that is drawn anew; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._on = is_terminal(sys.stderr)
        self._text = ""
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Show a text in place of the one before."""
        with self._lock:
            if self._on and text != self._text:
                self._text = text
                self._draw()

    def print(self, text: str) -> None:
        """Print to stdout above the line; a text without a newline keeps the line away until its own comes."""
        with self._lock:
            if self._on and self._text:
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
            sys.stdout.write(text)
            sys.stdout.flush()
            if self._on and self._text and text.endswith("\n"):
                self._draw()

    def close(self) -> None:
        """Take the line away."""
        self.show("")

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        shown = paint(plain(self._text)[:width], _DIM, sys.stderr) if self._text else ""
        sys.stderr.write(f"\r\x1b[2K{shown}")
        sys.stderr.flush()
