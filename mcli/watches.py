"""Watching the status of runs, and waiting for one. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.operations import WATCH_RUN_STATUS_GQL
from mcli_mapi.watch_run_status import WatchRunStatus

from mcli._arguments import member, name_of
from mcli._core.answers import decode
from mcli._core.messages import Unread
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

__all__ = ["statuses", "wait_for_run_status", "watch_run_status"]

PAUSE = 1.0
"""Seconds between two looks at a run of which the platform tells nothing any more."""


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
    return statuses(streams(), run)


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
        ValueError: The text is not a status.
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
    async with aclosing(statuses(network, run)) as watch:
        async for batch in watch:
            for seen in batch:
                last = seen.status
                if last.after(wanted, inclusive=True):
                    return seen if last.is_terminal() else await _read(network, seen.name, last)
    found = await _read(network, name_of(run), last)
    if found.status.after(wanted, inclusive=True):
        return found
    raise RunStatusNotReached(found.name, found.status, wanted)


async def statuses(network: HttpTransport, run: str | Named) -> AsyncGenerator[Sequence[Run], None]:
    """Yield a run with each of its statuses, over as many connections as it takes.

    A run that is deleted meanwhile is watched to its end, also where the platform no longer tells of it: the rest
    stands in the run's life.
    """
    known = run if isinstance(run, Run) else await read_details(network, name_of(run))
    watch = _Watch(network, known)
    try:
        socket = network.socket()
        async with aclosing(socket.subscribe(WATCH_RUN_STATUS_GQL, watch.variables)) as batches:
            async for batch in batches:
                yield [each for result in batch for each in await watch.runs(_status(result))]
    except MAPIException as e:
        if e.status != 404 or not watch.heard:
            raise
        while not watch.heard[-1].is_terminal():
            yield await watch.rest()


class _Watch:
    """What the watch of a run gave, and what it did not give while its connection was lost."""

    def __init__(self, network: HttpTransport, known: Run) -> None:
        self._network, self._known = network, known
        self._first = known.latest_resumption.index if known.latest_resumption else 0
        self._connections, self._heard_on = 0, 1
        self.heard: list[RunStatus] = []

    def variables(self) -> dict[str, Any]:
        """Return the variables of a subscription, which is another one for each connection."""
        self._connections += 1
        return {"watchRunStatusInput": {"name": self._known.name}}

    async def runs(self, status: RunStatus) -> list[Run]:
        """Return the run as it passed the statuses that are new, up to this one."""
        missed: list[RunStatus] = []
        if self.heard and self._heard_on < self._connections:
            missed = self._missed(await _read(self._network, self._known.name, status), status)
        self._heard_on = self._connections
        return [
            await self._run(each)
            for each in [*missed, status]
            if not self.heard or each is not self.heard[-1]
        ]

    async def rest(self) -> list[Run]:
        """Return the run as it passed what it has passed since the platform ceased to tell of it."""
        run = await _read(self._network, self._known.name, self.heard[-1])
        if run.status is self.heard[-1]:
            await asyncio.sleep(PAUSE)
            return []
        passed = [*self._missed(run, run.status), run.status]
        return [await self._run(each) for each in passed if each is not self.heard[-1]]

    def _missed(self, run: Run, now: RunStatus) -> list[RunStatus]:
        passed = [each.status for each in run.lifecycle if each.resumption_index >= self._first]
        return between(passed, self.heard, now)

    async def _run(self, status: RunStatus) -> Run:
        self.heard.append(status)
        if status.is_terminal():
            self._known = await _ended(self._network, self._known, status)
        return _with_status(self._known, status)


def _status(result: Any) -> RunStatus:
    """Return the status that a result brings."""
    if isinstance(result, Unread) or "watchRunStatus" not in result:
        payload = result.payload if isinstance(result, Unread) else {"data": result}
        return RunStatus.from_string(decode(WatchRunStatus, payload).watch_run_status)
    return RunStatus.from_string(result["watchRunStatus"])


def _with_status(run: Run, status: RunStatus) -> Run:
    changed = copy.copy(run)  # a third of the time of `dataclasses.replace`, for a thousand watches at once
    changed.status = status
    return changed


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

    ```
    passed   PENDING  RUNNING  TERMINATING  PENDING  RUNNING
    heard    PENDING  RUNNING                                  found in `passed`, the first time
    now                                              RUNNING   the last one after that
    missed                     TERMINATING  PENDING            what lies in between
    ```

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
            return run if run.status.after(status, inclusive=True) else _with_status(run, status)
    raise AssertionError  # the loop returns or raises
