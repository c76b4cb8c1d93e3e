"""Files of logs: where a part of one begins and ends, its pieces, and who is woken when one grows.

Logs may be many gigabytes. What looks through one gives way after each block, so that nobody else waits for it, and
never holds more than a block.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcli.platform.execution.log_limit import notice

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from io import BufferedReader
    from pathlib import Path

__all__ = ["CHUNK", "ENDLESS", "FileWatcher", "chunks", "exception_span", "size", "tail_start"]

CHUNK = 1 << 16  # bytes
_BLOCK = 1 << 20  # bytes: a millisecond of work
_LINES = 1000  # lines of a traceback until others have their turn
_POLL_SECONDS = 0.025
ENDLESS = 1 << 62
_CONTINUATIONS = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that do not begin a character."""
_HEAD = re.compile(rb"^Traceback \(most recent call last\):\r?\n", re.MULTILINE)
_OVERLAP = 64  # bytes, more than a head has


class FileWatcher:
    """Wakes those who follow files, by one look at all files every 25 ms while anybody follows."""

    def __init__(self) -> None:
        self._followers: dict[asyncio.Event, tuple[Path, int]] = {}
        self._polling: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, path: Path, wakeup: asyncio.Event) -> Generator[None]:
        """Set `wakeup` whenever the file's size has changed."""
        self._followers[wakeup] = (path, -1)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            del self._followers[wakeup]

    async def _poll(self) -> None:
        while self._followers:
            sizes = {path: size(path) for path, _ in self._followers.values()}
            for wakeup, (path, seen) in self._followers.items():
                if sizes[path] != seen:
                    self._followers[wakeup] = (path, sizes[path])
                    wakeup.set()
            await asyncio.sleep(_POLL_SECONDS)


def size(path: Path) -> int:
    """Return the size of a file in bytes; 0 while it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def chunks(path: Path, position: int, end: int = ENDLESS, limit: int = ENDLESS) -> Iterator[bytes]:
    """Yield a log's bytes from a position on, to its present end or at most to `end`.

    With `limit` the log has what it will have once it is cut there, though more is in the file now.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        while chunk := os.pread(file, max(0, min(CHUNK, min(end, limit) - position)), position):
            position += len(chunk)
            yield chunk
        is_cut = limit <= position and os.fstat(file).st_size > limit
        if is_cut and (rest := notice(limit)[position - limit : max(0, end - limit)]):
            yield rest
    finally:
        os.close(file)


async def tail_start(path: Path, characters: int, end: int) -> int:
    """Return the position from which a file has so many characters of UTF-8 up to `end`."""
    if characters >= end:
        return 0
    with path.open("rb") as file:
        while end and characters:
            start = max(0, end - _BLOCK)
            file.seek(start)
            block = file.read(end - start)
            heads = len(block.translate(None, _CONTINUATIONS))
            if heads >= characters:
                return start + _head(block, heads - characters)
            characters, end = characters - heads, start
            await asyncio.sleep(0)
    return end


def _head(block: bytes, number: int) -> int:
    """Return where a character begins in a block, counted from 0, by halving the block again and again."""
    begin, length = 0, len(block)
    while length > 1:
        half = length // 2
        heads = len(block[begin : begin + half].translate(None, _CONTINUATIONS))
        if number < heads:
            length = half
        else:
            number, begin, length = number - heads, begin + half, length - half
    return begin


async def exception_span(path: Path, end: int) -> tuple[int, int]:
    """Return where the first Python traceback begins, and where the line that names its exception ends.

    Both are `end`, up to which the file is looked through, if there is none.
    """
    if not size(path):
        return end, end
    with path.open("rb") as file:
        start = await _find_head(file, end)
        if start is None:
            return end, end
        file.seek(start)
        file.readline()
        stop = await _skip_frames(file)
        return (start, min(stop, end)) if stop else (end, end)


async def _find_head(file: BufferedReader, end: int) -> int | None:
    position, kept = 0, b""
    while block := file.read(min(_BLOCK, end - position)):
        text = kept + block
        # at the first byte of `text` a line begins only if that is the file's first as well
        if found := _HEAD.search(text, 1 if position else 0):
            return position - len(kept) + found.start()
        position, kept = position + len(block), text[-_OVERLAP:]
        await asyncio.sleep(0)
    return None


async def _skip_frames(file: BufferedReader) -> int | None:
    """Return where the first line ends that is neither indented nor empty; None if there is none."""
    number, inside = 0, False
    while line := file.readline(CHUNK):
        if not inside and not line.startswith((b" ", b"\t")) and line.strip(b"\r\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(CHUNK)
            return file.tell()
        inside, number = not line.endswith(b"\n"), number + 1
        if number % _LINES == 0:
            await asyncio.sleep(0)
    return None
