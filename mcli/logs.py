"""The logs of runs, as they are and as they grow. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.get_run_logs import GetRunLogs
from mcli_mapi.input_types import GetRunLogsInput
from mcli_mapi.operations import GET_RUN_LOGS_GQL

from mcli._arguments import flag, given, name_of, text, whole
from mcli._core.answers import decode
from mcli._core.messages import Unread
from mcli._core.operations import streamed_query
from mcli._core.streams import log_stream
from mcli._core.transport import streams
from mcli._log_text import Gap, LineSplitter, LogDecoder, LogText
from mcli._run_reader import read_details, standing
from mcli._warnings import warn
from mcli.exceptions import MAPIException
from mcli.watches import statuses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence

    from mcli._arguments import Named
    from mcli._core.transport import HttpTransport
    from mcli.run import Run

__all__ = ["LogText", "follow_run_logs", "get_run_logs"]

AHEAD = 4 << 20
"""Bytes of messages that may wait for a slow consumer, before the log pauses until that has caught up."""


@streamed_query(standing)
def get_run_logs(
    run: str | Named,
    rank: int | None = None,
    *,
    node_rank: int | None = None,
    local_gpu_rank: int | None = None,
    global_gpu_rank: int | None = None,
    timeout: float | None = None,
    future: Literal[False] = False,
    failed: bool = False,
    resumption: int | None = None,
    tail: int | None = None,
    container: str | None = None,
) -> Coroutine[Any, Any, str]:
    """Return the log of a run as it is now.

    Bytes that are not UTF-8 become U+FFFD. Logs of single GPUs exist for runs that Composer or LLM Foundry launched.

    Args:
        run: The run, or its name.
        rank: Deprecated name of `node_rank`.
        node_rank: Node whose log is read, from 0; default: the lowest there is.
        local_gpu_rank: GPU on that node, from 0.
        global_gpu_rank: GPU of the whole run, from 0, in place of node and local rank.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        failed: Whether to read the log of the first rank that failed.
        resumption: Resumption whose log is read, from 0; default: the last.
        tail: Characters from the end; default: all.
        container: Container whose log is read; default: `MAIN`.

    Returns:
        The text. It is a `str`; iterating over it gives lines, each with what ends it: `\\n`, `\\r\\n` or `\\r`.

    Raises:
        ValueError: The arguments contradict each other.
        MAPIException: There is no such run or log (404), or the platform could not be asked.

    >>> import mcli
    >>> config = mcli.RunConfig(name="hello", image="bash", command="echo hello", compute={"gpus": 0})
    >>> run = mcli.wait_for_run_status(mcli.create_run(config), "completed")
    >>> list(mcli.get_run_logs(run))[-1]  # the first line of our own platform names the run's folder
    'hello\\n'
    """
    request = _request(
        run,
        rank,
        node_rank,
        local_gpu_rank,
        global_gpu_rank,
        resumption,
        tail,
        container,
        failed=flag("failed", failed),
    )
    return _whole(streams(), request)


@log_stream(standing)
def follow_run_logs(
    run: str | Named,
    rank: int | None = None,
    *,
    node_rank: int | None = None,
    local_gpu_rank: int | None = None,
    global_gpu_rank: int | None = None,
    timeout: float | None = None,
    future: Literal[False] = False,
    resumption: int | None = None,
    tail: int | None = None,
    container: str | None = None,
) -> AsyncGenerator[Sequence[str], None]:
    """Iterate over the lines of a run's log, waiting for new ones until the run has ended.

    Lines come as they complete and keep what ends them, so that progress bars move: `print(line, end="")`. A line ends
    at `\\n`, `\\r\\n` or `\\r`. The iteration survives lost connections without losing or repeating a byte, and ends
    early with `close()` or by leaving the loop. When a run is resumed, after a failure or a preemption, the lines of
    its next resumption follow; with `resumption` the iteration ends with that one.

    Args:
        run: The run, or its name.
        rank: Node whose log is followed, from 0, as `node_rank`; default: the lowest there is.
        node_rank: Node whose log is followed, from 0; default: the lowest there is.
        local_gpu_rank: GPU on that node, from 0.
        global_gpu_rank: GPU of the whole run, from 0, in place of node and local rank.
        timeout: Seconds for the whole iteration; see `mcli.runs`. A run may take some time to say anything.
        future: Whether to return futures at once; see below and `mcli.runs`.
        resumption: Resumption whose log is followed, from 0; default: the last.
        tail: Characters from the end to begin with; default: all.
        container: Container whose log is followed; default: `MAIN`.

    Returns:
        A generator of lines. With `future=True` a Future of an iterator of Futures, one for each line; the last one
        raises StopAsyncIteration.

    Raises:
        ValueError: The arguments contradict each other.
        MAPIException: There is no such run or log (404), or the platform cannot be reached any more.
        TimeoutError: The log did not end within `timeout` seconds of the call.

    >>> import mcli
    >>> config = mcli.RunConfig(name="count", image="bash", command="seq 3", compute={"gpus": 0})
    >>> list(mcli.follow_run_logs(mcli.create_run(config)))[-3:]
    ['1\\n', '2\\n', '3\\n']
    """
    request = _request(
        run, rank, node_rank, local_gpu_rank, global_gpu_rank, resumption, tail, container, failed=None
    )
    return _lines(streams(), request)


def _request(
    run: str | Named,
    rank: int | None,
    node_rank: int | None,
    local_gpu_rank: int | None,
    global_gpu_rank: int | None,
    resumption: int | None,
    tail: int | None,
    container: str | None,
    *,
    failed: bool | None,
) -> GetRunLogsInput:
    """Check the arguments, and return what is asked for; a `failed` that is not None asks for no more than there is."""
    numbers = {
        "rank": rank,
        "node_rank": node_rank,
        "local_gpu_rank": local_gpu_rank,
        "global_gpu_rank": global_gpu_rank,
        "resumption": resumption,
        "tail": tail,
    }
    numbers = {name: whole(name, value) for name, value in numbers.items() if value is not None}
    container = None if container is None else text("container", container)
    _refuse_contradictions(numbers, container, failed=bool(failed))
    if rank is not None:
        warn("rank is deprecated: use node_rank.", DeprecationWarning)
    asked = {
        "node_rank": numbers.get("node_rank", numbers.get("rank")),
        "local_gpu_rank": numbers.get("local_gpu_rank"),
        "global_gpu_rank": numbers.get("global_gpu_rank"),
        "attempt_index": numbers.get("resumption"),
        "tail": numbers.get("tail"),
        "container_name": container,
        "failed": failed,
    }
    return GetRunLogsInput(name=name_of(run), follow=failed is None, **given(asked))


def _refuse_contradictions(numbers: Mapping[str, int | None], container: str | None, *, failed: bool) -> None:
    named = {name for name, value in numbers.items() if value is not None}
    if failed:
        named.add("failed")
    if container is not None and container.upper() != "MAIN":
        named.add("container")
    contradictions = [
        ("rank", "node_rank"),
        ("failed", "node_rank"),
        ("failed", "rank"),
        ("local_gpu_rank", "container"),
        ("global_gpu_rank", "container"),
        ("local_gpu_rank", "global_gpu_rank"),
        ("global_gpu_rank", "failed"),
        ("global_gpu_rank", "node_rank"),
        ("global_gpu_rank", "rank"),
    ]
    for one, other in contradictions:
        if one in named and other in named:
            hint = " other than MAIN" if other == "container" else ""
            raise ValueError(f"{one} cannot be used with {other}{hint}")


async def _whole(network: HttpTransport, request: GetRunLogsInput) -> str:
    text = ""
    async with aclosing(_pieces(network, request)) as pieces:
        async for piece in pieces:
            text += piece  # grows in place, where joining at the end would hold everything twice
    return LogText(text)


async def _lines(network: HttpTransport, request: GetRunLogsInput) -> AsyncGenerator[Sequence[str], None]:
    """Yield the lines of a log, and of those of the resumptions after it, unless the caller has chosen one."""
    follows_all = request.attempt_index is None
    if follows_all:
        run = await read_details(network, request.name)
        request = _of_resumption(request, run.latest_resumption.index if run.latest_resumption else 0)
    while True:
        splitter = LineSplitter()
        async with aclosing(_pieces(network, request)) as pieces:
            async for piece in pieces:
                if lines := splitter.split(piece):
                    yield lines
        if last := splitter.end():
            yield last
        following = await _next_resumption(network, request) if follows_all else None
        if following is None:
            return
        request = _of_resumption(request, following, whole=True)


def _of_resumption(request: GetRunLogsInput, index: int, *, whole: bool = False) -> GetRunLogsInput:
    asked: dict[str, Any] = request.model_dump(exclude_unset=True, exclude={"tail"} if whole else None)
    asked["attempt_index"] = index
    return GetRunLogsInput(**asked)


async def _next_resumption(network: HttpTransport, request: GetRunLogsInput) -> int | None:
    """Return the index of the resumption after the one that was read, once there is one; None if the run has ended."""
    index = int(request.attempt_index or 0)
    run = await read_details(network, request.name)
    if _goes_on(run, index) or run.status.is_terminal():
        return index + 1 if _goes_on(run, index) else None
    async with aclosing(statuses(network, request.name)) as changes:
        async for seen in changes:
            run = seen[-1] if seen[-1].status.is_terminal() else await read_details(network, request.name)
            if _goes_on(run, index):
                return index + 1
    return None


def _goes_on(run: Run, index: int) -> bool:
    return run.latest_resumption is not None and run.latest_resumption.index > index


async def _pieces(network: HttpTransport, request: GetRunLogsInput) -> AsyncGenerator[str, None]:
    """Yield the text of a log, in pieces, over as many connections as it takes."""
    log, resumption = _Log(request), _Resumption(network, request)

    def variables() -> dict[str, Any]:
        asked = request.model_dump(by_alias=True, exclude_unset=True) | {"offset": log.offset}
        if log.offset:
            asked.pop("tail", None)
            asked |= resumption.asked()
        return {"getRunLogsInput": asked}

    is_whole = False
    try:
        while not is_whole:
            socket = network.socket()
            async with aclosing(socket.subscribe(GET_RUN_LOGS_GQL, variables, limit=AHEAD)) as batches:
                is_whole = True
                async for batch in batches:
                    resumption.look_up()
                    piece, is_whole = log.read(batch)
                    yield piece
                    if not is_whole:
                        break
    finally:
        resumption.forget()
    yield log.end()


class _Log:
    """A log as far as it was read.

    Where the platform leaves bytes out, they are asked for again, once. If they are missing again, the log goes on
    without, and a warning says so.
    """

    def __init__(self, request: GetRunLogsInput) -> None:
        self._name, self._is_tail = request.name, request.tail is not None
        self._decoder = LogDecoder()
        self._asked_again_at: int | None = None
        self._skips = False
        self.end = self._decoder.end

    @property
    def offset(self) -> int:
        """Bytes that were read: where to go on."""
        return self._decoder.offset

    def read(self, batch: Sequence[Any]) -> tuple[str, bool]:
        """Return the text that results add, and whether they are whole; else what follows is to be asked for again."""
        texts: list[str] = []
        for chunk, end_offset in map(_chunk, batch):
            try:
                texts.append(self._decode(chunk, end_offset))
            except Gap:
                self._asked_again_at = self.offset
                return "".join(texts), False
        return "".join(texts), True

    def _decode(self, chunk: str | bytes, end_offset: int) -> str:
        begins_anywhere = self._skips or (self._is_tail and not self.offset)
        try:
            return self._decoder.decode(chunk, end_offset, from_anywhere=begins_anywhere)
        except Gap:
            if self._asked_again_at != self.offset:
                raise
        self._skips = True
        warn(f"The platform lacks bytes of the log of run {self._name!r} after the first {self.offset}.")
        return self._decoder.decode(chunk, end_offset, from_anywhere=True)


def _chunk(result: Any) -> tuple[str | bytes, int]:
    """Return the bytes that a result brings, or their base64, and the position in the log after them."""
    if isinstance(result, Unread) or "getRunLogsV2" not in result:
        payload = result.payload if isinstance(result, Unread) else {"data": result}
        read = decode(GetRunLogs, payload).get_run_logs_v2
        return read.chunk, read.end_offset
    found = result["getRunLogsV2"]
    return found["chunk"], found["endOffset"]


class _Resumption:
    """Which resumption a log is of, where the caller left that to the platform.

    Once the run has been resumed, an offset alone would be one in another log. The first batch starts the look-up, so
    that a log that comes in one costs no request.
    """

    def __init__(self, network: HttpTransport, request: GetRunLogsInput) -> None:
        self._network, self._request = network, request
        self._task: asyncio.Task[int | None] | None = None

    def look_up(self) -> None:
        if self._task is None and self._request.attempt_index is None:
            self._task = asyncio.create_task(self._latest())

    async def _latest(self) -> int | None:
        try:
            run = await read_details(self._network, self._request.name)
        except MAPIException:
            return None
        return run.latest_resumption.index if run.latest_resumption else None

    def asked(self) -> dict[str, int]:
        """Return what to add to a request that goes on in the middle of the log."""
        index = self._task.result() if self._task and self._task.done() else None
        return {} if index is None else {"attemptIndex": index}

    def forget(self) -> None:
        if self._task is not None:
            self._task.cancel()
