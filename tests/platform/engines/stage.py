"""Jobs to play on an engine, and engines to play them on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mcli.platform.execution.engine import Engine, Exit, Job, Order, Phase, Rank, Sight
from mcli.platform.scheduling.demand import Demand

if TYPE_CHECKING:
    from collections.abc import Awaitable

PATIENCE = 60.0
"""Seconds that anything may take on a machine that has other things to do."""


@dataclass
class Stage:
    """Where jobs are played."""

    folder: Path
    """On the file system that all nodes share."""
    make: Callable[[], Engine]
    """Makes an engine as another server would."""
    cluster: str = "local"
    instance: str = "cpu"

    def job(self, *commands: str, grace: float = 1.0, **changes: Any) -> Job:
        """Write down a job with a rank for each bash command."""
        folder = self.folder / uuid4().hex
        folders = tuple(folder / str(rank) for rank in range(len(commands)))
        job = Job(str(uuid4()), folder, folders)
        for each in folders:
            each.mkdir(parents=True, mode=0o700)
        ranks = tuple(self._rank(*each, grace) for each in zip(folders, commands, strict=True))
        demand = Demand(self.cluster, self.instance, "None", 0, 0, len(commands), 0)
        placement = tuple(f"node-{rank}" for rank in range(len(commands)))
        order = Order("played", demand, ranks, placement=placement, gpu_indices=tuple(() for _ in commands))
        job.write(Order(**{**vars(order), **changes}))
        return job

    def _rank(self, folder: Path, command: str, grace: float) -> Rank:
        return Rank(
            folder=str(folder),
            argv=["/bin/bash", "-c", command],
            environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
            working_folder=str(folder),
            log=str(folder / "log.txt"),
            grace=grace,
        )

    def play(self, *acts: Callable[[Engine], Awaitable[Any]]) -> list[Any]:
        """Let each act play on an engine of its own, one after the other, as servers follow one another."""
        return [asyncio.run(self._act(act)) for act in acts]

    async def _act(self, act: Callable[[Engine], Awaitable[Any]]) -> Any:
        engine = self.make()
        try:
            await engine.describe()
            return await asyncio.wait_for(act(engine), PATIENCE)
        finally:
            await engine.close()

    def run(self, job: Job) -> list[Exit]:
        """Submit a job and give the ends of its ranks."""

        async def act(engine: Engine) -> list[Exit]:
            await engine.submit(job)
            return ends(await to_end(engine, job))

        (result,) = self.play(act)
        return list(result)


async def until(engine: Engine, job: Job, *phases: Phase) -> Sight:
    """Watch a job until it is in one of these phases."""
    async with aclosing(engine.watch(job)) as sights:
        async for sight in sights:
            if sight.phase in phases:
                return sight
    raise AssertionError(f"The job never came to {phases}.")


async def to_end(engine: Engine, job: Job) -> Sight:
    """Watch a job to its end."""
    return await until(engine, job, Phase.ENDED)


def ends(sight: Sight) -> list[Exit]:
    """Give the ends of a job that has ended."""
    return [end for end in sight.ends if end is not None]


async def says(job: Job, text: str, rank: int = 0) -> None:
    """Wait until a rank's log holds a text."""
    log = job.ranks[rank] / "log.txt"
    while not (log.exists() and text in log.read_text()):  # noqa: ASYNC110 - files tell nobody
        await asyncio.sleep(0.02)


def log_of(job: Job, rank: int = 0) -> str:
    """Give the log of a rank."""
    return (job.ranks[rank] / "log.txt").read_text()
