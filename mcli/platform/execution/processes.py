"""Ranks as processes on this machine, each below a supervisor of its own, which outlives the server.

What counts is in the folders of the ranks (`supervisor.py` says what): a later server finds them again by these.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import Exit, Order, Phase, Rank, Sight
from mcli.platform.execution.gang import RankTakenError, start_together
from mcli.platform.execution.rank_files import Note, kill_rest, lost, open_process, read_exit, reap
from mcli.platform.execution.supervisor import EXIT, identity
from mcli.platform.scheduling.cluster import Machines, clusters_of, this_machine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcli.platform.execution.engine import Job
    from mcli.platform.scheduling.cluster import Node

__all__ = ["ProcessEngine", "free_port"]

_POLL_SECONDS = 0.1  # where the system has no process handles
_LIMBO_SECONDS = 30.0  # that a supervisor has to decide whether it starts its command
_SHORTEST_LOOK, _LONGEST_LOOK = 0.005, 0.25  # seconds between two looks whether commands have been started


class ProcessEngine:
    """Executes jobs on this machine, whatever the nodes of its cluster are called."""

    schedules = False

    def __init__(self, cluster: Machines | None = None) -> None:
        self._cluster = cluster
        self._bonds: dict[str, list[int]] = {}
        """What bound ranks watch for their end, by job."""

    async def describe(self) -> Machines:
        """Return what was given, or this machine as it is."""
        if self._cluster is None:
            self._cluster = await asyncio.to_thread(this_machine)
        return self._cluster

    async def submit(self, job: Job) -> None:
        """Start the ranks that have not been started, together or not at all."""
        await asyncio.to_thread(self._start, job)

    async def watch(self, job: Job) -> AsyncGenerator[Sight]:
        """Yield what is true of a job now, then each change."""
        ranks = [await asyncio.to_thread(ProcessRank, folder) for folder in job.ranks]
        waits = [asyncio.create_task(rank.wait()) for rank in ranks]
        starting = asyncio.create_task(_all_started(job.ranks))
        try:
            while True:
                ends = tuple(wait.result() if wait.done() else None for wait in waits)
                phase = Phase.ENDED if all(ends) else Phase.RUNNING if starting.done() else Phase.LAUNCHING
                # what ends while the reader is busy with this sight is news for the next one
                pending = [task for task in (starting, *waits) if not task.done()]
                yield Sight(phase, ends=ends)
                if phase is Phase.ENDED:
                    return
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (starting, *waits):
                task.cancel()
            await asyncio.gather(starting, *waits, return_exceptions=True)
            for rank in ranks:
                rank.close()
            self._let_go(job.key)

    async def stop(self, job: Job) -> None:
        """Send SIGTERM to the supervisors, which do the rest."""
        for folder in job.ranks:
            await asyncio.to_thread(_terminate, folder)

    async def change(self, job: Job, *, priority: str, seconds: float | None) -> None:
        """Do nothing: the platform schedules, and ends what takes too long."""

    async def forget(self, job: Job) -> None:
        """Remove the order, which holds secrets."""
        await asyncio.to_thread(job.discard_order)

    async def close(self) -> None:
        """Let go of all jobs: the ranks of bound ones end."""
        for key in tuple(self._bonds):
            self._let_go(key)

    def _let_go(self, key: str) -> None:
        for bond in self._bonds.pop(key, ()):
            os.close(bond)

    def _start(self, job: Job) -> None:
        order = job.order()
        if order is None:
            raise OSError(f"{job.folder} does not say what is to be started.")
        ranks = _completed(job, order, _nodes(self._cluster) if self._cluster else ())
        end = time.monotonic() + _LIMBO_SECONDS
        while missing := [rank for rank in ranks if not _was_started(Path(rank.folder), end)]:
            try:
                bonds = start_together(missing)
            except RankTakenError:
                if time.monotonic() > end:
                    raise
                time.sleep(_SHORTEST_LOOK)
            else:
                self._bonds.setdefault(job.key, []).extend(bonds)
                return


class ProcessRank:
    """A rank on this machine, seen through its supervisor's process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = Note.read(folder).living_supervisor
        self._handle = open_process(self._pid)

    async def wait(self) -> Exit:
        """Return when the rank has ended and its log is complete."""
        await self._gone()
        reap(self._pid)
        return await asyncio.to_thread(_read_end, self._folder)

    def close(self) -> None:
        """Let go of the rank, without any effect on it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    async def _gone(self) -> None:
        if self._handle is None:
            while self._is_running():  # noqa: ASYNC110 - without process handles there is nothing to wait for
                await asyncio.sleep(_POLL_SECONDS)
            return
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._handle, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._handle)

    def _is_running(self) -> bool:
        return self._pid is not None and not reap(self._pid) and identity(self._pid) is not None


def _read_end(folder: Path) -> Exit:
    """Read how the rank of a folder ended; when that was never written, kill what is left of it."""
    end = read_exit(folder) or lost(folder)
    if end.lost:
        kill_rest(folder)
    return end


def _terminate(folder: Path) -> None:
    pid = Note.read(folder).living_supervisor
    handle = open_process(pid)
    with contextlib.suppress(ProcessLookupError):
        if handle is not None:
            try:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
            finally:
                os.close(handle)
        elif pid is not None:
            os.kill(pid, signal.SIGTERM)


async def _all_started(folders: Sequence[Path]) -> None:
    """Return when every rank's command has been started. Its supervisor tells nobody but the disk."""
    pause = _SHORTEST_LOOK
    while not all(Note.read(folder).command for folder in folders):
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_LOOK)


def _was_started(folder: Path, until: float) -> bool:
    """Tell whether a command was started; waits for a supervisor that an earlier server left undecided."""
    while True:
        note = Note.read(folder)
        if note.was_started or (folder / EXIT).exists():
            return True
        if note.living_supervisor is None or reap(note.living_supervisor):
            return False
        if time.monotonic() > until:
            raise OSError(f"The supervisor of {folder} does not start its command, nor does it leave.")
        time.sleep(_SHORTEST_LOOK)


def _nodes(machines: Machines) -> list[Node]:
    return [node for cluster in clusters_of(machines) for node in cluster.nodes]


def _completed(job: Job, order: Order, nodes: Sequence[Node]) -> list[Rank]:
    """Give the ranks what only the place where they run knows."""
    known = {node.name: node for node in nodes}
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_port(job.folder)),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    completed = []
    for rank, name, gpus in zip(order.ranks, order.placement, order.gpu_indices, strict=True):
        devices = known[name].cuda_devices(gpus) if name in known else ",".join(map(str, gpus))
        completed.append(
            replace(rank, environment={**meeting, "CUDA_VISIBLE_DEVICES": devices, **rank.environment})
        )
    return completed


def _port(folder: Path) -> int:
    """Choose a port on which the ranks of a job can meet, the same whenever they are started."""
    file = folder / "port"
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    port = free_port()
    file.write_text(str(port))
    return port


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
