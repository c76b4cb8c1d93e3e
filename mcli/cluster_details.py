"""What a cluster consists of, and who uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, cast

from mcli._arguments import given
from mcli._run_sections import SchedulingConfig
from mcli.enums import SubmissionType

if TYPE_CHECKING:
    from mcli_mapi.fragments import (
        ClusterFields,
        ClusterUtilizationFields,
        ClusterUtilizationFieldsInstanceUtils,
        DeploymentUtilizationFields,
        InstanceFields,
        RunUtilizationFields,
        RunUtilizationFieldsScheduling,
    )

__all__ = [
    "ClusterDetails",
    "ClusterUtilization",
    "DeploymentUtilization",
    "Instance",
    "InstanceNode",
    "InstanceUtilization",
    "RunUtilization",
]


@dataclass
class InstanceNode:
    """A machine of a cluster."""

    name: str
    """Name, as `compute` takes it in `node_names`."""
    is_alive: bool
    is_schedulable: bool
    """Whether the platform may start runs on it."""


@dataclass
class Instance:
    """A kind of machine that a cluster has."""

    name: str
    """Name, as `compute` takes it in `instance`."""
    gpu_type: str | None
    """Kind of GPU, e.g. `a100_80gb`; None for a machine without GPUs."""
    gpus: int
    """GPUs of one machine."""
    nodes: int
    """Number of machines."""
    cpus: int | None = None
    """CPUs of one machine."""
    memory: str | None = None
    """Memory of one machine, with its unit, e.g. `2048Gi`."""
    storage: str | None = None
    """Disk of one machine, with its unit."""
    gpu_nums: list[int] = field(default_factory=list)
    """Numbers of GPUs that a run may ask for."""
    node_details: list[InstanceNode] = field(default_factory=list)
    """The machines."""


@dataclass
class InstanceUtilization:
    """How many GPUs of a kind of machine are in use."""

    cluster_id: str
    instance: Instance
    gpus_used: int
    gpus_available: int
    gpus_total: int


@dataclass
class RunUtilization:
    """A run that uses a cluster, or waits for it."""

    id: str
    name: str
    user: str
    """Who created it."""
    created_at: datetime
    instance: str
    gpus: int
    """GPUs on all nodes."""
    gpu_type: str | None = None
    reason: str | None = None
    """What it waits for, where it waits."""
    started_at: datetime | None = None
    estimated_end_time: datetime | None = None
    """When its maximum duration will be over."""
    max_duration: float | None = None
    """Hours after which the platform stops it."""
    scheduling: SchedulingConfig = field(default_factory=SchedulingConfig)
    """Its `priority`, `preemptible` and `retry_on_system_failure`."""


@dataclass
class DeploymentUtilization:
    """An inference deployment that uses a cluster, or waits for it."""

    id: str
    name: str
    user: str
    """Who created it."""
    created_at: datetime
    instance: str
    gpus: int


@dataclass
class ClusterUtilization:
    """Who uses a cluster, and what is left of it."""

    cluster_instance_utils: list[InstanceUtilization] = field(default_factory=list)
    active_runs_by_user: list[RunUtilization] = field(default_factory=list)
    queued_runs_by_user: list[RunUtilization] = field(default_factory=list)
    active_deployments_by_user: list[DeploymentUtilization] = field(default_factory=list)
    queued_deployments_by_user: list[DeploymentUtilization] = field(default_factory=list)


@dataclass
class ClusterDetails:
    """A cluster that runs can be launched on.

    >>> import mcli
    >>> cluster = mcli.get_clusters()[0]
    >>> cluster.name, cluster.cluster_instances[0].name
    ('local', 'cpu')
    """

    name: str
    """Name, as `compute` takes it in `cluster`."""
    id: str
    provider: str
    """Who operates the machines, e.g. `CoreWeave`."""
    allow_fractional: bool | None = None
    """Whether a run may have less than one machine."""
    allow_multinode: bool | None = None
    """Whether a run may have more than one machine."""
    cluster_instances: list[Instance] = field(default_factory=list)
    """The kinds of machines."""
    submission_types: list[SubmissionType] = field(default_factory=list)
    """What the cluster may be used for."""
    is_multi_tenant: bool = False
    """Whether several customers share it."""
    reservation_type: str | None = None
    scheduler_enabled: bool = False
    utilization: ClusterUtilization | None = None
    """Who uses it, where a call says that it fetches this."""

    def _repr_html_(self) -> str:
        """Show a card in a notebook."""
        from mcli._display import cluster_card

        return cluster_card(self)


def cluster_of(fields: ClusterFields) -> ClusterDetails:
    """Read a cluster from the wire; with its utilization where it has one."""
    utilization: ClusterUtilizationFields | None = getattr(fields, "utilization", None)
    return ClusterDetails(
        name=fields.name,
        id=fields.id,
        provider=_provider(fields.provider),
        allow_fractional=fields.allow_fractional,
        allow_multinode=fields.allow_multinode,
        cluster_instances=[_instance(each) for each in fields.allowed_instances],
        submission_types=[SubmissionType.from_string(each) for each in fields.allowed_submission_types],
        is_multi_tenant=fields.is_multi_tenant,
        reservation_type=fields.reservation_type,
        scheduler_enabled=fields.scheduler_enabled,
        utilization=None if utilization is None else _utilization(utilization),
    )


_PROVIDERS = {
    "AWS": "AWS",
    "COREWEAVE": "CoreWeave",
    "GCP": "GCP",
    "MICROK8S": "MicroK8s",
    "MOSAICML_COLO": "MosaicML",
    "OCI": "OCI",
}
"""Providers that spell themselves in another way than with one capital."""


def _provider(name: str) -> str:
    return _PROVIDERS.get(name) or name.replace("_", " ").capitalize()


def _instance(fields: InstanceFields) -> Instance:
    return Instance(
        name=fields.name,
        gpu_type=_gpu_type(fields.gpu_type),
        gpus=fields.gpus_per_node,
        nodes=fields.num_nodes,
        cpus=fields.cpus,
        memory=fields.memory,
        storage=fields.storage,
        gpu_nums=fields.gpu_nums,
        node_details=[InstanceNode(each.name, each.is_alive, each.is_schedulable) for each in fields.nodes],
    )


def _gpu_type(name: str | None) -> str | None:
    """Return None for what the wire calls the type `None`."""
    return None if name is None or name.lower() in {"", "none"} else name


def _utilization(fields: ClusterUtilizationFields) -> ClusterUtilization:
    return ClusterUtilization(
        cluster_instance_utils=[_use(each) for each in fields.instance_utils],
        active_runs_by_user=[_run(each) for each in fields.active_runs_by_user],
        queued_runs_by_user=[_run(each) for each in fields.queued_runs_by_user],
        active_deployments_by_user=[_deployment(each) for each in fields.active_deployments_by_user],
        queued_deployments_by_user=[_deployment(each) for each in fields.queued_deployments_by_user],
    )


def _use(fields: ClusterUtilizationFieldsInstanceUtils) -> InstanceUtilization:
    return InstanceUtilization(
        cluster_id=fields.cluster_id,
        instance=_instance(fields.instance),
        gpus_used=fields.gpus_used,
        gpus_available=fields.gpus_available,
        gpus_total=fields.gpus_total,
    )


def _run(fields: RunUtilizationFields) -> RunUtilization:
    seconds = fields.max_duration_seconds
    return RunUtilization(
        id=fields.id,
        name=fields.run_name,
        user=fields.user_name,
        created_at=fields.created_at,
        instance=fields.instance,
        gpus=fields.gpu_num,
        gpu_type=_gpu_type(fields.gpu_type),
        reason=fields.reason,
        started_at=fields.start_time,
        estimated_end_time=fields.estimated_end_time,
        max_duration=seconds if seconds is None else seconds / 3600,
        scheduling=_scheduling(fields.scheduling),
    )


def _scheduling(fields: RunUtilizationFieldsScheduling) -> SchedulingConfig:
    told = {
        "priority": fields.priority,
        "preemptible": fields.preemptible,
        "retry_on_system_failure": fields.retry_on_system_failure,
    }
    return cast("SchedulingConfig", given(told))


def _deployment(fields: DeploymentUtilizationFields) -> DeploymentUtilization:
    return DeploymentUtilization(
        id=fields.id,
        name=fields.deployment_name,
        user=fields.user_name,
        created_at=fields.created_at,
        instance=fields.instance,
        gpus=fields.gpu_num,
    )
