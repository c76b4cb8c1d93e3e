"""Clusters: machines, the kinds they come in, and their form on the wire.

A cluster is either this machine as it is, or a virtual one: nodes and GPUs that exist as numbers only, so
that multi-node runs can be tried out on a laptop.
"""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcli.platform.scheduling.gpus import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "CPU_TYPE",
    "Cluster",
    "Instance",
    "Machines",
    "Node",
    "cluster_to_wire",
    "clusters_of",
    "make_instance",
    "this_machine",
    "utilization_to_wire",
    "virtual",
]

CPU_TYPE = "None"
"""The `gpuType` of machines without GPUs."""

GIB = 2**30
_SMALL_COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Node:
    """One machine."""

    name: str
    gpus: int
    cpus: int
    memory_bytes: int
    disk_bytes: int
    gpu_ids: tuple[str, ...] = ()
    """What CUDA calls its GPUs, in their order; empty where they are called 0, 1, 2 …"""
    is_alive: bool = True
    is_schedulable: bool = True
    """Whether runs may be given it, as far as anybody knows."""

    def cuda_devices(self, indices: Iterable[int]) -> str:
        """Return the value of `CUDA_VISIBLE_DEVICES` for some of its GPUs."""
        return ",".join(self.gpu_ids[index] if self.gpu_ids else str(index) for index in indices)


@dataclass(frozen=True)
class Instance:
    """A kind of machine. A node may appear as several kinds: with its GPUs, and for its CPUs only."""

    name: str
    gpu_type: str
    gpus_per_node: int
    cpus: int
    memory: str
    storage: str
    gpu_nums: tuple[int, ...]
    """GPU counts that a run may ask for."""
    nodes: tuple[Node, ...]
    aliases: tuple[str, ...] = ()
    """Further names that requests may call it by."""


@dataclass(frozen=True)
class Cluster:
    """What runs are scheduled on."""

    id: str
    name: str
    provider: str
    allow_fractional: bool
    allow_multinode: bool
    submission_types: tuple[str, ...]
    instances: tuple[Instance, ...]
    aliases: tuple[str, ...] = ()
    """Further names that requests may call it by."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every machine once, in order of first appearance."""
        return tuple({node.name: node for instance in self.instances for node in instance.nodes}.values())

    def is_called(self, name: str) -> bool:
        """Tell whether the cluster answers to a name."""
        return name in {self.name, *self.aliases}


Machines = Cluster | tuple[Cluster, ...]
"""One cluster or several, the first of which is for runs that name none."""


def clusters_of(machines: Machines) -> tuple[Cluster, ...]:
    """Return the clusters, also where there is one."""
    return machines if isinstance(machines, tuple) else (machines,)


def this_machine() -> Cluster:
    """Describe the machine we run on: its CPUs and memory, and its GPUs where `nvidia-smi` finds some."""
    gpus = usable_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"))
    node = replace(_node(socket.gethostname(), len(gpus)), gpu_ids=tuple(gpu.cuda_id for gpu in gpus))
    return _cluster((node,), gpus[0].type if gpus else CPU_TYPE, provider="LOCAL")


def virtual(
    nodes: int, gpus_per_node: int, gpu_type: str = "a100_80gb", names: Sequence[str] = ()
) -> Cluster:
    """Make up a cluster of machines like this one, each with `gpus_per_node` GPUs that are numbers only.

    The first of them are called by `names`, the others `node-0`, `node-1` …

    Raises `ValueError` without nodes, or with fewer than no GPUs.

    >>> [instance.name for instance in virtual(2, 8, "a100_80gb").instances]
    ['a100_80gb', 'cpu']
    >>> virtual(2, 8, "a100_80gb").instances[0].gpu_nums
    (1, 2, 4, 8, 16)
    """
    if nodes < 1 or gpus_per_node < 0:
        raise ValueError(f"A cluster of {nodes} nodes with {gpus_per_node} GPUs each cannot be.")
    called = [*names, *(f"node-{rank}" for rank in range(len(names), nodes))]
    machines = tuple(_node(name, gpus_per_node) for name in called[:nodes])
    return _cluster(machines, gpu_type, provider="LOCAL_VIRTUAL")


def _cluster(nodes: tuple[Node, ...], gpu_type: str, provider: str) -> Cluster:
    kinds = [(gpu_type, nodes[0].gpus)] if nodes[0].gpus else []
    return Cluster(
        id="local",
        name="local",
        provider=provider,
        allow_fractional=True,
        allow_multinode=len(nodes) > 1,
        submission_types=("TRAINING", "FINETUNING", "PRETRAINING"),
        instances=tuple(make_instance(kind, count, nodes) for kind, count in [*kinds, (CPU_TYPE, 0)]),
    )


def make_instance(
    gpu_type: str, gpus_per_node: int, nodes: tuple[Node, ...], name: str | None = None
) -> Instance:
    """Return the instance of some nodes that are alike; a run may ask for parts of a node and for whole ones."""
    fractions = {count for count in _SMALL_COUNTS if count < gpus_per_node}
    whole = {gpus_per_node * (rank + 1) for rank in range(len(nodes))}
    return Instance(
        name=name or (gpu_type if gpus_per_node else "cpu"),
        gpu_type=gpu_type,
        gpus_per_node=gpus_per_node,
        cpus=nodes[0].cpus,
        memory=f"{nodes[0].memory_bytes // GIB}Gi",
        storage=f"{nodes[0].disk_bytes // GIB}Gi",
        gpu_nums=tuple(sorted(fractions | whole)),
        nodes=nodes,
    )


def _node(name: str, gpus: int) -> Node:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    disk = shutil.disk_usage("/").total
    return Node(name=name, gpus=gpus, cpus=os.cpu_count() or 1, memory_bytes=memory, disk_bytes=disk)


def cluster_to_wire(cluster: Cluster) -> dict[str, Any]:
    """Give the `Cluster` of the schema, without its utilization."""
    return {
        "id": cluster.id,
        "name": cluster.name,
        "provider": cluster.provider,
        "allowFractional": cluster.allow_fractional,
        "allowMultinode": cluster.allow_multinode,
        "allowedSubmissionTypes": list(cluster.submission_types),
        "isMultiTenant": False,
        "reservationType": None,
        "schedulerEnabled": True,
        "allowedInstances": [_instance_to_wire(instance) for instance in cluster.instances],
    }


def _instance_to_wire(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "gpuType": instance.gpu_type,
        "gpusPerNode": instance.gpus_per_node,
        "cpus": instance.cpus,
        "memory": instance.memory,
        "storage": instance.storage,
        "gpuNums": list(instance.gpu_nums),
        "numNodes": len(instance.nodes),
        "nodes": [
            {
                "name": node.name,
                "isAlive": node.is_alive,
                "isSchedulable": node.is_schedulable,
                "upTime": None,
            }
            for node in instance.nodes
        ],
    }


def utilization_to_wire(
    cluster: Cluster, active: Sequence[Mapping[str, Any]], queued: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Give the `ClusterUtilization` of the schema; `active` and `queued` are its `RunUtilization` objects."""
    return {
        "instanceUtils": [_instance_utilization(cluster, instance, active) for instance in cluster.instances],
        "activeRunsByUser": list(active),
        "queuedRunsByUser": list(queued),
        "activeDeploymentsByUser": [],
        "queuedDeploymentsByUser": [],
    }


def _instance_utilization(
    cluster: Cluster, instance: Instance, active: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    total = instance.gpus_per_node * len(instance.nodes)
    used = sum(int(run["gpuNum"]) for run in active if run["instance"] == instance.name)
    return {
        "clusterId": cluster.id,
        "instance": _instance_to_wire(instance),
        "gpusUsed": used,
        "gpusAvailable": total - used,
        "gpusTotal": total,
    }
