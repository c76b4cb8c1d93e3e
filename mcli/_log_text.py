"""From pieces of a log's bytes to text and lines. No I/O."""

from __future__ import annotations

import binascii
import codecs
import io
import re
from typing import TYPE_CHECKING

from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Gap", "LineSplitter", "LogDecoder", "LogText"]


_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


class Gap(Exception):  # noqa: N818 - not an error, but what happened
    """Bytes of the log are missing before a chunk."""


class LogDecoder:
    """Decode the chunks of one log, in whatever pieces they come.

    A character may be split between chunks, and a chunk may repeat bytes of earlier ones. Bytes that are not UTF-8
    become U+FFFD, and nothing after them is lost.

    >>> decoder = LogDecoder()
    >>> decoder.decode("4oI=", 2), decoder.decode("gqwK", 4)
    ('', '€\\n')
    """

    def __init__(self) -> None:
        self.offset = 0
        """Bytes of the log that were read: where to go on."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, chunk: str | bytes, end_offset: int, *, from_anywhere: bool = False) -> str:
        """Return the text that a chunk adds.

        Args:
            chunk: Bytes of the log, or the base64 of them.
            end_offset: Position in the log after the last of them.
            from_anywhere: Whether the chunk may begin after what was read: at a tail, or at a gap that stays.

        Raises:
            Gap: It begins after what was read, and nothing of it was taken.
            MAPIException: The text is not base64.
        """
        data = chunk if isinstance(chunk, bytes) else _from_base64(chunk)
        if end_offset <= self.offset:
            return ""
        known = self.offset - (end_offset - len(data))
        if known < 0 and not from_anywhere:
            raise Gap
        self.offset = end_offset
        return self._decoder.decode(data[max(known, 0) :])

    def end(self) -> str:
        """Return the text of what is left at the end of the log: part of a character, at most."""
        return self._decoder.decode(b"", final=True)


def _from_base64(chunk: str) -> bytes:
    try:
        return binascii.a2b_base64(chunk, strict_mode=True)
    except ValueError as e:
        raise MAPIException(500, f"The platform sent a piece of the log that is not base64: {e}.") from None


class LineSplitter:
    r"""Cut text into lines as they complete: each ends with its `\n`, `\r\n` or `\r`, as a progress bar writes it.

    >>> splitter = LineSplitter()
    >>> splitter.split("10 %\r20 %\r"), splitter.split("done\r\nnext")
    (['10 %\r'], ['20 %\r', 'done\r\n'])
    >>> splitter.end()
    ['next']
    """

    def __init__(self) -> None:
        self._begun: list[str] = []

    def split(self, text: str) -> list[str]:
        r"""Return the lines that the text completes. A `\r` at its end waits: a `\n` may follow."""
        if self._begun and not self._begun[-1].endswith("\r") and "\n" not in text and "\r" not in text:
            self._begun.append(text)  # a long line grows without being copied each time
            return []
        lines = _lines("".join([*self._begun, text]))
        self._begun = [lines.pop()] if lines and not lines[-1].endswith("\n") else []
        return lines

    def end(self) -> list[str]:
        """Return the last line, if it has no newline."""
        last, self._begun = "".join(self._begun), []
        return [last] if last else []


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


class LogText(str):
    r"""The text of a log: a `str`, but iterating over it gives lines, each with what ends it (`\n`, `\r\n`, `\r`).

    >>> list(LogText("a\nb"))
    ['a\n', 'b']
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return (found[0] for found in _LINE.finditer(self))
