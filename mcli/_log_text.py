"""From pieces of a log's bytes to text and lines. Pure."""

from __future__ import annotations

import binascii
import codecs
from typing import TYPE_CHECKING

from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LineSplitter", "LogDecoder", "LogText"]


class LogDecoder:
    """Decode the chunks of one log, in whatever pieces they come.

    A character may be split between chunks, and a chunk may repeat bytes of earlier ones. Bytes that are no UTF-8
    become U+FFFD, and nothing after them is lost.

    >>> decoder = LogDecoder()
    >>> decoder.decode("4oI=", 2), decoder.decode("gqwK", 4)
    ('', '€\\n')
    """

    def __init__(self) -> None:
        self.offset = 0
        """Bytes of the log that were read: where to go on."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, chunk: str, end_offset: int) -> str:
        """Return the text that a chunk adds.

        Args:
            chunk: Base64 of bytes of the log.
            end_offset: Position in the log after the last of them.

        Raises:
            MAPIException: The chunk is no base64.
        """
        try:
            data = binascii.a2b_base64(chunk, strict_mode=True)
        except ValueError as e:
            raise MAPIException(
                500, f"The platform sent a piece of the log that is no base64: {e}."
            ) from None
        if end_offset <= self.offset:
            return ""
        known = self.offset - (end_offset - len(data))
        self.offset = end_offset
        return self._decoder.decode(data[max(known, 0) :])

    def end(self) -> str:
        """Return the text of what is left at the end of the log: part of a character, at most."""
        return self._decoder.decode(b"", final=True)


class LineSplitter:
    """Cut text into lines, each with its newline, as they complete."""

    def __init__(self) -> None:
        self._begun: list[str] = []

    def split(self, text: str) -> list[str]:
        """Return the lines that the text completes."""
        first, *others = text.split("\n")
        self._begun.append(first)
        if not others:
            return []
        *whole, begun = others
        lines = ["".join(self._begun) + "\n", *(line + "\n" for line in whole)]
        self._begun = [begun]
        return lines

    def end(self) -> list[str]:
        """Return the last line, if it has no newline."""
        last, self._begun = "".join(self._begun), []
        return [last] if last else []


class LogText(str):
    r"""The text of a log: a `str`, but iterating over it gives lines, each with its newline.

    >>> list(LogText("a\nb"))
    ['a\n', 'b']
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        begin = 0
        while (end := self.find("\n", begin) + 1) > 0:
            yield self[begin:end]
            begin = end
        if begin < len(self):
            yield self[begin:]
