"""From an order to a job of Slurm: its options and its batch script. Neither holds anything secret."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mcli.platform.execution.slurm_commands import PREFIX

if TYPE_CHECKING:
    from mcli.platform.execution.engine import Job, Order
    from mcli.platform.scheduling.cluster import Cluster, Node
    from mcli.platform.scheduling.demand import Demand

__all__ = ["CLAIM", "SlurmSite", "batch_script", "options"]

CLAIM = "claim"
"""File that holds the number of the one Slurm job that may execute ours."""

MIB = 2**20
_SPARE_MINUTES = 10
"""Between the end of a run's time and Slurm's limit: the platform ends it with its grace, Slurm is the last resort."""
_NICE = {"low": 100, "lowest": 200}
"""What users may do is to put themselves back."""

_BATCH = """\
#!/bin/bash
# made by mcli for run {name}
cd {folder} || exit 1
if [ -e stopping ] || [ ! -e job.json ]; then echo "job $SLURM_JOB_ID: the run was stopped"; exit 0; fi
# Whoever makes the claim may run: a job that was submitted twice, or started again by Slurm, ends at once.
set -C
if ! echo "$SLURM_JOB_ID" > {claim}; then echo "job $SLURM_JOB_ID: job $(cat {claim}) has it"; exit 0; fi 2> /dev/null
set +C
export MCLI_MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MCLI_MASTER_PORT=$({python} -I -S -c 'import socket; s = socket.socket(); s.bind(("", 0)); \
print(s.getsockname()[1])')
exec srun --export=ALL --kill-on-bad-exit=0 --wait=0 --input=none \\
  --output={folder}/node-%n.err --open-mode=append {python} -I -S {program} {folder}
"""


@dataclass(frozen=True)
class SlurmSite:
    """What a site wants of jobs."""

    partitions: Mapping[str, str] = field(default_factory=dict)
    """The partition for each priority."""
    preemptible_partition: str | None = None
    """The partition for preemptible runs."""
    options: tuple[str, ...] = ()
    """More options of sbatch, such as `--account=x`."""
    python: str = sys.executable
    """The Python on the nodes that watches over ranks."""


def batch_script(job: Job, order: Order, site: SlurmSite) -> str:
    """Return what Slurm executes on the first node."""
    return _BATCH.format(
        name=order.run_name.replace("\n", " "),
        folder=shlex.quote(str(job.folder)),
        claim=CLAIM,
        python=shlex.quote(site.python),
        program=shlex.quote(str(Path(__file__).with_name("node.py"))),
    )


def options(job: Job, order: Order, cluster: Cluster, site: SlurmSite) -> list[str]:
    """Return the options of sbatch."""
    demand = order.demand
    node = _node(demand, cluster)
    return [
        f"--job-name={PREFIX}{job.key}",
        f"--comment=mcli {order.run_name}",
        "--no-requeue",  # resumptions are ours
        f"--nodes={demand.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={_cpus(demand, node)}",
        f"--mem={_memory_mib(demand, node)}M",  # without it a job takes all of a node
        *_gpus(demand),
        *([f"--nodelist={','.join(demand.node_names)}"] if demand.node_names else []),
        *_placement(order, site),
        *([] if order.seconds is None else [f"--time={math.ceil(order.seconds / 60) + _SPARE_MINUTES}"]),
        f"--chdir={job.folder}",
        f"--output={job.folder}/batch.log",
        "--open-mode=append",
        *site.options,
    ]


def _node(demand: Demand, cluster: Cluster) -> Node:
    """Return the smallest node that the run may get."""
    instance = next(each for each in cluster.instances if each.name == demand.instance)
    wanted = [node for node in instance.nodes if not demand.node_names or node.name in demand.node_names]
    return min(wanted, key=lambda node: (node.cpus, node.memory_bytes))


def _share(demand: Demand, node: Node) -> float:
    """Return the part of a node that a run takes: by its GPUs, else by its CPUs."""
    if demand.gpus_per_node and node.gpus:
        return demand.gpus_per_node / node.gpus
    return min(1.0, max(1, demand.cpus) / node.cpus)


def _cpus(demand: Demand, node: Node) -> int:
    return demand.cpus or max(1, int(node.cpus * _share(demand, node)))


def _memory_mib(demand: Demand, node: Node) -> int:
    return max(1, int(node.memory_bytes / MIB * _share(demand, node)))


def _gpus(demand: Demand) -> list[str]:
    if not demand.gpus_per_node:
        return []
    kind = "" if demand.gpu_type == "gpu" else f"{demand.gpu_type}:"
    return [f"--gres=gpu:{kind}{demand.gpus_per_node}"]


def _placement(order: Order, site: SlurmSite) -> list[str]:
    partition = site.preemptible_partition if order.preemptible else None
    partition = partition or site.partitions.get(order.priority)
    if partition:
        return [f"--partition={partition}"]
    return [f"--nice={_NICE[order.priority]}"] if order.priority in _NICE else []
