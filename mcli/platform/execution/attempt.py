"""One resumption on its nodes: started or found again, watched over, and brought to its end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import Clock, parse_time
from mcli.platform.execution.executor import Executor, Exit, RunningRank
from mcli.platform.execution.launch import HostSettings, prepare
from mcli.platform.execution.outcome import first_failure, judge, node_reason
from mcli.platform.state import events, records
from mcli.platform.state.secrets import of_owner
from mcli.platform.state.store import Store, Transaction
from mcli.platform.state.users import Keys, all_users
from mcli.platform.state.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcli.platform.state.records import Run

__all__ = ["Attempt", "Services"]

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What an attempt works with."""

    store: Store
    keys: Keys
    executor: Executor
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
        """Bring the resumption to its end."""
        run = await self._load()
        ranks, ends = self._find(run), [Exit(code=1, lost=True, started=False)]
        if ranks:
            ends = await self._attend(run, ranks)
        if run.status == "STARTING" and not any(end.started for end in ends):
            try:
                ranks = await self._launch(run)
            except Exception as error:
                log.exception("Run %s could not be started", run.name)
                problem = f"The run could not be started: {error}"
                ends = [Exit(code=1, lost=True, problem=problem)] * run.wants().nodes
            else:
                ends = await self._attend(run, ranks)
        await self._finish(ends)

    async def _load(self) -> Run:
        return await self._services.store.read(lambda db: records.load(db, self.run_id))

    def _find(self, run: Run) -> list[RunningRank]:
        site, executor = self._services.site, self._services.executor
        paths = (site.folders.node(run.id, run.index, rank).path for rank in range(run.wants().nodes))
        found = [executor.find(path) for path in paths]
        return [rank for rank in found if rank is not None]

    async def _launch(self, run: Run) -> list[RunningRank]:
        services = self._services
        users = await services.store.read(all_users)
        owner = next(user for user in users if user.id == run.owner)
        token = await services.keys.add(owner, run_id=run.id)
        secrets = await services.store.read(lambda db: of_owner(db, services.vault, run.owner))
        ranks = await asyncio.to_thread(prepare, run, services.site, token=token, secrets=secrets)
        return await services.executor.start(ranks)

    async def _attend(self, run: Run, ranks: Sequence[RunningRank]) -> list[Exit]:
        """Wait for all ranks; when one fails or a stop is asked for, stop the others."""
        if run.status == "TERMINATING":
            self.stop()
        waits = [asyncio.create_task(self._wait(rank)) for rank in ranks]
        helpers = [asyncio.create_task(self._stop_ranks(ranks)), asyncio.create_task(self._enforce_limit())]
        try:
            await self._services.store.write(self._mark_running)
            return list(await asyncio.gather(*waits))
        finally:
            for task in (*helpers, *waits):
                task.cancel()
            await asyncio.gather(*helpers, *waits, return_exceptions=True)
            for rank in ranks:
                rank.close()

    async def _wait(self, rank: RunningRank) -> Exit:
        end = await rank.wait()
        if end.code and end.started:
            await self._services.store.write(self._mark_terminating)
        return end

    async def _stop_ranks(self, ranks: Sequence[RunningRank]) -> None:
        await self._stopped.wait()
        for rank in ranks:
            rank.stop()

    async def _enforce_limit(self) -> None:
        clock = self._services.clock
        while not await self._services.store.write(self._mark_over):
            self._limit_changed.clear()
            due = (await self._load()).latest["estimatedEndTime"]
            waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._limit_changed.wait())]
            if due is not None:
                waits.append(asyncio.create_task(clock.sleep_until(parse_time(due))))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def _mark_running(self, transaction: Transaction) -> None:
        run = records.load(transaction.db, self.run_id)
        if run.status == "STARTING":
            run.started(transaction)
            records.save(transaction, run)

    def _mark_terminating(self, transaction: Transaction) -> None:
        run = records.load(transaction.db, self.run_id)
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

    async def _finish(self, ends: Sequence[Exit]) -> None:
        services = self._services
        await services.keys.revoke(self.run_id)
        run = await services.store.write(lambda transaction: self._end(transaction, ends))
        await asyncio.to_thread(self._clear, run)

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
            run.end(transaction, outcome.status, outcome.reason)
        else:
            run.latest.update(status=outcome.status, reason=outcome.reason)
            run.resume(transaction, outcome.retry_after)
        records.save(transaction, run)
        return run

    def _clear(self, run: Run) -> None:
        folders = self._services.site.folders
        if run.is_deleted:
            folders.remove(run.id)
            return
        ended = run.index if run.status in records.TERMINAL else run.index - 1
        for rank in range(run.wants().nodes):
            folders.node(run.id, ended, rank).clear()
