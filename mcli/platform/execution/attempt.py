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
from mcli.platform.execution.engine import Engine, Exit, Job, Order, Phase, Sight
from mcli.platform.execution.failures import explain
from mcli.platform.execution.isolation import fail_run, insist
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
            problem = await self._submit(run, job) if run.status == "STARTING" else None
            ends = await self._attend(run, job)
            ends = await asyncio.to_thread(self._explained, run, ends)
            await self._finish(job, [_with_problem(end, problem) for end in ends])
        except Exception as error:
            log.exception("Run %s fails, because the platform cannot look after it", run.name)
            await insist(lambda: self._services.engine.stop(job))
            await insist(lambda: self._services.keys.revoke(self.run_id))
            await self._write(partial(fail_run, run_id=self.run_id, key=job.key, error=error))

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
            if await asyncio.to_thread(job.order) is None:
                await self._write_order(run, job)
            await self._services.engine.submit(job)
        except ImagePullError as error:
            self.stop()
            return str(error)
        except Exception as error:
            log.exception("Run %s could not be started", run.name)
            self.stop()
            return f"The run could not be started: {error}"
        return None

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

    async def _attend(self, run: Run, job: Job) -> list[Exit]:
        """Follow the job to its end; when a rank fails or a stop is asked for, stop the others."""
        if run.status == "TERMINATING":
            self.stop()
        helpers = [asyncio.create_task(self._stop_job(job)), asyncio.create_task(self._enforce_limit())]
        try:
            async with aclosing(self._services.engine.watch(job)) as sights:
                async for sight in sights:
                    if sight.phase is Phase.RUNNING or any(sight.ends):
                        await self._write(partial(self._note, sight=sight))
                    if sight.phase is Phase.ENDED:
                        break
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return [end or _NEVER_STARTED for end in sight.ends]

    async def _stop_job(self, job: Job) -> None:
        await self._stopped.wait()
        await insist(lambda: self._services.engine.stop(job))

    async def _enforce_limit(self) -> None:
        while not await self._write(self._mark_over):
            self._limit_changed.clear()
            due = (await self._load()).latest["estimatedEndTime"]
            await sleep_until_or(self._services.clock, self._limit_changed, parse_time(due) if due else None)

    def _note(self, transaction: Transaction, sight: Sight) -> None:
        """Write down that the command runs, and that a rank has failed."""
        run = records.load(transaction.db, self.run_id)
        runs = sight.phase is Phase.RUNNING or any(end and end.started for end in sight.ends)
        if run.status == "STARTING" and runs:
            run.started(transaction)
        if any(end and end.code for end in sight.ends):
            run.terminate(transaction)
        records.save(transaction, run)

    def _mark_over(self, transaction: Transaction) -> bool:
        run = records.load(transaction.db, self.run_id)
        due, seconds = run.latest["estimatedEndTime"], run.max_duration_seconds
        if run.status == "TERMINATING":
            return True
        if due is None or due > transaction.now:
            return False
        run.stopping = {"kind": "limit", "reason": events.duration_reason(seconds or 0)}
        run.terminate(transaction)
        records.save(transaction, run)
        return True

    async def _finish(self, job: Job, ends: Sequence[Exit]) -> None:
        services = self._services
        await insist(lambda: services.keys.revoke(self.run_id))
        run = await self._write(lambda transaction: self._end(transaction, ends))
        try:
            await services.engine.forget(job)
            await asyncio.to_thread(self._clear, run)
            await asyncio.to_thread(services.site.folders.close_resumption, job.key)
        except OSError:
            log.exception("The files of run %s cannot be cleared; the next server tries again", run.name)

    def _end(self, transaction: Transaction, ends: Sequence[Exit]) -> Run:
        run = records.load(transaction.db, self.run_id)
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
        return run

    def _explained(self, run: Run, ends: Sequence[Exit]) -> list[Exit]:
        """Say of each rank what is known of its failure."""
        folders, command = self._services.site.folders, str(run.executed.get("command") or "")
        nodes = [folders.node(run.name, run.index, rank) for rank in range(len(ends))]
        return [
            replace(end, detail=explain(node, end, command)) for node, end in zip(nodes, ends, strict=True)
        ]

    def _clear(self, run: Run) -> None:
        folders = self._services.site.folders
        ended = run.index if run.status in records.TERMINAL else run.index - 1
        for rank in range(run.demand.nodes):
            folders.node(run.name, ended, rank).clear()


def _usage(ends: Sequence[Exit]) -> str:
    """Say what the ranks have used: the most on a node, and the processor time of all."""
    busy = [end.gpu_percent for end in ends if end.gpu_percent is not None]
    peak, seconds = max(end.peak_bytes for end in ends), sum(end.cpu_seconds for end in ends)
    return in_words(peak, seconds, sum(busy) / len(busy) if busy else None) if peak else ""


def _with_problem(end: Exit, problem: str | None) -> Exit:
    """Give the reason of a rank that did not start."""
    return end if end.started or problem is None else replace(end, problem=problem)
