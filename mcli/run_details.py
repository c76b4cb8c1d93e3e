"""The parts of a run: its nodes, its resumptions, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mcli.status import RunStatus

if TYPE_CHECKING:
    from mcli_mapi.fragments import FormattedRunEventFields

__all__ = ["FormattedRunEvent", "Node", "Resumption", "RunLifecycle"]


@dataclass
class Node:
    """A node that a run uses.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed")
    >>> [(node.rank, node.status.name) for node in run.nodes]
    [(0, 'COMPLETED')]
    """

    rank: int
    """Number of the node within the run, from 0."""
    name: str
    status: RunStatus
    reason: str | None = None
    """Why the node is in this status, e.g. the exit code of the command."""


@dataclass
class Resumption:
    """One attempt to execute a run: the first one, and one more for each time that it was started again.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed")
    >>> [(each.index, each.status.name) for each in run.resumptions]
    [(0, 'COMPLETED')]
    """

    index: int
    """Number of the resumption, from 0."""
    cluster: str
    gpus: int
    """GPUs on all nodes."""
    cpus: int
    gpu_type: str
    node_count: int
    status: RunStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimated_end_time: datetime | None = None
    """When the run's maximum duration will be over."""
    reason: str | None = None


@dataclass
class RunLifecycle:
    """A span of time that a run spent in one status.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed")
    >>> [span.status.name for span in run.lifecycle]
    ['PENDING', 'QUEUED', 'STARTING', 'RUNNING', 'TERMINATING', 'COMPLETED']
    """

    resumption_index: int
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    """None while it lasts."""
    reason: str | None = None


@dataclass
class FormattedRunEvent:
    """Something that happened to a run, as a line for people.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed")
    >>> run.events[0].event_message
    'Run created.'
    """

    event_type: str
    """E.g. `CREATED`, `STARTED`, `COMPLETED`; newer platforms send others."""
    event_time: datetime
    event_message: str
    resumption_index: int | None = None


def event(fields: FormattedRunEventFields) -> FormattedRunEvent:
    """Read an event from the wire."""
    return FormattedRunEvent(
        fields.event_type, fields.event_time, fields.event_message, fields.resumption_index
    )
