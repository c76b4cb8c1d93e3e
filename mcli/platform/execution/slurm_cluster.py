"""The cluster that Slurm tells of, in the platform's words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mcli.platform.execution.slurm_commands import nodes, settings
from mcli.platform.scheduling.cluster import CPU_TYPE, Cluster, Node, make_instance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcli.platform.execution.slurm_commands import SlurmNode

__all__ = ["cluster_of", "describe"]

MIB = 2**20
_DEAD = ("down", "fail", "power", "unknown", "future")
_CLOSED = ("drain", "maint", "inval", "resv", "reserved", "blocked")


async def describe() -> Cluster:
    """Ask Slurm for its nodes."""
    found = await settings()
    return cluster_of(found.get("ClusterName", "slurm"), await nodes())


def cluster_of(name: str, found: Sequence[SlurmNode]) -> Cluster:
    """Return the cluster of these nodes: an instance for each kind of GPU node, and one for the CPUs of all."""
    kinds: defaultdict[tuple[str, int], list[Node]] = defaultdict(list)
    for each in found:
        if each.gpus:
            kinds[each.gpu_type, each.gpus].append(_node(each))
    types = [kind for kind, _ in kinds]
    instances = [
        make_instance(
            gpu_type,
            count,
            tuple(members),
            name=gpu_type if types.count(gpu_type) == 1 else f"{gpu_type}-{count}",
        )
        for (gpu_type, count), members in kinds.items()
    ]
    everything = make_instance(CPU_TYPE, 0, tuple(_node(each) for each in found), name="cpu")
    return Cluster(
        id=name,
        name=name,
        provider="SLURM",
        allow_fractional=True,
        allow_multinode=len(found) > 1,
        submission_types=("TRAINING", "FINETUNING", "PRETRAINING"),
        instances=(*instances, everything) if found else (),
    )


def _node(found: SlurmNode) -> Node:
    state = found.state.lower()
    alive = not state.endswith("*") and not state.startswith(_DEAD)
    return Node(
        name=found.name,
        gpus=found.gpus,
        cpus=found.cpus,
        memory_bytes=found.memory_mib * MIB,
        disk_bytes=found.disk_mib * MIB,
        is_alive=alive,
        is_schedulable=alive and not state.startswith(_CLOSED),
    )
