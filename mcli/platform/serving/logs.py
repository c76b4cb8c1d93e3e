"""Logs of runs: which file is meant, which part of it, and how to follow it."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.execution.environment import GPU_LOG_PREFIX
from mcli.platform.state import records
from mcli.platform.state.hub import Change, Hub
from mcli.platform.state.selection import named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator, Mapping
    from pathlib import Path

    from mcli.platform.execution.folders import RunFolders
    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Store

__all__ = ["CHUNK", "Logs", "tail_start"]

CHUNK = 1 << 16  # bytes
_POLL_SECONDS = 0.025
_BLOCK = 1 << 16
_EXCEPTION = re.compile(
    rb"^Traceback \(most recent call last\):\r?\n(?:[ \t].*\n|\r?\n)*\S.*\n?", re.MULTILINE
)


class FileWatcher:
    """Wakes those who follow files, by one look at all files every 25 ms, as long as somebody follows."""

    def __init__(self) -> None:
        self._followers: dict[asyncio.Event, tuple[Path, int]] = {}
        self._polling: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, path: Path, wakeup: asyncio.Event) -> Generator[None]:
        """Have `wakeup` rung when the file's size changes."""
        self._followers[wakeup] = (path, -1)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            del self._followers[wakeup]

    async def _poll(self) -> None:
        while self._followers:
            sizes = {path: _size(path) for path, _ in self._followers.values()}
            for wakeup, (path, size) in self._followers.items():
                if sizes[path] != size:
                    self._followers[wakeup] = (path, sizes[path])
                    wakeup.set()
            await asyncio.sleep(_POLL_SECONDS)


class Logs:
    """The logs of all runs."""

    def __init__(self, store: Store, hub: Hub, folders: RunFolders) -> None:
        self._store = store
        self._hub = hub
        self._folders = folders
        self._files = FileWatcher()

    async def read(self, data: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the `LogChunk`s that a `GetRunLogsInput` asks for.

        With `follow` until the resumption has ended and all of its log was given. The next piece of the file
        is read only when the one before was taken, so a slow reader costs no memory.
        """
        run = await self._store.read(lambda db: named(db, data["name"]))
        index = _resumption(run, data)
        wakeup, changes = asyncio.Event(), list[Change]()

        def hear(change: Change) -> None:
            changes.append(change)
            wakeup.set()

        with self._hub.listening(run.id, hear):
            run = await self._reload(run)
            while data.get("follow") and not _has_begun(run, index):
                await wakeup.wait()
                wakeup.clear()
                run = await self._reload(run)
            path = self._locate(run, index, data)
            if path is None:
                return
            position, end = _part(path, data)
            with self._files.following(path, wakeup):
                while True:
                    wakeup.clear()
                    if changes:
                        changes.clear()
                        run = await self._reload(run)
                    over = is_over(run, index) or not data.get("follow")
                    for chunk in _chunks(path, position, end):
                        position += len(chunk)
                        yield {"chunk": base64.b64encode(chunk).decode(), "endOffset": position}
                    if over:
                        return
                    await wakeup.wait()

    async def _reload(self, run: Run) -> Run:
        return await self._store.read(lambda db: records.load(db, run.id))

    def _locate(self, run: Run, index: int, data: Mapping[str, Any]) -> Path | None:
        """Give the file that is meant; None for one that does not exist and never will."""
        node, gpu = _ranks(run, index, data)
        folder = self._folders.node(run.id, index, node)
        if not gpu:
            return folder.log if _has_begun(run, index) else None
        path = folder.gpu_logs / f"{GPU_LOG_PREFIX}{gpu}.txt"
        if path.exists() or not is_over(run, index):
            return path
        raise RequestError(404, f"Run {run.name!r} has no log of GPU rank {gpu} on node {node}.")


def is_over(run: Run, index: int) -> bool:
    """Tell whether a resumption has ended, its log being complete."""
    return index < run.index or run.status in records.TERMINAL


def _has_begun(run: Run, index: int) -> bool:
    return run.resumptions[index]["startTime"] is not None or is_over(run, index)


def _resumption(run: Run, data: Mapping[str, Any]) -> int:
    container = data.get("containerName") or "MAIN"
    if container.upper() != "MAIN":
        raise RequestError(404, f"Run {run.name!r} has no container {container!r}, only MAIN.")
    index = data.get("attemptIndex")
    if index is None:
        return run.index
    if not 0 <= index < len(run.resumptions):
        raise RequestError(404, f"Run {run.name!r} has no resumption {index}; the last one is {run.index}.")
    return int(index)


def _ranks(run: Run, index: int, data: Mapping[str, Any]) -> tuple[int, int]:
    """Give the node and the GPU rank on it that are meant."""
    resumption, demand = run.resumptions[index], run.wants()
    if data.get("failed") or data.get("exceptionOnly"):
        node = resumption["failedRank"]
        if node is None:
            raise RequestError(404, f"Resumption {index} of run {run.name!r} has no failed rank.")
    elif data.get("globalGpuRank") is not None:
        node, gpu = divmod(data["globalGpuRank"], max(1, demand.gpus_per_node))
        return _checked_node(run, node), gpu
    else:
        node = data.get("nodeRank") or 0
    gpu = data.get("localGpuRank") or 0
    if not 0 <= gpu < max(1, demand.gpus_per_node):
        raise RequestError(
            404, f"Run {run.name!r} has no GPU rank {gpu}; it has {demand.gpus_per_node} GPUs a node."
        )
    return _checked_node(run, node), gpu


def _checked_node(run: Run, node: int) -> int:
    if not 0 <= node < run.wants().nodes:
        raise RequestError(
            404, f"Run {run.name!r} has no node rank {node}; it has {run.wants().nodes} nodes."
        )
    return node


def _part(path: Path, data: Mapping[str, Any]) -> tuple[int, int | None]:
    """Give the bytes of the file that are meant: from where, and up to where if that is fixed."""
    offset, tail = data.get("offset") or 0, data.get("tail")
    if offset < 0 or (tail is not None and tail < 0):
        raise RequestError(400, "offset and tail must not be negative.")
    if data.get("exceptionOnly"):
        start, end = _exception(path)
        return max(start, offset), end
    return (offset if tail is None else max(offset, tail_start(path, tail))), None


def tail_start(path: Path, characters: int) -> int:
    """Give the position from which a file has so many characters of UTF-8 to its end."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        position = file.seek(0, os.SEEK_END)
        while position and characters:
            block_start = max(0, position - _BLOCK)
            file.seek(block_start)
            block = file.read(position - block_start)
            heads = [at for at, byte in enumerate(block) if byte & 0xC0 != 0x80]  # not inside a character
            if len(heads) >= characters:
                return block_start + heads[-characters]
            characters -= len(heads)
            position = block_start
        return position


def _exception(path: Path) -> tuple[int, int]:
    """Find the first exception of a log: a Python traceback up to the line that names it."""
    text = path.read_bytes() if path.exists() else b""
    found = _EXCEPTION.search(text)
    return found.span() if found else (len(text), len(text))


def _chunks(path: Path, position: int, end: int | None) -> Iterator[bytes]:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        while chunk := os.pread(file, CHUNK if end is None else min(CHUNK, end - position), position):
            position += len(chunk)
            yield chunk
    finally:
        os.close(file)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
