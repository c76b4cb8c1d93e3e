"""Watching the status of runs, and waiting for one. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.operations import WATCH_RUN_STATUS_GQL
from mcli_mapi.watch_run_status import WatchRunStatus

from mcli._arguments import member, name_of
from mcli._core.answers import decode
from mcli._core.operations import streamed_query
from mcli._core.streams import stream
from mcli._core.transport import streams
from mcli._run_reader import read_details, standing
from mcli.exceptions import MAPIException, RunStatusNotReached
from mcli.run import Run
from mcli.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from mcli._arguments import Named
    from mcli._core.transport import HttpTransport

__all__ = ["wait_for_run_status", "watch_run_status"]


@stream(standing)
def watch_run_status(
    run: str | Named, timeout: float | None = None, future: Literal[False] = False
) -> AsyncGenerator[Sequence[Run], None]:
    """Iterate over the statuses of a run: the present one, then each new one, until the run has ended.

    Each comes as a new `Run`; the last one, with a terminal status, is read anew with details and reason. The
    iteration survives lost connections without losing or repeating a status.

    Args:
        run: The run, or its name.
        timeout: Seconds for the whole iteration; see `mcli.runs`. A run may take some time to change its status.
        future: Whether to return futures at once; see below and `mcli.runs`.

    Returns:
        A generator of runs. With `future=True` an iterator of Futures, so that many runs can be watched at once; the
        last Future raises StopAsyncIteration.

    Raises:
        MAPIException: There is no such run (404), or the platform cannot be reached any more.
        TimeoutError: The run did not end within `timeout` seconds of the call.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> [seen.status.name for seen in mcli.watch_run_status(run)][-1]
    'COMPLETED'
    """
    name_of(run)
    return _watch(streams(), run)


@streamed_query(standing)
def wait_for_run_status(
    run: str | Named,
    status: str | RunStatus,
    timeout: float | None = None,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, Run]:
    """Wait until a run has reached a status, or a later one.

    A status may be short, and a run may end early: who waits for COMPLETED also gets a run that is STOPPED or FAILED,
    and looks at its `status` and `reason`.

    Args:
        run: The run, or its name.
        status: Status to wait for, as `RunStatus` or text in any letter case.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, with details.

    Raises:
        ValueError: The text is no status.
        MAPIException: There is no such run (404), or the platform cannot be reached any more.
        RunStatusNotReached: The platform ended the watch before the run came so far.
        TimeoutError: The run did not come so far within `timeout` seconds.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="fails", image="bash", command="exit 3", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed", timeout=60)
    >>> print(run.status, run.reason)
    FAILED Exit code: 3. Reason: Error
    """
    name_of(run)
    return _wait(streams(), run, member(RunStatus, status, "status"))


async def _wait(network: HttpTransport, run: str | Named, wanted: RunStatus) -> Run:
    last = RunStatus.UNKNOWN
    watch = _watch(network, run)
    try:
        async for seen in watch:
            last = seen[-1].status
            if last.after(wanted, inclusive=True):
                return seen[-1] if last.is_terminal() else await _read(network, seen[-1].name, last)
    finally:
        await watch.aclose()
    found = await _read(network, name_of(run), last)
    if found.status.after(wanted, inclusive=True):
        return found
    raise RunStatusNotReached(found.name, found.status, wanted)


async def _watch(network: HttpTransport, run: str | Named) -> AsyncGenerator[Sequence[Run], None]:
    known = run if isinstance(run, Run) else await read_details(network, name_of(run))
    attempt = known.latest_resumption.index if known.latest_resumption else 0
    connections, heard_on = 0, 1
    heard: list[RunStatus] = []

    def variables() -> dict[str, Any]:
        nonlocal connections
        connections += 1
        return {"watchRunStatusInput": {"name": known.name}}

    async for batch in network.socket().subscribe(WATCH_RUN_STATUS_GQL, variables):
        for payload in batch:
            status = RunStatus.from_string(decode(WatchRunStatus, payload).watch_run_status)
            missed: list[RunStatus] = []
            if heard and heard_on < connections:
                lifecycle = (await _read(network, known.name, status)).lifecycle
                passed = [each.status for each in lifecycle if each.resumption_index >= attempt]
                missed = between(passed, heard, status)
            heard_on = connections
            for each in (*missed, status):
                if heard and each is heard[-1]:
                    continue
                heard.append(each)
                if each.is_terminal():
                    known = await _ended(network, known, each)
                yield [dataclasses.replace(known, status=each)]


async def _ended(network: HttpTransport, known: Run, status: RunStatus) -> Run:
    """Read a run that has ended; of one that was deleted meanwhile, what was known stands."""
    try:
        return await _read(network, known.name, status)
    except MAPIException as e:
        if e.status != 404:
            raise
        return dataclasses.replace(known, is_deleted=True)


def between(passed: Sequence[RunStatus], heard: Sequence[RunStatus], now: RunStatus) -> list[RunStatus]:
    """Return the statuses that came and went while the connection was lost: a watch replays nothing.

    Args:
        passed: What the run has been through since before the watch began.
        heard: What the watch gave, without a gap.
        now: The status after the connection was lost.

    >>> first = [RunStatus.PENDING, RunStatus.RUNNING]
    >>> between([*first, RunStatus.TERMINATING, *first], first, RunStatus.RUNNING)
    [<RunStatus.TERMINATING: 'TERMINATING'>, <RunStatus.PENDING: 'PENDING'>]
    """
    ends = range(len(heard), len(passed) + 1)
    end = next((end for end in ends if list(passed[end - len(heard) : end]) == list(heard)), len(passed))
    later = list(passed[end:])
    if now is heard[-1] and now not in later:
        return []  # nothing had changed; what is read after it comes over the watch, too
    while now in later and later.pop() is not now:
        pass
    return later


async def _read(network: HttpTransport, name: str, status: RunStatus) -> Run:
    """Read a run with details; its status is the one that was seen, or a later one."""
    for delay in (0.25, 0.5, 1, 2, 4, None):
        try:
            run = await read_details(network, name)
        except MAPIException as e:
            if e.status != 503 or delay is None:
                raise
            await asyncio.sleep(delay)
        else:
            return (
                run if run.status.after(status, inclusive=True) else dataclasses.replace(run, status=status)
            )
    raise AssertionError  # the loop returns or raises
