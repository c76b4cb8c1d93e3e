"""What a run asks for, made definite: one cluster, one instance, so many GPUs on so many nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.scheduling.cluster import CPU_TYPE, Cluster, Instance, Machines, clusters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Demand", "resolve"]

_DEPRECATED = {"cluster": "cluster", "gpuType": "gpuType", "gpuNum": "gpus", "cpus": "cpus"}
"""Top-level fields of former days, and where they live now."""

_USER_NAMES = {"gpuType": "gpu_type", "nodeNames": "node_names"}
_WAY_OUT = (
    "\nTo simulate GPUs, of which the command finds none: python -m mcli.platform configure"
    " --nodes 1 --gpus-per-node 8 --gpu-type a100_80gb, and start it again."
)
_CPU_NAMES = {"none", "none (cpu only)", "cpu", ""}


@dataclass(frozen=True)
class Demand:
    """What a run needs of its cluster, all at once."""

    cluster: str
    instance: str
    gpu_type: str
    gpus: int
    """GPUs in all."""
    gpus_per_node: int
    """GPUs of this run on each of its nodes."""
    nodes: int
    cpus: int
    """CPUs to reserve on each node; 0 when none were asked for."""
    node_names: tuple[str, ...] = ()
    """The only nodes that will do; empty when any will."""


class _LacksError(RequestError):
    """A cluster does not have what a run asks for; another may."""


def resolve(run_input: Mapping[str, Any], machines: Machines) -> Demand:
    """Infer from a run input what exactly it asks a cluster for: the one that it names, else the first that has it.

    Raises:
        RequestError: 400 when nothing fits, when several instances of a cluster would, or when the cluster is another.
    """
    requested = compute_of(run_input)
    _check_numbers(requested)
    problems = list[_LacksError]()
    for cluster in _eligible(requested, clusters_of(machines)):
        try:
            return _resolve(requested, cluster)
        except _LacksError as problem:
            problems.append(problem)
    if len(problems) == 1:
        raise problems[0]
    raise RequestError(400, "\n".join(["No cluster has what the run asks for.", *map(str, problems)]))


def _eligible(requested: Mapping[str, Any], clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
    name = requested.get("cluster")
    if not name:
        return clusters
    if found := tuple(cluster for cluster in clusters if cluster.is_called(name)):
        return found
    names = ", ".join(called for cluster in clusters for called in (cluster.name, *cluster.aliases))
    raise RequestError(
        400,
        f"Cluster {name!r} is not known here; it could be: {names}. To let this platform answer to that name too: "
        f"python -m mcli.platform configure --cluster-name {clusters[0].name} --cluster-name NAME, and start it again.",
    )


def _resolve(requested: Mapping[str, Any], cluster: Cluster) -> Demand:
    node_names = tuple(requested.get("nodeNames") or ())
    nodes = _node_count(requested, node_names)
    instance = _only(_matching(requested, nodes, cluster), requested, cluster)
    _check_nodes(instance, node_names)
    return _demand(requested, cluster, instance, nodes, node_names)


def compute_of(run_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compute request of a run input, completed by the deprecated top-level fields.

    >>> compute_of({"gpuNum": 8, "cpus": 0, "compute": {"cluster": "local"}})
    {'cluster': 'local', 'gpus': 8}
    """
    old = {new: run_input.get(name) for name, new in _DEPRECATED.items()}
    if not old["cpus"]:
        del old["cpus"]  # clients send 0 for "not set"
    given = run_input.get("compute") or {}
    return {key: value for key, value in (old | dict(given)).items() if value is not None}


def _check_numbers(requested: Mapping[str, Any]) -> None:
    for field, least in {"gpus": 0, "cpus": 0, "nodes": 1}.items():
        value = requested.get(field, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise RequestError(
                400, f"compute.{field} must be a whole number of at least {least}, not {value!r}."
            )


def _node_count(requested: Mapping[str, Any], node_names: tuple[str, ...]) -> int | None:
    nodes: int | None = requested.get("nodes")
    if not node_names:
        return nodes
    if len(set(node_names)) < len(node_names):
        raise RequestError(
            400, f"compute.node_names must not name a node twice, as in {', '.join(node_names)}."
        )
    if nodes is not None and nodes != len(node_names):
        raise RequestError(
            400,
            f"compute.node_names must name as many nodes as compute.nodes says, {nodes}, not {len(node_names)}.",
        )
    return len(node_names)


def _matching(requested: Mapping[str, Any], nodes: int | None, cluster: Cluster) -> list[Instance]:
    wanted = [instance for instance in cluster.instances if _is_named(instance, requested)]
    with_gpus = [instance for instance in wanted if instance.gpus_per_node]
    if with_gpus and "gpus" not in requested and not _is_cpu_only(requested):
        if nodes is None:
            raise RequestError(
                400, f"Bad run request: gpus is a required field. Choose from:\n{_table(with_gpus)}"
            )
        wanted = with_gpus  # `nodes` alone means whole machines
    return [instance for instance in wanted if _holds(instance, requested, nodes, cluster)]


def _is_named(instance: Instance, requested: Mapping[str, Any]) -> bool:
    if "instance" in requested and requested["instance"] not in {instance.name, *instance.aliases}:
        return False
    if "gpuType" not in requested:
        return True
    if _is_cpu_only(requested):
        return instance.gpus_per_node == 0
    return str(requested["gpuType"]).lower() == instance.gpu_type.lower()


def _is_cpu_only(requested: Mapping[str, Any]) -> bool:
    return str(requested.get("gpuType", "any")).lower() in _CPU_NAMES


def _holds(instance: Instance, requested: Mapping[str, Any], nodes: int | None, cluster: Cluster) -> bool:
    if requested.get("cpus", 0) > instance.cpus:
        return False
    count = nodes or 1
    if instance.gpus_per_node == 0:
        return requested.get("gpus", 0) == 0 and count <= len(instance.nodes)
    gpus = requested.get("gpus", count * instance.gpus_per_node)
    if gpus not in instance.gpu_nums:
        return False
    needed = max(1, gpus // instance.gpus_per_node)
    fractional = gpus < instance.gpus_per_node
    allowed = cluster.allow_fractional if fractional else needed == 1 or cluster.allow_multinode
    return allowed and needed <= len(instance.nodes) and (nodes is None or nodes == needed)


def _only(matching: list[Instance], requested: Mapping[str, Any], cluster: Cluster) -> Instance:
    asked = (
        ", ".join(f"{_USER_NAMES.get(key, key)}={value}" for key, value in requested.items())
        or "nothing named"
    )
    if not matching:
        raise _LacksError(
            400,
            f"No instance of cluster {cluster.name!r} matches the request ({asked}). "
            f"Available:\n{_table(cluster.instances)}{_WAY_OUT if requested.get('gpus') else ''}",
        )
    if len(matching) > 1:
        raise RequestError(
            400,
            f"Several instances of cluster {cluster.name!r} match the request ({asked}). "
            f"Name one as compute.instance:\n{_table(matching)}",
        )
    return matching[0]


def _table(instances: Iterable[Instance]) -> str:
    return "\n".join(
        f"- {instance.name}: gpu_type {instance.gpu_type}, gpus {', '.join(map(str, instance.gpu_nums))}, "
        f"{instance.cpus} cpus on each of {len(instance.nodes)} nodes"
        for instance in instances
    )


def _check_nodes(instance: Instance, node_names: tuple[str, ...]) -> None:
    known = [node.name for node in instance.nodes]
    missing = [name for name in node_names if name not in known]
    if missing:
        raise _LacksError(
            400,
            f"Node {missing[0]!r} is not of instance {instance.name!r}; its nodes are: {', '.join(known)}.",
        )


def _demand(
    requested: Mapping[str, Any],
    cluster: Cluster,
    instance: Instance,
    nodes: int | None,
    node_names: tuple[str, ...],
) -> Demand:
    whole = instance.gpus_per_node
    gpus: int = requested.get("gpus", (nodes or 1) * whole) if whole else 0
    count = nodes or (max(1, gpus // whole) if whole else 1)
    return Demand(
        cluster=cluster.name,
        instance=instance.name,
        gpu_type=instance.gpu_type if whole else CPU_TYPE,
        gpus=gpus,
        gpus_per_node=gpus // count,
        nodes=count,
        cpus=requested.get("cpus", 0),
        node_names=node_names,
    )
