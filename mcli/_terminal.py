"""What a terminal can show: colours, and a line that is drawn anew. A pipe gets plain text."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import unicodedata
from typing import TextIO

__all__ = ["LiveLine", "is_coloured", "is_terminal", "paint", "plain"]

_BOLD, _DIM = 1, 2


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


def plain(text: str) -> str:
    """Return a text on one line, with nothing in it that moves a terminal's cursor or changes its colours.

    >>> plain("two\\nlines \\x1b[31mred")
    'two lines [31mred'
    """
    line = " ".join(text.split())
    return "".join(letter for letter in line if unicodedata.category(letter) != "Cc")


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
