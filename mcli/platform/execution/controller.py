"""What moves runs on: gives waiting runs their nodes, and drives those that have some."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeVar

from mcli.platform.clock import parse_time, sleep_until_or
from mcli.platform.execution.attempt import Attempt, Services
from mcli.platform.execution.isolation import fail_run
from mcli.platform.execution.sweep import sweep_resumptions
from mcli.platform.scheduling.cluster import clusters_of
from mcli.platform.scheduling.scheduler import Placed, Plan, Start, Waiting, plan
from mcli.platform.state import events, queue, records
from mcli.platform.state.status import Status
from mcli.platform.submission.runs import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mcli.platform.scheduling.cluster import Cluster, Machines
    from mcli.platform.scheduling.demand import Demand
    from mcli.platform.state.hub import Change, Hub
    from mcli.platform.state.queue import Queued
    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Transaction

__all__ = ["Controller"]

R = TypeVar("R", Waiting, Placed)
T = TypeVar("T")

_QUEUED_AT_ONCE = 300
"""New runs that enter the queue in one pass at most, so that those that can start are not kept waiting for them."""

log: logging.Logger = logging.getLogger(__name__)


class Controller:
    """All runs that have not ended. Lives on the event loop."""

    def __init__(self, services: Services, hub: Hub, machines: Machines) -> None:
        self.clusters: tuple[Cluster, ...] = clusters_of(machines)
        self._services = services
        self._hub = hub
        self._work = asyncio.Event()
        self._attempts: dict[str, Attempt] = {}
        self._driven: set[str] = set()
        """The resumptions that are attended."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduling: asyncio.Task[None]
        self._closing = False

    async def open(self) -> None:
        """Find the runs again that an earlier server left, and begin to schedule."""
        self._hub.listen_to_all(self._hear)
        handed = records.WAITING if self._services.engine.schedules else ()
        begun = await self._services.store.read(lambda db: records.with_status(db, (*records.LIVE, *handed)))
        keys = {run.latest["id"] for run in begun}
        await sweep_resumptions(self._services.site.folders, self._services.engine, keys)
        for run in begun:
            if run.status in records.LIVE:
                self._drive(run.id, run.latest["id"])
        self._scheduling = asyncio.create_task(self._schedule_always())

    async def close(self, *, stop_runs: bool) -> None:
        """Let go of the runs, which go on; with `stop_runs`, stop them and wait for their end before."""
        self._closing = True
        self._work.set()
        await self._scheduling  # To the end of its pass: whom that gave nodes is stopped with the others.
        if stop_runs:
            await self._services.store.write(_stop_all)
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear(self, change: Change) -> None:
        if attempt := self._attempts.get(change.run_id):
            ends = change.status == "TERMINATING" or change.status in records.TERMINAL
            attempt.stop() if ends else attempt.change_limit()
        self._work.set()

    @property
    def is_idle(self) -> bool:
        """Whether no run has nodes."""
        return not self._attempts

    def _drive(self, run_id: str, key: str) -> None:
        """Attend a resumption, unless that is being done."""
        if key in self._driven:
            return
        self._driven.add(key)
        attempt = self._attempts[run_id] = Attempt(run_id, self._services)
        task = asyncio.create_task(self._drive_to_end(attempt, key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive_to_end(self, attempt: Attempt, key: str) -> None:
        try:
            await attempt.drive()
        except Exception:
            log.exception("Run %s is no longer supervised until the platform restarts", attempt.run_id)
        finally:
            self._driven.discard(key)
            # The next attempt of the run may have begun while this one still cleared up.
            if self._attempts.get(attempt.run_id) is attempt:
                del self._attempts[attempt.run_id]

    async def _schedule_always(self) -> None:
        while not self._closing:
            due, begin = None, time.perf_counter()
            self._work.clear()
            try:
                due = await self._schedule()
            except Exception:
                log.exception("Scheduling failed")
            # The more runs wait the longer a pass takes: others get half of the writer's time all the same.
            await asyncio.sleep(time.perf_counter() - begin)
            await sleep_until_or(self._services.clock, self._work, parse_time(due) if due else None)

    async def _schedule(self) -> str | None:
        """Give nodes to those whose turn it is; tell when the next run's pause is over."""
        started, due = await self._services.store.write(self._pass)
        for run_id, key in started.items():
            self._drive(run_id, key)
        return due

    def _pass(self, transaction: Transaction) -> tuple[dict[str, str], str | None]:
        """Move waiting runs on; returns those to attend, with their resumptions, and when a pause is over."""
        rows = {row["run_id"]: row for row in queue.queued(transaction.db)}
        waiting = _each(transaction, rows, lambda run_id: queue.read(rows[run_id]))
        pausing = [
            run.not_before for run in waiting.values() if run.not_before and run.not_before > transaction.now
        ]
        ready = {
            run_id: run
            for run_id, run in waiting.items()
            if not run.not_before or run.not_before <= transaction.now
        }
        if self._services.engine.schedules:
            handed = _each(transaction, ready, lambda run_id: _hand_over(transaction, run_id))
            return handed, min(pausing, default=None)
        live = {run.id: run for run in records.with_status(transaction.db, records.LIVE)}
        waits = _each(transaction, ready, lambda run_id: _waiting(ready[run_id]))
        placed = _each(transaction, live, lambda run_id: _placed(live[run_id]))
        decided = _plan(self.clusters, waits.values(), placed.values())
        for victim, beneficiary in decided.preempt:
            _preempt(transaction, live[victim], ready[beneficiary].name)
        starts = {start.run_id: start for start in decided.starts}
        new = [run_id for run_id in waits if ready[run_id].is_new and run_id not in starts]
        later = set(new[_QUEUED_AT_ONCE:])
        moved = _each(
            transaction,
            [run_id for run_id in waits if run_id not in later],
            lambda run_id: _move(transaction, ready[run_id], decided, starts.get(run_id)),
        )
        due = [transaction.now] if later else pausing
        return {run_id: moved[run_id] for run_id in starts if run_id in moved}, min(due, default=None)


def _plan(clusters: Sequence[Cluster], waits: Collection[Waiting], placed: Collection[Placed]) -> Plan:
    """Plan each cluster by itself; runs of one that is no longer there are the first one's."""

    def of(cluster: Cluster, runs: Collection[R]) -> list[R]:
        return [run for run in runs if _cluster_of(run.demand, clusters) is cluster]

    plans = [plan(cluster, of(cluster, waits), of(cluster, placed)) for cluster in clusters]
    return Plan(
        tuple(start for each in plans for start in each.starts),
        tuple(pair for each in plans for pair in each.preempt),
        {run_id: nodes for each in plans for run_id, nodes in each.claims.items()},
        {run_id: reason for each in plans for run_id, reason in each.reasons.items()},
    )


def _cluster_of(demand: Demand, clusters: Sequence[Cluster]) -> Cluster:
    return next((cluster for cluster in clusters if cluster.is_called(demand.cluster)), clusters[0])


def _preempt(transaction: Transaction, run: Run, beneficiary: str) -> None:
    run.stopping = {"kind": "preempted", "reason": events.preempted_reason(beneficiary)}
    run.terminate(transaction)
    records.save(transaction, run)


def _each(transaction: Transaction, run_ids: Iterable[str], step: Callable[[str], T]) -> dict[str, T]:
    """Take a step with each run, by id; one with which that fails is ended alone, and left out."""
    done = {}
    for run_id in run_ids:
        published = len(transaction.changes)
        try:
            done[run_id] = step(run_id)
        except Exception as error:
            run = records.load(transaction.db, run_id)
            log.exception("Run %s fails, because it cannot be scheduled", run.name)
            del transaction.changes[published:]
            fail_run(transaction, run_id, run.latest["id"], f"The platform failed on this run: {error}")
    return done


def _hand_over(transaction: Transaction, run_id: str) -> str:
    """Leave a waiting run to an engine that schedules; returns the id of its resumption."""
    run = records.load(transaction.db, run_id)
    if run.status == Status.PENDING:
        run.enter(transaction, Status.QUEUED)
        records.save(transaction, run)
    return str(run.latest["id"])


def _move(transaction: Transaction, queued: Queued, decided: Plan, start: Start | None) -> str:
    """Do what was decided for a waiting run, and return its resumption's id if it starts.

    Of one that goes on to wait only the reason is written, if it is new.
    """
    reason, claim = decided.reasons.get(queued.run_id, ""), decided.claims.get(queued.run_id, ())
    if start or queued.is_new:
        run = records.load(transaction.db, queued.run_id)
        run.latest["claim"] = list(claim)
        if queued.is_new:
            run.enter(transaction, Status.QUEUED, reason)
        if start:
            run.place(transaction, start.nodes, start.gpu_indices)
        records.save(transaction, run)
        return str(run.latest["id"])
    if (reason or queued.reason, tuple(claim)) != (queued.reason, queued.claim):
        queue.explain(transaction, queued.run_id, reason or queued.reason, claim)
    return ""


def _waiting(run: Queued) -> Waiting:
    return Waiting(
        run.run_id, run.demand, run.priority, run.preemptible, parse_time(run.created_at), run.claim
    )


def _placed(run: Run) -> Placed:
    return Placed(
        run.id,
        run.demand,
        run.priority,
        run.preemptible,
        parse_time(run.latest["startTime"]),
        tuple(node["name"] for node in run.latest["placement"]),
        tuple(tuple(indices) for indices in run.latest["gpuIndices"]),
        leaving=run.status == "TERMINATING",
    )


def _stop_all(transaction: Transaction) -> None:
    for run in records.with_status(transaction.db, (*records.WAITING, *records.LIVE)):
        stop(transaction, run, "The local platform was stopped")
