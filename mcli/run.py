"""A run: what the platform knows of it, as it was when it was read."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import mcli  # for its verbs, which import this
from mcli._arguments import given
from mcli._run_sections import known_name
from mcli._words import age, compute
from mcli.enums import RunType
from mcli.exceptions import MAPIException
from mcli.run_config import RunConfig
from mcli.run_details import (
    FormattedRunEvent,
    Node,
    Resumption,
    RunLifecycle,
)
from mcli.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["Run"]

_CONTRADICTED: dict[str, tuple[str, ...]] = {
    "nodes": ("gpus", "node_names"),
    "gpus": ("nodes", "node_names"),
    "instance": ("gpu_type", "node_names"),
    "gpu_type": ("instance",),
    "cluster": ("instance", "node_names"),
}
"""What a setting that overrides another run's removes from it."""

_REQUIRED = (
    "id", "name", "status", "createdAt", "updatedAt", "reason", "createdByEmail", "priority", "preemptible",
    "retryOnSystemFailure", "resumptions", "isDeleted", "runType",
)  # fmt: skip


@dataclass
class Run:
    """A run that has been launched on the MosaicML platform, as it was when it was read.

    A plain value: it compares, copies and pickles, and changes only where you change it.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="hello", image="bash", command="true", compute={"gpus": 0}))
    >>> mcli.wait_for_run_status(run, "completed").refresh().status
    <RunStatus.COMPLETED: 'COMPLETED'>
    """

    run_uid: str
    """Unique identifier of the run."""
    name: str
    """Name of the run: the name that was asked for, with a suffix that makes it unique."""
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    created_by: str
    """Email of the user who created the run."""
    priority: str
    """Its place in the queue, e.g. `auto`, `low` or `lowest`."""
    preemptible: bool
    """Whether runs of higher priority may stop it and queue it again."""
    retry_on_system_failure: bool
    """Whether it is tried again after its machine failed."""
    cluster: str
    """Name of the cluster it is on."""
    gpus: int
    """GPUs on all nodes."""
    gpu_type: str
    """Kind of GPU."""
    cpus: int
    """CPUs on all nodes."""
    node_count: int
    """Number of nodes."""
    latest_resumption: Resumption | None
    """The current resumption."""
    is_deleted: bool
    run_type: RunType
    max_retries: int | None = None
    """How often the platform tries the run again when it fails."""
    reason: str | None = None
    """Why the run is in this status, e.g. the exit code, or what `stop_run` was told."""
    nodes: list[Node] = field(default_factory=list)
    submitted_config: RunConfig | None = None
    """What was submitted. This and other details are there where a call says that it fetches them."""
    metadata: dict[str, Any] | None = None
    last_resumption_id: str | None = None
    resumptions: list[Resumption] = field(default_factory=list)
    """All of them, the current one last."""
    events: list[FormattedRunEvent] = field(default_factory=list)
    lifecycle: list[RunLifecycle] = field(default_factory=list)
    """The statuses that the run has been in, and when."""
    image: str | None = None
    max_duration: float | None = None
    """Hours after which the platform stops the run."""
    _required_properties: tuple[str, ...] = field(default=_REQUIRED, repr=False, compare=False)

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        where = f"{self.cluster}, {compute(self)}, created {age(self.created_at)} ago"
        return f"{self.name} {self.status.name}{reason} ({where})"

    def _repr_html_(self) -> str:
        """Show a card in a notebook."""
        from mcli._display import run_card

        return run_card(self)

    @classmethod
    def _list_html(cls, runs: Sequence[Run], *, has_more: bool) -> str:
        from mcli._display import runs_table

        return runs_table(runs, has_more=has_more)

    @property
    def started_at(self) -> datetime | None:
        """When the first resumption began."""
        return self.resumptions[0].started_at if self.resumptions else None

    @property
    def completed_at(self) -> datetime | None:
        """When the last resumption ended; one that was stopped before it began does not count."""
        ended = (
            each.ended_at for each in reversed(self.resumptions) if each.ended_at or not _was_stopped(each)
        )
        return next(ended, None)

    def clone(
        self,
        name: str | None = None,
        image: str | None = None,
        cluster: str | None = None,
        instance: str | None = None,
        nodes: int | None = None,
        gpu_type: str | None = None,
        gpus: int | None = None,
        priority: str | None = None,
        preemptible: bool | None = None,
        max_retries: int | None = None,
        max_duration: float | None = None,
    ) -> Run:
        """Submit a new run with this one's configuration; what is given here goes before it.

        What is given removes what contradicts it, unless that is given in the same call. This run does not change.

        * `nodes` removes `gpus` and `node_names`
        * `gpus` removes `nodes` and `node_names`
        * `instance` removes `gpu_type` and `node_names`
        * `gpu_type` removes `instance`
        * `cluster` removes `instance` and `node_names`

        Args:
            name: Name of the new run. Default: the name that was submitted.
            image: Docker image.
            cluster: Name of the cluster.
            instance: Name of the kind of machine.
            nodes: Number of machines.
            gpu_type: Kind of GPU.
            gpus: Number of GPUs in all.
            priority: `auto`, `low` or `lowest`.
            preemptible: Whether runs of higher priority may stop it and queue it again.
            max_retries: How often the platform tries it again when it fails.
            max_duration: Hours after which the platform stops it.

        Returns:
            The new run.

        Raises:
            MCLIRunConfigValidationError: The new configuration cannot be sent.
            MAPIException: The configuration of this run is not known, or the new one is refused.
        """
        submitted = self.submitted_config or self.refresh().submitted_config
        if submitted is None:
            raise MAPIException(500, f"The platform does not know the configuration of run {self.name!r}.")
        config = copy.deepcopy(submitted)
        config.name = name or config.name
        config.image = image or config.image
        compute = {
            "cluster": cluster,
            "instance": instance,
            "nodes": nodes,
            "gpu_type": gpu_type,
            "gpus": gpus,
        }
        scheduling = {
            "priority": priority,
            "preemptible": preemptible,
            "max_retries": max_retries,
            "max_duration": max_duration,
        }
        config.compute = _overridden(config.compute, given(compute))
        config.scheduling = {**config.scheduling, **given(scheduling)}
        return mcli.create_run(config)

    def refresh(self) -> Run:
        """Return the run as it is now, with details; see `get_run`."""
        return mcli.get_run(self)

    def stop(self) -> Run:
        """Stop the run; see `stop_run`."""
        return mcli.stop_run(self)

    def delete(self) -> Run:
        """Delete the run; see `delete_run`."""
        return mcli.delete_run(self)

    def update(
        self,
        preemptible: bool | None = None,
        priority: str | None = None,
        max_retries: int | None = None,
        retry_on_system_failure: bool | None = None,
        max_duration: float | None = None,
    ) -> Run:
        """Change settings of the run; what is not given stays. See `update_run`.

        Args:
            preemptible: Whether runs of higher priority may stop it and queue it again.
            priority: `auto`, `low` or `lowest`.
            max_retries: How often the platform tries it again when it fails.
            retry_on_system_failure: Whether a failure of the platform itself, e.g. of a node, is tried again.
            max_duration: Hours after which the platform stops it.

        Returns:
            The run, with its new settings.
        """
        return mcli.update_run(
            self,
            preemptible=preemptible,
            priority=priority,
            max_retries=max_retries,
            retry_on_system_failure=retry_on_system_failure,
            max_duration=max_duration,
        )

    def update_metadata(self, metadata: dict[str, Any]) -> Run:
        """Merge keys into the run's metadata; see `update_run_metadata`.

        Args:
            metadata: The keys and their values; keys that are not given stay.

        Returns:
            The run, with details.
        """
        return mcli.update_run_metadata(self, metadata)


def _overridden(compute: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    contradicted = {name for setting in settings for name in _CONTRADICTED[setting]}
    kept = {name: value for name, value in compute.items() if known_name("compute", name) not in contradicted}
    return {**kept, **settings}


def _was_stopped(resumption: Resumption) -> bool:
    return resumption.status is RunStatus.STOPPED
