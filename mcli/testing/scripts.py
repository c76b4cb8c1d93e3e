"""Runs that follow a script: no processes, and hours pass when a test turns the clock."""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mcli.platform.clock import sleep_until_or
from mcli.platform.execution.engine import Exit, Phase, Sight

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcli.platform.clock import Clock
    from mcli.platform.execution.engine import Job, Order
    from mcli.platform.scheduling.cluster import Cluster

__all__ = ["Script", "ScriptedEngine", "Scripts"]


@dataclass(frozen=True)
class Script:
    """What the command of a scripted run does, in seconds since it was started.

    Args:
        seconds: How long it runs.
        log: What it prints, by the second at which it does.
        code: Its exit status.
        signal: The signal that kills it in place of an exit, e.g. `signal.SIGKILL`: a fault of the system.
        lost: Whether its node is lost at the end, so that nobody knows how it ended.

    >>> Script(seconds=60, log={0: "begun\\n", 30: "half\\n"}, code=1).end().code
    1
    """

    seconds: float = 0.0
    log: Mapping[float, str] = field(default_factory=dict)
    code: int = 0
    signal: int | None = None
    lost: bool = False

    def end(self, *, stopped: bool = False, ended_at: float = 0.0) -> Exit:
        """Return how the command ends: by its script, or by SIGTERM where it was stopped before."""
        if stopped:
            return Exit(128 + signals.SIGTERM, signals.SIGTERM, stopped=True, ended_at=ended_at)
        number = signals.SIGKILL if self.lost else self.signal
        code = self.code if number is None else 128 + number
        return Exit(code, self.signal, ended_at=ended_at, lost=self.lost)


Scripts = Mapping[str, Script | Sequence[Script]]
"""A script for each run, by the name in its configuration; of several each is of one resumption."""


class ScriptedEngine:
    """An engine that plays scripts. A run without one completes at once and prints nothing.

    Args:
        scripts: The scripts.
        clock: The clock that they follow.
        cluster: The nodes that there are.
    """

    schedules = False

    def __init__(self, scripts: Scripts, clock: Clock, cluster: Cluster) -> None:
        self._scripts = scripts
        self._clock = clock
        self._cluster = cluster
        self._plays: dict[str, _Play] = {}

    async def describe(self) -> Cluster:
        return self._cluster

    async def submit(self, job: Job) -> None:
        order = await asyncio.to_thread(job.order)
        if order is not None and job.key not in self._plays:
            script = self._script(order.run_name, int(job.folder.name))
            self._plays[job.key] = _Play(script, order, self._clock)

    async def watch(self, job: Job) -> AsyncGenerator[Sight]:
        play = self._plays.get(job.key)
        if play is None:  # of a platform that is gone, and its runs with it
            yield Sight(Phase.ENDED, ends=tuple(Script(lost=True).end() for _ in job.ranks))
            return
        yield Sight(Phase.RUNNING, ends=tuple(None for _ in job.ranks))
        end = await play.end()
        yield Sight(Phase.ENDED, ends=tuple(end for _ in job.ranks))

    async def stop(self, job: Job) -> None:
        if play := self._plays.get(job.key):
            play.stopped.set()

    async def change(self, job: Job, *, priority: str, seconds: float | None) -> None:
        """Do nothing: the platform schedules."""

    async def forget(self, job: Job) -> None:
        self._plays.pop(job.key, None)
        await asyncio.to_thread(job.discard_order)

    async def close(self) -> None:
        self._plays.clear()

    def _script(self, run_name: str, index: int) -> Script:
        found = self._scripts.get(run_name.rpartition("-")[0], Script())
        if isinstance(found, Script):
            return found
        return found[min(index, len(found) - 1)] if found else Script()


class _Play:
    """A script that is being played."""

    def __init__(self, script: Script, order: Order, clock: Clock) -> None:
        self.stopped = asyncio.Event()
        self._script = script
        self._order = order
        self._clock = clock
        self._began = clock.now()

    async def end(self) -> Exit:
        """Print what is to be printed, each at its time, and return how it ended."""
        for second, text in sorted(self._script.log.items()):
            if second > self._script.seconds or not await self._reaches(second):
                break
            await asyncio.to_thread(self._print, text)
        stopped = not await self._reaches(self._script.seconds)
        return self._script.end(stopped=stopped, ended_at=self._clock.now().timestamp())

    async def _reaches(self, second: float) -> bool:
        """Wait for a moment of the script; return whether it came before a stop."""
        await sleep_until_or(self._clock, self.stopped, self._began + timedelta(seconds=second))
        return not self.stopped.is_set()

    def _print(self, text: str) -> None:
        for rank in self._order.ranks:
            with Path(rank.log).open("a", encoding="utf-8") as log:
                log.write(text)
