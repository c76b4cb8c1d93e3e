"""What executes runs, as the rest of the platform sees it: one resumption is one job.

A job is all ranks of a resumption, and a rank is the command of a run on one node. What a job is to do is written
into its folder first (`Job.write`); from then on any server can have it executed, find it again and see its end,
because engines keep nothing that counts in the memory of a server.
"""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from mcli.platform.execution.supervisor import write_atomically
from mcli.platform.scheduling.demand import Demand

if TYPE_CHECKING:
    from mcli.platform.scheduling.cluster import Machines

__all__ = [
    "ENGINE_VARIABLES",
    "GRACE",
    "Cause",
    "Engine",
    "EngineUnavailableError",
    "Exit",
    "Job",
    "JobRefusedError",
    "Order",
    "Phase",
    "Rank",
    "Sight",
]

GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL, unless somebody wants others."""

ENGINE_VARIABLES = frozenset({"MASTER_ADDR", "MASTER_PORT", "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES"})
"""Variables that the engine sets, because it knows where ranks run; what a rank has of its own wins."""

Cause = Literal["", "preempted", "node", "limit", "cancelled", "memory", "launch"]

_ORDER = "job.json"


class JobRefusedError(Exception):
    """The engine can never execute this job; the text says why, to people."""


class EngineUnavailableError(OSError):
    """The engine cannot be asked now, so nothing is known of what it did. Ask again."""


@dataclass(frozen=True)
class Rank:
    """One rank to start."""

    folder: str
    """Where the files about the rank are kept. One rank, one folder."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    working_folder: str
    log: str
    """File that standard output and error are appended to."""
    grace: float
    """Seconds between SIGTERM and SIGKILL when the rank is stopped."""
    bound: bool = False
    """Whether the rank is stopped when whoever started it lets go of it or dies."""
    log_limit: int = 0
    """Bytes that are kept of each of its logs; 0 for all."""


@dataclass(frozen=True)
class Exit:
    """How a rank ended."""

    code: int
    """Exit status of the command; 128 + signal when a signal ended it."""
    signal: int | None = None
    stopped: bool = False
    """Whether it was asked to stop before."""
    ended_at: float = 0.0
    """Unix seconds."""
    lost: bool = False
    """Whether nobody knows how it ended, because what watched over it died as well."""
    started: bool = True
    """Whether the command was started at all."""
    problem: str | None = None
    """What is known of why it was lost."""
    detail: str = ""
    """What is known of why it failed, beyond its exit status."""
    out_of_memory: bool = False
    """Whether the kernel killed it, or a process that it had started, because memory ran out."""
    peak_bytes: int = 0
    """The most memory that its processes held at once, in bytes; 0 where that is not known."""
    cpu_seconds: float = 0.0
    gpu_percent: float | None = None
    """How busy its GPUs were on average; None where that is not known."""
    log_cut: bool = False
    """Whether a log of it was longer than is kept."""

    @property
    def is_platforms_fault(self) -> bool:
        """Whether the rank was lost, or was killed by a signal that no stop had sent.

        bash tells that a command of its was killed by its own exit status: 137 is SIGKILL, which nothing that fails
        by itself gives.
        """
        signalled = self.signal in _SENT_FROM_OUTSIDE or self.code == _KILLED
        return self.lost or (signalled and not self.stopped)


_SENT_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class Order:
    """What a job is to execute, and with what."""

    run_name: str
    """For people."""
    demand: Demand
    ranks: tuple[Rank, ...]
    priority: str = "auto"
    preemptible: bool = False
    seconds: float | None = None
    """How long it may take at most, so that engines can plan; the platform itself ends it then."""
    placement: tuple[str, ...] = ()
    """Its nodes by rank, for an engine that does not choose them."""
    gpu_indices: tuple[tuple[int, ...], ...] = ()
    """Its GPUs on each of these nodes."""


@dataclass(frozen=True)
class Job:
    """One resumption to execute, all ranks or none: its identity, and where its files are."""

    key: str
    """The resumption's id: unique for ever. No number that an engine gives is."""
    folder: Path
    """Where the files about the job are kept."""
    ranks: tuple[Path, ...]
    """The folders of its ranks."""

    def write(self, order: Order) -> None:
        """Write down what is to be done, for the owner's eyes only: from now on it can be submitted by anybody."""
        write_atomically(self.folder / _ORDER, asdict(order))

    def order(self) -> Order | None:
        """Read what is to be done; None when that was never decided."""
        try:
            stored = json.loads((self.folder / _ORDER).read_text())
        except FileNotFoundError:
            return None
        demand = stored["demand"] | {"node_names": tuple(stored["demand"]["node_names"])}
        definite = {
            "demand": Demand(**demand),
            "ranks": tuple(Rank(**rank) for rank in stored["ranks"]),
            "placement": tuple(stored["placement"]),
            "gpu_indices": tuple(tuple(indices) for indices in stored["gpu_indices"]),
        }
        return Order(**stored | definite)

    @property
    def is_ordered(self) -> bool:
        """Whether it is written down what is to be done."""
        return (self.folder / _ORDER).exists()

    def discard_order(self) -> None:
        """Remove what was to be done: it holds all that the ranks were given, secrets too."""
        (self.folder / _ORDER).unlink(missing_ok=True)


class Phase(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    """Accepted; it has no nodes yet."""
    LAUNCHING = "launching"
    """It has nodes, but not every rank's command has been started."""
    RUNNING = "running"
    """Every rank's command has been started."""
    ENDED = "ended"
    """Every rank has ended, its log is complete; or the engine is sure that nothing more will be known."""
    UNKNOWN = "unknown"
    """The engine cannot be asked now. Nothing follows from that."""


@dataclass(frozen=True)
class Sight:
    """What is known of a job now."""

    phase: Phase
    nodes: tuple[str, ...] = ()
    """By rank, once it has some; empty also from an engine that does not choose them."""
    reason: str = ""
    """Why it waits, for people."""
    starts_at: float | None = None
    """When it is expected to start, in unix seconds; None when nobody can tell honestly."""
    ends: tuple[Exit | None, ...] = ()
    """How its ranks ended, by rank; None for those that have not."""
    cause: Cause = ""
    """Why the engine ended it, if the engine did."""


class Engine(Protocol):
    """What executes jobs."""

    @property
    def schedules(self) -> bool:
        """Whether the engine decides when and where jobs run; otherwise the platform does (`Order.placement`)."""
        ...

    async def describe(self) -> Machines:
        """Return the nodes as they are now, of one cluster or of several."""
        ...

    async def submit(self, job: Job) -> None:
        """Have a job executed whose order was written, once, whatever happens and whoever submits it again.

        What was started stays as it is; what was not is started.

        Raises:
            JobRefusedError: If it can never be executed.
            EngineUnavailableError: If nobody knows whether it will be: submit it again.
            OSError: If it could not be started.
        """
        ...

    def watch(self, job: Job) -> AsyncGenerator[Sight]:
        """Yield what is true of a job now, then each change, to its end."""
        ...

    async def stop(self, job: Job) -> None:
        """Ask all ranks to end: SIGTERM now, SIGKILL after their grace. A job that waits never starts.

        Returns at once, and may be called again; the end comes through `watch`.
        """
        ...

    async def change(self, job: Job, *, priority: str, seconds: float | None) -> None:
        """Tell the engine what it may want to know of a job that waits or runs. Best effort."""
        ...

    async def forget(self, job: Job) -> None:
        """Remove what the engine keeps of a job that has ended."""
        ...

    async def close(self) -> None:
        """Let go of all jobs. Those that are not bound go on."""
        ...
