"""The logs of runs, as they are and as they grow. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.get_run_logs import GetRunLogs
from mcli_mapi.input_types import GetRunLogsInput
from mcli_mapi.operations import GET_RUN_LOGS_GQL

from mcli._arguments import given, name_of
from mcli._core.answers import decode
from mcli._core.operations import streamed_query
from mcli._core.streams import log_stream
from mcli._core.transport import streams
from mcli._log_text import LineSplitter, LogDecoder, LogText
from mcli._run_reader import read_details, standing
from mcli._warnings import warn
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from mcli._arguments import Named
    from mcli._core.transport import HttpTransport

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
        The text. It is a `str`; iterating over it gives lines.

    Raises:
        ValueError: The arguments contradict each other.
        MAPIException: There is no such run or log (404), or the platform could not be asked.

    >>> import mcli
    >>> config = mcli.RunConfig(name="hello", image="bash", command="echo hello", compute={"gpus": 0})
    >>> run = mcli.wait_for_run_status(mcli.create_run(config), "completed")
    >>> mcli.get_run_logs(run)
    'hello\\n'
    """
    request = _request(
        run, rank, node_rank, local_gpu_rank, global_gpu_rank, resumption, tail, container, failed=failed
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

    Lines come as they complete and keep their newline: `print(line, end="")`. The iteration survives lost connections
    without losing or repeating a byte, and ends early with `close()` or by leaving the loop.

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
    >>> for line in mcli.follow_run_logs(mcli.create_run(config)):
    ...     print(line, end="")
    1
    2
    3
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
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, int) or value < 0):
            raise ValueError(f"{name}={value!r} is no number from 0")
    _refuse_contradictions(numbers, container, failed=bool(failed))
    if rank is not None:
        warn("rank is deprecated: use node_rank.", DeprecationWarning)
    asked = {
        "node_rank": rank if node_rank is None else node_rank,
        "local_gpu_rank": local_gpu_rank,
        "global_gpu_rank": global_gpu_rank,
        "attempt_index": resumption,
        "tail": tail,
        "container_name": container,
        "failed": failed,
    }
    return GetRunLogsInput(name=name_of(run), follow=failed is None, **given(asked))


def _refuse_contradictions(numbers: dict[str, int | None], container: str | None, *, failed: bool) -> None:
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
    async for piece in _pieces(network, request):
        text += piece  # grows in place, where joining at the end would hold everything twice
    return LogText(text)


async def _lines(network: HttpTransport, request: GetRunLogsInput) -> AsyncGenerator[Sequence[str], None]:
    splitter = LineSplitter()
    async for piece in _pieces(network, request):
        if lines := splitter.split(piece):
            yield lines
    if last := splitter.end():
        yield last


async def _pieces(network: HttpTransport, request: GetRunLogsInput) -> AsyncGenerator[str, None]:
    """Yield the text of a log, in pieces, over as many connections as it takes."""
    decoder, attempt = LogDecoder(), _Attempt(network, request)

    def variables() -> dict[str, Any]:
        asked = request.model_dump(by_alias=True, exclude_unset=True) | {"offset": decoder.offset}
        if decoder.offset:
            asked.pop("tail", None)
            asked |= attempt.asked()
        return {"getRunLogsInput": asked}

    try:
        async for batch in network.socket().subscribe(GET_RUN_LOGS_GQL, variables, limit=AHEAD):
            attempt.look_up()
            chunks = [decode(GetRunLogs, payload).get_run_logs_v2 for payload in batch]
            yield "".join([decoder.decode(each.chunk, each.end_offset) for each in chunks])
    finally:
        attempt.forget()
    yield decoder.end()


class _Attempt:
    """Which attempt a log is of, where the caller left that to the platform.

    Once the run has been tried again, an offset without the attempt would be one in another log. The first batch
    starts the look-up, so that a log that comes in one costs no request.
    """

    def __init__(self, network: HttpTransport, request: GetRunLogsInput) -> None:
        self._network, self._request = network, request
        self._task: asyncio.Task[int | None] | None = None

    def look_up(self) -> None:
        if self._task is None and "attempt_index" not in self._request.model_fields_set:
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
