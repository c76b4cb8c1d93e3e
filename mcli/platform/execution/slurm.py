"""Jobs on a Slurm cluster, which decides when and where they run.

Everything that counts is on the shared file system, in the folder of the job: its order, the claim of the one Slurm job
that executes it, the notes and ends of its ranks. Slurm is asked by its commands, once a second for all jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import EngineUnavailableError, JobRefusedError, Phase, Sight
from mcli.platform.execution.node import READY, REDO, STOPPING
from mcli.platform.execution.slurm_cluster import describe
from mcli.platform.execution.slurm_commands import cancel, find_jobs, host_names, read_jobs, submit
from mcli.platform.execution.slurm_script import CLAIM, SlurmSite, batch_script, options
from mcli.platform.execution.slurm_sight import FINAL, Files, choose, files_of, sight

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcli.platform.execution.engine import Job
    from mcli.platform.execution.slurm_commands import SlurmJob
    from mcli.platform.scheduling.cluster import Cluster

__all__ = ["SlurmEngine"]

log: logging.Logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_RESUBMIT_SECONDS = 10.0
"""How long Slurm must not know a job that has no claim before it is submitted again."""
_SETTLE_SECONDS = 3.0
_SLACK_SECONDS = 10.0
"""After the grace, before Slurm ends in its way what has not ended in ours."""


class SlurmEngine:
    """Executes jobs on the cluster of this machine's Slurm."""

    schedules = True

    def __init__(self, site: SlurmSite | None = None) -> None:
        self._site = site or SlurmSite()
        self._cluster: Cluster | None = None
        self._watches: set[_Watch] = set()
        self._submissions: dict[str, asyncio.Lock] = {}
        self._polling: asyncio.Task[None] | None = None

    async def describe(self) -> Cluster:
        """Return the nodes as Slurm tells them now."""
        self._cluster = await describe()
        return self._cluster

    async def submit(self, job: Job) -> None:
        """Give the job to Slurm, unless it has it or has had it."""
        lock = self._submissions.setdefault(job.key, asyncio.Lock())
        async with lock:
            if not await asyncio.to_thread(lambda: job.is_ordered):
                raise OSError(f"{job.folder} does not say what is to be started.")
            if not (job.folder / CLAIM).exists() and not await find_jobs(job.key):
                await self._submit(job)
        self._submissions.pop(job.key, None)

    async def _submit(self, job: Job) -> None:
        order = await asyncio.to_thread(job.order)
        if order is not None:
            cluster = self._cluster or await self.describe()
            script = batch_script(job, order, self._site)
            number = await submit(options(job, order, cluster, self._site), script)
            log.info("Run %s is job %s of Slurm.", order.run_name, number)

    async def watch(self, job: Job) -> AsyncGenerator[Sight]:
        """Yield what is true of the job now, then each change."""
        watch = _Watch(job)
        self._watches.add(watch)
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll())
        seen: Sight | None = None
        try:
            while seen is None or seen.phase is not Phase.ENDED:
                while watch.sight is None or watch.sight == seen:
                    watch.changed.clear()
                    await watch.changed.wait()
                seen = watch.sight
                yield seen
        finally:
            self._watches.discard(watch)

    async def stop(self, job: Job) -> None:
        """Have all ranks stopped by their supervisors; a job that waits is cancelled."""
        await asyncio.to_thread((job.folder / STOPPING).touch)
        await _press(await find_jobs(job.key), overdue=False)

    async def change(self, job: Job, *, priority: str, seconds: float | None) -> None:
        """Do nothing: Slurm lets users do little of this, and the platform enforces its limits itself."""

    async def _redo(self, job: Job) -> None:
        """Submit a job anew that Slurm has lost between its claim and the start of its ranks."""
        for name in (CLAIM, *(f"{rank}/{READY}" for rank in range(len(job.ranks)))):
            await asyncio.to_thread((job.folder / name).unlink, missing_ok=True)
        await self._submit(job)
        # last, so that it is tried again if Slurm could not be asked
        await asyncio.to_thread((job.folder / REDO).unlink, missing_ok=True)

    async def forget(self, job: Job) -> None:
        """Remove the order; without it no job of Slurm that is left over does anything."""
        await asyncio.to_thread(job.discard_order)
        with contextlib.suppress(EngineUnavailableError):
            for known in await find_jobs(job.key):
                if known.state not in FINAL:
                    await cancel(known.id)

    async def close(self) -> None:
        """Stop to ask; the jobs go on."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
            self._polling = None

    async def _poll(self) -> None:
        while True:
            begin = time.monotonic()
            if self._watches:
                await self._look_at_all(tuple(self._watches))
            await asyncio.sleep(max(0.1, _TICK_SECONDS - (time.monotonic() - begin)))

    async def _look_at_all(self, watches: Sequence[_Watch]) -> None:
        try:
            known = await read_jobs()
        except EngineUnavailableError as error:
            log.warning("Slurm cannot be asked: %s", error)
            for watch in watches:
                watch.tell(Sight(Phase.UNKNOWN, reason=str(error)))
            return
        for watch, files in zip(watches, await asyncio.to_thread(_all_files, watches), strict=True):
            try:
                if files is not None:
                    await self._look(watch, known.get(watch.job.key, []), files)
            except (OSError, JobRefusedError) as error:
                log.warning("Job %s cannot be looked after now: %s", watch.job.key, error)

    async def _look(self, watch: _Watch, jobs: list[SlurmJob], files: Files) -> None:
        job, now = watch.job, time.monotonic()
        known = choose(jobs, files.claim)
        if known is not None and known.node_list not in {"", watch.node_list}:
            watch.node_list, watch.nodes = known.node_list, await host_names(known.node_list)
        state = known.state if known else None
        if watch.state != state or watch.since is None:
            watch.state, watch.since = state, now
        found = sight(job, files, known, watch.nodes, now - watch.since, time.time())
        watch.tell(found)
        if found.phase is Phase.ENDED:
            return
        if files.is_stopping:
            watch.stopping_since = watch.stopping_since or now
            patience = await watch.grace() + _SLACK_SECONDS
            await _press(jobs, overdue=now - watch.stopping_since > patience)
        elif (
            known is None
            and files.claim is None
            and now - watch.since > _RESUBMIT_SECONDS
            and files.is_ordered
        ):
            watch.since = now
            await self.submit(job)
        elif known is not None and files.claim == known.id and known.state == "PENDING":
            # Slurm's controller has lost what happened, and would start the job a second time
            await asyncio.to_thread((job.folder / REDO).touch)
            await cancel(known.id, "--state=PENDING")
        elif (
            files.is_redone
            and not files.is_any_started
            and (known is None or known.state in FINAL)
            and now - watch.since > _SETTLE_SECONDS
        ):
            await self._redo(job)


async def _press(jobs: Sequence[SlurmJob], *, overdue: bool) -> None:
    """Send jobs the signal to stop; it is repeated, since a rank may only just have been started."""
    for known in jobs:
        if known.state not in FINAL and (known.state == "PENDING" or overdue):
            await cancel(known.id)
        elif known.state not in FINAL:
            await cancel(known.id, "--signal=URG")


def _all_files(watches: Sequence[_Watch]) -> list[Files | None]:
    """Look at the files of all jobs; None for one that cannot be looked at now."""
    found: list[Files | None] = []
    for watch in watches:
        try:
            found.append(files_of(watch.job))
        except OSError as error:
            log.warning("The files of job %s cannot be read now: %s", watch.job.key, error)
            found.append(None)
    return found


class _Watch:
    """What is seen of a job, for one who watches it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.sight: Sight | None = None
        self.changed = asyncio.Event()
        self.state: str | None = None
        """Slurm's word; None when it does not know the job."""
        self.since: float | None = None
        """Since when that has been its word."""
        self.node_list = ""
        self.nodes: tuple[str, ...] = ()
        self.stopping_since: float | None = None
        self._grace: float | None = None

    def tell(self, sight: Sight) -> None:
        """Wake the readers if there is something new."""
        if sight != self.sight:
            self.sight = sight
            self.changed.set()

    async def grace(self) -> float:
        """Return the seconds that a rank has at most after it was asked to stop."""
        if self._grace is None:
            order = await asyncio.to_thread(self.job.order)
            self._grace = max((rank.grace for rank in order.ranks), default=0.0) if order else 0.0
        return self._grace
