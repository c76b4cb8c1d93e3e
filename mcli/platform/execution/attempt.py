"""One resumption on its nodes: started or found again, watched over, and brought to its end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mcli.platform.clock import Clock, parse_time, sleep_until_or
from mcli.platform.execution.containers import ImagePullError
from mcli.platform.execution.engine import (
    Cause,
    Engine,
    EngineUnavailableError,
    Exit,
    Job,
    JobRefusedError,
    Order,
    Phase,
    Sight,
)
from mcli.platform.execution.failures import explain
from mcli.platform.execution.folders import NodeFolder
from mcli.platform.execution.isolation import RETRY_SECONDS, fail_run, insist
from mcli.platform.execution.launch import HostSettings, prepare
from mcli.platform.execution.outcome import first_failure, judge, node_reason
from mcli.platform.execution.usage import in_words
from mcli.platform.state import events, records
from mcli.platform.state.secrets import of_owner
from mcli.platform.state.store import Store, Transaction
from mcli.platform.state.users import Keys, all_users
from mcli.platform.state.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcli.platform.state.records import Run

__all__ = ["Attempt", "Services"]

T = TypeVar("T")

log: logging.Logger = logging.getLogger(__name__)

_NEVER_STARTED = Exit(code=1, lost=True, started=False)
_STOPPING: dict[Cause, dict[str, str]] = {
    "preempted": {"kind": "preempted", "reason": "Preempted by the cluster"},
    "cancelled": {"kind": "user", "reason": "Cancelled on the cluster"},
    "limit": {"kind": "limit", "reason": "Time limit of the cluster reached"},
}
"""Why a run is being stopped that its engine has ended."""


@dataclass(frozen=True)
class Services:
    """What an attempt works with."""

    store: Store
    keys: Keys
    engine: Engine
    clock: Clock
    vault: Vault
    site: HostSettings


class Attempt:
    """The current resumption of a run, from STARTING on."""

    def __init__(self, run_id: str, services: Services) -> None:
        self.run_id = run_id
        self._services = services
        self._stopped = asyncio.Event()
        self._limit_changed = asyncio.Event()

    def stop(self) -> None:
        """Ask the ranks to end, now or as soon as they are started."""
        self._stopped.set()

    def change_limit(self) -> None:
        """Look again when the run must end."""
        self._limit_changed.set()

    async def drive(self) -> None:
        """Bring the resumption to its end. Whatever goes wrong with it fails this run alone."""
        run = await self._load()
        job = self._job(run)
        try:
            problem = await self._submit(run, job) if run.status in {"QUEUED", "STARTING"} else None
            sight = await self._attend(run, job)
            ends = await asyncio.to_thread(self._explained, run, sight.ends)
            await self._finish(job, [_with_problem(end, problem) for end in ends], sight.cause)
        except JobRefusedError as error:
            await self._give_up(job, str(error))
            await self._tidy(job)
        except Exception as error:
            log.exception("Run %s fails, because the platform cannot look after it", run.name)
            await insist(lambda: self._services.engine.stop(job))
            await self._give_up(job, f"The platform failed on this run: {error}")

    async def _give_up(self, job: Job, reason: str) -> None:
        await insist(lambda: self._services.keys.revoke(self.run_id))
        await self._write(partial(fail_run, run_id=self.run_id, key=job.key, reason=reason))

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        return await insist(lambda: self._services.store.write(work))

    async def _load(self) -> Run:
        return await self._services.store.read(lambda db: records.load(db, self.run_id))

    def _job(self, run: Run) -> Job:
        folders = self._services.site.folders
        ranks = tuple(folders.node(run.name, run.index, rank).path for rank in range(run.demand.nodes))
        return Job(run.latest["id"], folders.resumption(run.name, run.index), ranks)

    async def _submit(self, run: Run, job: Job) -> str | None:
        """Have the resumption executed; returns what prevented it. What has been started is then stopped."""
        try:
            if not await asyncio.to_thread(lambda: job.is_ordered):
                await self._write_order(run, job)
            await self._submit_until_stopped(job)
        except ImagePullError as error:
            self.stop()
            return str(error)
        except JobRefusedError:
            raise
        except Exception as error:
            log.exception("Run %s could not be started", run.name)
            self.stop()
            return f"The run could not be started: {error}"
        return None

    async def _submit_until_stopped(self, job: Job) -> None:
        while not self._stopped.is_set():
            try:
                await self._services.engine.submit(job)
            except EngineUnavailableError as error:
                log.warning("A run cannot be submitted yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _write_order(self, run: Run, job: Job) -> None:
        services = self._services
        users = await services.store.read(all_users)
        owner = next(user for user in users if user.id == run.owner)
        await asyncio.to_thread(services.site.folders.open_resumption, job.key, job.folder)
        token = await services.keys.add(owner, run_id=run.id)
        secrets = await services.store.read(lambda db: of_owner(db, services.vault, run.owner))
        ranks = await asyncio.to_thread(prepare, run, services.site, token=token, secrets=secrets)
        order = Order(
            run_name=run.name,
            demand=run.demand,
            ranks=tuple(ranks),
            priority=run.priority,
            preemptible=run.preemptible,
            seconds=run.max_duration_seconds,
            placement=tuple(node["name"] for node in run.latest["placement"]),
            gpu_indices=tuple(tuple(indices) for indices in run.latest["gpuIndices"]),
        )
        await asyncio.to_thread(job.write, order)

    async def _attend(self, run: Run, job: Job) -> Sight:
        """Follow the job to its end; when a rank fails or a stop is asked for, stop the others."""
        if run.status == "TERMINATING":
            self.stop()
        helpers = [asyncio.create_task(self._stop_job(job)), asyncio.create_task(self._enforce_limit())]
        try:
            async with aclosing(self._services.engine.watch(job)) as sights:
                async for sight in sights:
                    if sight.phase is not Phase.UNKNOWN:
                        await self._write(partial(self._note, key=job.key, sight=sight))
                    if sight.phase is Phase.ENDED:
                        break
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return sight  # pyright: ignore[reportPossiblyUnboundVariable]  # a job is seen at least once

    async def _stop_job(self, job: Job) -> None:
        await self._stopped.wait()
        await insist(lambda: self._services.engine.stop(job))

    async def _enforce_limit(self) -> None:
        while not await self._write(self._mark_over):
            self._limit_changed.clear()
            due = (await self._load()).latest["estimatedEndTime"]
            await sleep_until_or(self._services.clock, self._limit_changed, parse_time(due) if due else None)

    def _note(self, transaction: Transaction, key: str, sight: Sight) -> None:
        """Write down what is new: why the run waits, that it has nodes, that it runs, that a rank has failed."""
        run = records.load(transaction.db, self.run_id)
        if not _is_current(run, key):
            return
        before = (run.status, run.reason)
        if run.status == "QUEUED" and sight.nodes:
            run.place(transaction, sight.nodes, [() for _ in sight.nodes])
        elif run.status == "QUEUED" and sight.reason:
            run.reason = run.lifecycle[-1]["reason"] = run.latest["reason"] = sight.reason
        runs = sight.phase is Phase.RUNNING or any(end and end.started for end in sight.ends)
        if run.status == "STARTING" and runs:
            run.started(transaction)
        if any(end and end.code for end in sight.ends):
            run.terminate(transaction)
        if before != (run.status, run.reason):
            records.save(transaction, run)

    def _mark_over(self, transaction: Transaction) -> bool:
        run = records.load(transaction.db, self.run_id)
        due, seconds = run.latest["estimatedEndTime"], run.max_duration_seconds
        if run.status == "TERMINATING" or run.status in records.TERMINAL:
            return True
        if due is None or due > transaction.now:
            return False
        run.stopping = {"kind": "limit", "reason": events.duration_reason(seconds or 0)}
        run.terminate(transaction)
        records.save(transaction, run)
        return True

    async def _finish(self, job: Job, ends: Sequence[Exit], cause: Cause) -> None:
        services = self._services
        await insist(lambda: services.keys.revoke(self.run_id))
        await self._write(partial(self._end, key=job.key, ends=ends, cause=cause))
        await self._tidy(job)

    async def _tidy(self, job: Job) -> None:
        """Remove what the ranks were given."""
        try:
            await self._services.engine.forget(job)
            for path in job.ranks:
                await asyncio.to_thread(NodeFolder(path).clear)
            await asyncio.to_thread(self._services.site.folders.close_resumption, job.key)
        except OSError:
            log.exception("The files of a run cannot be cleared; the next server tries again")

    def _end(self, transaction: Transaction, key: str, ends: Sequence[Exit], cause: Cause) -> None:
        run = records.load(transaction.db, self.run_id)
        if not _is_current(run, key):
            return
        if cause in _STOPPING and not run.stopping:
            run.stopping = dict(_STOPPING[cause])
        run.terminate(transaction)
        outcome = judge(run, ends, transaction.now)
        if outcome.status == "FAILED":
            run.latest["failedRank"] = first_failure(ends)
        for rank, end in enumerate(ends[: len(run.latest["placement"])]):
            status = "STOPPED" if run.stopping or end.stopped else "FAILED" if end.code else "COMPLETED"
            run.end_node(transaction, rank, status, node_reason(run, rank, end))
        if outcome.retry_after is None or run.is_deleted:
            run.end(transaction, outcome.status, outcome.reason, _usage(ends))
        else:
            run.latest.update(status=outcome.status, reason=outcome.reason)
            run.resume(transaction, outcome.retry_after)
        records.save(transaction, run)

    def _explained(self, run: Run, ends: Sequence[Exit | None]) -> list[Exit]:
        """Say of each rank what is known of its failure."""
        folders, command = self._services.site.folders, str(run.executed.get("command") or "")
        nodes = [folders.node(run.name, run.index, rank) for rank in range(len(ends))]
        return [
            replace(end, detail=explain(node, end, command))
            for node, end in zip(nodes, (end or _NEVER_STARTED for end in ends), strict=True)
        ]


def _is_current(run: Run, key: str) -> bool:
    """Tell whether a resumption is the run's, and goes on: who stops a run that waits ends it at once."""
    return run.latest["id"] == key and run.status not in records.TERMINAL


def _usage(ends: Sequence[Exit]) -> str:
    """Say what the ranks have used: the most on a node, and the processor time of all; and whose log was cut."""
    busy = [end.gpu_percent for end in ends if end.gpu_percent is not None]
    peak, seconds = max(end.peak_bytes for end in ends), sum(end.cpu_seconds for end in ends)
    used = in_words(peak, seconds, sum(busy) / len(busy) if busy else None) if peak else ""
    cut = ", ".join(str(rank) for rank, end in enumerate(ends) if end.log_cut)
    return f"{used} A log of node {cut} was longer than is kept.".strip() if cut else used


def _with_problem(end: Exit, problem: str | None) -> Exit:
    """Give the reason of a rank that did not start."""
    return end if end.started or problem is None else replace(end, problem=problem)
