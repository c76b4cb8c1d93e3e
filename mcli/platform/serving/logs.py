"""Logs of runs: which file is meant, which part of it, and how to follow it."""

from __future__ import annotations

import asyncio
import base64
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.execution.environment import GPU_LOG_PREFIX
from mcli.platform.execution.log_limit import LOG_LIMIT
from mcli.platform.serving.log_files import ENDLESS, FileWatcher, chunks, exception_span, size, tail_start
from mcli.platform.state import records
from mcli.platform.state.selection import named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from mcli.platform.execution.folders import RunFolders
    from mcli.platform.state.hub import Change, Hub
    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Store

__all__ = ["Logs"]


class Logs:
    """The logs of all runs."""

    def __init__(self, store: Store, hub: Hub, folders: RunFolders, limit: int = LOG_LIMIT) -> None:
        self._store = store
        self._hub = hub
        self._folders = folders
        self._limit = limit
        self._files = FileWatcher()

    async def read(self, data: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the `LogChunk`s that a `GetRunLogsInput` asks for.

        Without `follow` up to where the log was at the request; with it until the resumption has ended and all of its
        log was given. The next piece of the file is read only when the one before was taken, so a slow reader costs
        no memory.
        """
        run = await self._store.read(lambda db: named(db, data["name"], deleted=True))
        index, follow = _resumption(run, data), bool(data.get("follow"))
        with self._hearing(run) as news:
            run = await news.reload()
            while follow and not _has_begun(run, index):
                run = await news.wait()
            path = self._locate(run, index, data)
            if path is None:
                return
            part = await _part(path, data)
            with self._files.following(path, news.wakeup):
                while True:
                    news.wakeup.clear()
                    over = is_over(await news.reload(), index)
                    for chunk in part.take(path, ENDLESS if over else self._limit):
                        yield chunk
                    if over or not follow:
                        return
                    await news.wakeup.wait()

    @contextmanager
    def _hearing(self, run: Run) -> Generator[_News]:
        news = _News(run, lambda: self._store.read(lambda db: records.load(db, run.id)))
        with self._folders.reading(run.name), self._hub.listening(run.id, news.hear):
            yield news

    def _locate(self, run: Run, index: int, data: Mapping[str, Any]) -> Path | None:
        """Return the file that is meant; None for one that does not exist and never will."""
        node, gpu = _ranks(run, index, data)
        folder = self._folders.node(run.name, index, node)
        if run.is_deleted and not folder.path.exists() and is_over(run, index):
            raise RequestError(404, f"Run {run.name!r} is deleted, and its logs with it.")
        if not gpu:
            return folder.log if _has_begun(run, index) else None
        path = folder.gpu_logs / f"{GPU_LOG_PREFIX}{gpu}.txt"
        if path.exists() or not is_over(run, index):
            return path
        raise RequestError(404, f"Run {run.name!r} has no log of GPU rank {gpu} on node {node}.")


class _News:
    """A run as it is now, for one who follows it."""

    def __init__(self, run: Run, load: Callable[[], Any]) -> None:
        self._run = run
        self._load = load
        self._is_stale = True  # it may have changed before we listened
        self.wakeup = asyncio.Event()
        """Set when the run has changed; whoever waits for it clears it."""

    def hear(self, _: Change) -> None:
        self._is_stale = True
        self.wakeup.set()

    async def reload(self) -> Run:
        """Return the run, which is read again only if it has changed."""
        if self._is_stale:
            self._is_stale = False
            self._run = await self._load()
        return self._run

    async def wait(self) -> Run:
        """Return the run once it has changed again."""
        await self.wakeup.wait()
        self.wakeup.clear()
        return await self.reload()


@dataclass
class _Part:
    """The bytes of a log that a reader still wants."""

    position: int
    end: int

    def take(self, path: Path, limit: int) -> Iterator[dict[str, Any]]:
        """Yield what there is of it now, as `LogChunk`s; the log is, or will be, cut at `limit`."""
        for chunk in chunks(path, self.position, self.end, limit):
            self.position += len(chunk)
            yield {"chunk": base64.b64encode(chunk).decode(), "endOffset": self.position}


async def _part(path: Path, data: Mapping[str, Any]) -> _Part:
    offset, tail, end = data.get("offset") or 0, data.get("tail"), size(path)
    if offset < 0 or (tail is not None and tail < 0):
        raise RequestError(400, "offset and tail must not be negative.")
    if data.get("exceptionOnly"):
        start, end = await exception_span(path, end)
        return _Part(max(start, offset), end)
    start = 0 if tail is None else await tail_start(path, tail, end)
    return _Part(max(start, offset), ENDLESS if data.get("follow") else end)


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
    """Return the node and the GPU rank on it that are meant."""
    resumption, demand = run.resumptions[index], run.demand
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
            404, f"Run {run.name!r} has no GPU rank {gpu}; it has {demand.gpus_per_node} GPUs per node."
        )
    return _checked_node(run, node), gpu


def _checked_node(run: Run, node: int) -> int:
    if not 0 <= node < run.demand.nodes:
        raise RequestError(404, f"Run {run.name!r} has no node rank {node}; it has {run.demand.nodes} nodes.")
    return node
