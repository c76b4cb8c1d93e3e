"""A run as the platform remembers it, and the steps that it can take.

Every step is taken inside a transaction, leaves the record as it must be stored, and publishes the new status. Parts
that go over the wire as they are (`resumptions`, `lifecycle`, `events`) have the wire's form already; a resumption
holds some more keys, which no schema shows.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import later
from mcli.platform.scheduling.demand import Demand
from mcli.platform.state.hub import Change
from mcli.platform.state.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcli.platform.state.store import Transaction

__all__ = ["Run"]


@dataclass
class Run:
    """One run with all its resumptions."""

    id: str
    name: str
    owner: str
    run_type: str
    submitted: dict[str, Any]
    """The run input as it was sent."""
    executed: dict[str, Any]
    """The run input that is executed: the same, but with the command of a run that has none of its own."""
    demand: Demand
    """What the run asks for."""
    created_at: str
    updated_at: str
    status: str = Status.PENDING
    reason: str = ""
    ended_at: str | None = None
    is_deleted: bool = False
    priority: str = "auto"
    preemptible: bool = False
    max_retries: int = 0
    retry_on_system_failure: bool = False
    max_duration_seconds: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    resumptions: list[dict[str, Any]] = field(default_factory=list)
    lifecycle: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=lambda: {"user": 0, "system": 0, "in_a_row": 0})
    """Failures since the run was last started by hand."""
    not_before: str | None = None
    """When a retry may start."""
    stopping: dict[str, str] | None = None
    """Why the run is being stopped: `kind` is one of user, limit, preempted; and the `reason` for people."""
    start_wanted: bool = False
    """Whether the run shall start again when it has ended."""
    finetune: dict[str, Any] | None = None
    """The configuration of a finetuning run."""

    @property
    def latest(self) -> dict[str, Any]:
        """The current resumption."""
        return self.resumptions[-1]

    @property
    def index(self) -> int:
        """The current resumption's index."""
        return len(self.resumptions) - 1

    def enter(self, transaction: Transaction, status: str, reason: str = "") -> None:
        """Take the next status, write it into the record and publish it."""
        now = transaction.now
        if self.lifecycle:
            self.lifecycle[-1] |= {"endTime": now, "reason": None}
        self.lifecycle.append(
            {
                "executionIndex": self.index,
                "status": status,
                "startTime": now,
                "endTime": None,
                "reason": reason,
            }
        )
        self.status, self.reason, self.updated_at = status, reason, now
        self.latest["status"] = status
        self.latest["reason"] = reason or None
        self.publish(transaction)

    def publish(self, transaction: Transaction) -> None:
        """Publish to those who act on the run that it changed; watchers know a status that they have seen."""
        transaction.changes.append(Change(self.id, len(self.lifecycle), self.status))

    def resume(self, transaction: Transaction, wait: float = 0.0) -> None:
        """Begin the next resumption: wait for nodes again, for `wait` seconds at least."""
        demand = self.demand
        self.resumptions.append(
            {
                "id": str(uuid.uuid4()),
                "executionIndex": len(self.resumptions),
                "clusterName": demand.cluster,
                "cpus": demand.cpus,
                "gpuType": demand.gpu_type,
                "gpus": demand.gpus,
                "nodes": demand.nodes,
                "status": Status.PENDING,
                "startTime": None,
                "endTime": None,
                "estimatedEndTime": None,
                "reason": None,
                "placement": [],
                "gpuIndices": [],
                "failedRank": None,
                "runningSince": None,
                "updates": [],
            }
        )
        self.not_before = later(transaction.now, wait) if wait else None
        self.stopping, self.ended_at, self.start_wanted = None, None, False
        self.enter(transaction, Status.PENDING)

    def start(self, transaction: Transaction) -> None:
        """Begin the next resumption as a person asked for it: earlier failures no longer count."""
        self.failures = {"user": 0, "system": 0, "in_a_row": 0}
        self.resume(transaction)

    def place(self, transaction: Transaction, nodes: Iterable[str], gpus: Iterable[Iterable[int]]) -> None:
        """Assign nodes to the run: it is STARTING from now on."""
        self.latest["startTime"] = transaction.now
        self.latest["gpuIndices"] = [list(indices) for indices in gpus]
        self.latest["placement"] = [
            {"rank": rank, "name": name, "status": Status.STARTING, "reason": None}
            for rank, name in enumerate(nodes)
        ]
        self.enter(transaction, Status.STARTING)
        self.limit()
        self._update_nodes(transaction, Status.STARTING)

    def limit(self) -> None:
        """Compute anew when the current resumption must end at the latest."""
        start, seconds = self.latest["startTime"], self.max_duration_seconds
        self.latest["estimatedEndTime"] = later(start, seconds) if start and seconds is not None else None

    def started(self, transaction: Transaction) -> None:
        """Note that the command executes on all nodes."""
        self.enter(transaction, Status.RUNNING)
        self.latest["runningSince"] = transaction.now
        self._update_nodes(transaction, Status.RUNNING)
        self.add_event("STARTED", transaction.now, "Run started.")

    def terminate(self, transaction: Transaction) -> None:
        """Begin to shut down, if that has not begun yet."""
        if self.status != Status.TERMINATING:
            self.latest["endTime"] = transaction.now
            self.enter(transaction, Status.TERMINATING)

    def end_node(self, transaction: Transaction, rank: int, status: str, reason: str | None) -> None:
        """Note how the run ended on one of its nodes."""
        node = self.latest["placement"][rank]
        node |= {"status": status, "reason": reason}
        self._note_update(transaction, node)

    def end(self, transaction: Transaction, status: str, reason: str, usage: str = "") -> None:
        """End the run, until somebody starts it again; who did so while it was ending has it started now.

        The event tells the reason, and in words what was used.
        """
        if self.latest["endTime"] is None and self.latest["startTime"] is not None:
            self.latest["endTime"] = transaction.now
        self.enter(transaction, status, reason)
        self.ended_at = transaction.now
        self.not_before = self.stopping = None
        self.add_event(status, transaction.now, f"{reason.rstrip('.')}. {usage}" if usage else reason)
        if self.start_wanted:
            self.start(transaction)

    def add_event(self, kind: str, time: str, message: str) -> None:
        """Add a line to what people read about the run."""
        self.events.append(
            {"resumptionIndex": self.index, "eventType": kind, "eventTime": time, "eventMessage": message}
        )

    def _update_nodes(self, transaction: Transaction, status: str) -> None:
        for node in self.latest["placement"]:
            node["status"] = status
            self._note_update(transaction, node)

    def _note_update(self, transaction: Transaction, node: dict[str, Any]) -> None:
        update = {
            "nodeRank": node["rank"],
            "nodeName": node["name"],
            "containerName": "MAIN",
            "status": node["status"],
            "reachedAt": transaction.now,
            "reason": node["reason"],
        }
        self.latest["updates"].append(update)

    def to_wire(self, email: str) -> dict[str, Any]:
        """Return the `Run` of the schema."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "reason": self.reason,
            "createdByEmail": email,
            "priority": self.priority,
            "maxRetries": self.max_retries,
            "preemptible": self.preemptible,
            "retryOnSystemFailure": self.retry_on_system_failure,
            "maxDurationSeconds": self.max_duration_seconds,
            "isDeleted": self.is_deleted,
            "runType": self.run_type,
            "resumptions": self.resumptions,
            "details": {
                "image": self.executed.get("image"),
                "originalRunInput": self.submitted,
                "metadata": self.metadata,
                "lastExecutionId": self.latest["id"],
                "lifecycle": self.lifecycle,
                "nodes": self.latest["placement"],
                "formattedRunEvents": self.events,
            },
            "executionsStatusUpdates": [
                {
                    "id": resumption["id"],
                    "executionIndex": resumption["executionIndex"],
                    "containerStatusUpdates": resumption["updates"],
                    "podStatusUpdates": resumption["updates"],
                }
                for resumption in self.resumptions
            ],
        }
