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
from mcli.platform.scheduling.scheduler import Placed, Plan, Start, Waiting, plan
from mcli.platform.state import events, records
from mcli.platform.submission.runs import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcli.platform.scheduling.cluster import Cluster
    from mcli.platform.state.hub import Change, Hub
    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Transaction

__all__ = ["Controller"]

T = TypeVar("T")

log: logging.Logger = logging.getLogger(__name__)


class Controller:
    """All runs that have not ended. Lives on the event loop."""

    def __init__(self, services: Services, hub: Hub, cluster: Cluster) -> None:
        self.cluster = cluster
        self._services = services
        self._hub = hub
        self._work = asyncio.Event()
        self._attempts: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduling: asyncio.Task[None]
        self._closing = False

    async def open(self) -> None:
        """Find the runs again that an earlier server left, and begin to schedule."""
        self._hub.listen_to_all(self._hear)
        living = await self._services.store.read(lambda db: records.with_status(db, records.LIVE))
        site, keys = self._services.site, {run.latest["id"] for run in living}
        await sweep_resumptions(site.folders, self._services.engine, keys)
        for run in living:
            self._drive(run.id)
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
            attempt.stop() if change.status == "TERMINATING" else attempt.change_limit()
        self._work.set()

    @property
    def is_idle(self) -> bool:
        """Whether no run has nodes."""
        return not self._attempts

    def _drive(self, run_id: str) -> None:
        attempt = self._attempts[run_id] = Attempt(run_id, self._services)
        task = asyncio.create_task(self._drive_to_end(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive_to_end(self, attempt: Attempt) -> None:
        try:
            await attempt.drive()
        except Exception:
            log.exception("Run %s is no longer supervised until the platform restarts", attempt.run_id)
        finally:
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
        for run_id in started:
            self._drive(run_id)
        return due

    def _pass(self, transaction: Transaction) -> tuple[list[str], str | None]:
        waiting = records.with_status(transaction.db, records.WAITING)
        live = records.with_status(transaction.db, records.LIVE)
        pausing = [run for run in waiting if run.not_before is not None and run.not_before > transaction.now]
        ready = [run for run in waiting if run not in pausing]
        waits = _each(transaction, ready, _waiting)
        decided = plan(self.cluster, list(waits.values()), list(_each(transaction, live, _placed).values()))
        self._preempt(transaction, decided, {run.id: run for run in (*ready, *live)})
        starts = {start.run_id: start for start in decided.starts}
        moved = _each(
            transaction,
            [run for run in ready if run.id in waits],
            lambda run: _move(transaction, run, decided, starts.get(run.id)),
        )
        started = [run_id for run_id in starts if run_id in moved]
        return started, min((str(run.not_before) for run in pausing), default=None)

    def _preempt(self, transaction: Transaction, decided: Plan, runs: dict[str, Run]) -> None:
        for victim, beneficiary in decided.preempt:
            run = runs[victim]
            run.stopping = {"kind": "preempted", "reason": events.preempted_reason(runs[beneficiary].name)}
            run.terminate(transaction)
            records.save(transaction, run)


def _each(transaction: Transaction, runs: Iterable[Run], step: Callable[[Run], T]) -> dict[str, T]:
    """Take a step with each run, by id; one with which that fails is ended alone, and left out."""
    done = {}
    for run in runs:
        published = len(transaction.changes)
        try:
            done[run.id] = step(run)
        except Exception as error:
            log.exception("Run %s fails, because it cannot be scheduled", run.name)
            del transaction.changes[published:]
            fail_run(transaction, run.id, run.latest["id"], error)
    return done


def _move(transaction: Transaction, run: Run, decided: Plan, start: Start | None) -> None:
    """Do what was decided for a waiting run."""
    if _take(transaction, run, decided) or start:
        if start:
            run.place(transaction, start.nodes, start.gpu_indices)
        records.save(transaction, run)


def _take(transaction: Transaction, run: Run, decided: Plan) -> bool:
    """Queue a run, or say anew why it waits and what for; tell whether that changed anything."""
    reason, claim = decided.reasons.get(run.id, ""), list(decided.claims.get(run.id, ()))
    promised: bool = run.latest.get("claim", []) != claim
    run.latest["claim"] = claim
    if run.status == "PENDING":
        run.enter(transaction, "QUEUED", reason)
        return True
    if run.reason == reason or not reason:
        return promised
    run.reason = run.lifecycle[-1]["reason"] = run.latest["reason"] = reason
    return True


def _waiting(run: Run) -> Waiting:
    created_at, claim = parse_time(run.created_at), tuple(run.latest.get("claim", ()))
    return Waiting(run.id, run.demand, run.priority, run.preemptible, created_at, claim)


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
