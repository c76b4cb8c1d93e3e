"""What a compute request is resolved to, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from mcli.platform.errors import RequestError
from mcli.platform.scheduling.cluster import Cluster, virtual
from mcli.platform.scheduling.demand import Demand, resolve

CLUSTER = virtual(2, 8)
CPUS = virtual(2, 0)


def demand(on: Cluster = CLUSTER, /, **compute: Any) -> Demand:
    return resolve({"compute": compute}, on)


def refusal(on: Cluster = CLUSTER, /, **compute: Any) -> str:
    with pytest.raises(RequestError) as caught:
        demand(on, **compute)
    assert caught.value.code == 400
    return caught.value.message


def test_part_of_a_node() -> None:
    """Fewer GPUs than a node has are a fraction of one node."""
    assert demand(gpus=4) == Demand("local", "a100_80gb", "a100_80gb", 4, 4, 1, 0)


def test_whole_nodes_by_gpus() -> None:
    """More GPUs than a node has are whole nodes."""
    assert demand(gpus=16) == Demand("local", "a100_80gb", "a100_80gb", 16, 8, 2, 0)


def test_whole_nodes_by_nodes() -> None:
    """`nodes` alone means all GPUs of so many nodes."""
    assert demand(nodes=2) == demand(gpus=16)


def test_named_nodes_count() -> None:
    """`nodeNames` alone means these nodes with all their GPUs."""
    assert demand(nodeNames=["node-1"]) == replace(demand(gpus=8), node_names=("node-1",))


@pytest.mark.parametrize(
    "compute", [{"gpus": 0}, {"gpuType": "none"}, {"gpuType": "None", "gpus": 0}, {"instance": "cpu"}]
)
def test_cpu_only(compute: dict[str, Any]) -> None:
    """No GPUs, the type `none` and the cpu instance all mean a CPU-only run."""
    assert demand(**compute) == Demand("local", "cpu", "None", 0, 0, 1, 0)


def test_cpu_only_on_several_nodes() -> None:
    """A CPU-only run may have several nodes, and reserve CPUs on each."""
    assert demand(gpus=0, nodes=2, cpus=1) == Demand("local", "cpu", "None", 0, 0, 2, 1)


def test_nothing_asked_without_gpus() -> None:
    """On a cluster without GPUs an empty request is a CPU-only run."""
    assert demand(CPUS).instance == "cpu"


def test_nothing_asked_with_gpus() -> None:
    """On a cluster with GPUs an empty request is asked for `gpus`, in the words that clients understand."""
    assert "Bad run request: gpus is a required field" in refusal()


def test_type_and_instance_narrow() -> None:
    """`gpuType`, in any letter case, `instance` and `cluster` are heeded."""
    assert demand(gpus=1, gpuType="A100_80GB", instance="a100_80gb", cluster="local") == demand(gpus=1)


def test_deprecated_fields_stand_in() -> None:
    """Top-level `gpuNum`, `gpuType`, `cluster` and `cpus` count where `compute` says nothing."""
    old = {"gpuNum": 2, "gpuType": "a100_80gb", "cluster": "local", "cpus": 1, "compute": {"gpus": 4}}
    assert resolve(old, CLUSTER) == demand(gpus=4, cpus=1)


def test_zero_cpus_at_the_top_are_unset() -> None:
    """The `cpus: 0` that clients always send asks for nothing."""
    assert resolve({"cpus": 0, "compute": {"gpus": 1, "cpus": None}}, CLUSTER) == demand(gpus=1)


@pytest.mark.parametrize("compute", [{"gpus": 3}, {"gpus": 32}, {"gpuType": "k80", "gpus": 1}, {"nodes": 3}])
def test_what_matches_nothing(compute: dict[str, Any]) -> None:
    """Counts and types that no instance has are refused; the message lists the instances."""
    message = refusal(**compute)
    assert message.startswith("No instance of cluster 'local' matches")
    assert "gpus 1, 2, 4, 8, 16" in message


def test_what_matches_several() -> None:
    """A request that two instances could serve is refused; the message lists them."""
    gpus, cpus = CLUSTER.instances
    several = replace(CLUSTER, instances=(gpus, replace(gpus, name="other"), cpus))
    message = refusal(several, gpus=8)
    assert message.startswith("Several instances of cluster 'local' match")
    assert "- other:" in message
    assert "- cpu:" not in message


def test_another_cluster() -> None:
    """An unknown cluster is refused; the message names it and the one there is."""
    known = replace(CLUSTER, aliases=("r7z2",))
    assert refusal(known, gpus=1, cluster="r1z1") == (
        "Cluster 'r1z1' is not known here; it could be: local, r7z2. To let this platform answer to that name too: "
        "python -m mcli.platform configure --cluster-name local --cluster-name NAME, and start it again."
    )


H100 = replace(virtual(1, 8, "h100_80gb", ["inst-a"]), name="r9z1", aliases=("r15z4",))
SEVERAL = (CLUSTER, H100)


@pytest.mark.parametrize(
    ("compute", "cluster"),
    [
        ({"gpus": 8}, "local"),
        ({"gpus": 0}, "local"),
        ({"gpus": 8, "gpuType": "h100_80gb"}, "r9z1"),
        ({"gpus": 8, "cluster": "r9z1"}, "r9z1"),
        ({"gpus": 8, "cluster": "r15z4"}, "r9z1"),
        ({"nodeNames": ["inst-a"]}, "r9z1"),
    ],
)
def test_the_first_cluster_that_has_it(compute: dict[str, Any], cluster: str) -> None:
    """A run gets the cluster that it names by any of its names, else the first one that has what it asks for."""
    assert resolve({"compute": compute}, SEVERAL).cluster == cluster


def test_no_cluster_has_it() -> None:
    """When no cluster has what a run asks for, the message tells what each has, and how to simulate GPUs."""
    with pytest.raises(RequestError) as caught:
        resolve({"compute": {"gpus": 3}}, SEVERAL)
    told = [word in caught.value.message for word in ("'local'", "'r9z1'", "h100_80gb", "--gpus-per-node")]
    assert [True] * 4 == told


def test_instances_answer_to_further_names() -> None:
    """An instance can be asked for by the names that the settings give it."""
    gpus, cpus = H100.instances
    named = replace(H100, instances=(replace(gpus, aliases=("oci.bm.gpu.h100.8",)), cpus))
    assert resolve({"compute": {"instance": "oci.bm.gpu.h100.8", "gpus": 8}}, named).instance == "h100_80gb"


@pytest.mark.parametrize(
    "compute",
    [
        {"nodeNames": ["node-7"]},
        {"nodeNames": ["node-0", "node-0"]},
        {"nodeNames": ["node-0"], "nodes": 2},
    ],
)
def test_wrong_nodes(compute: dict[str, Any]) -> None:
    """Named nodes must exist, differ, and be as many as `nodes`."""
    assert "ode" in refusal(**compute)


@pytest.mark.parametrize("compute", [{"gpus": -1}, {"nodes": 0}, {"gpus": 1, "cpus": -1}, {"gpus": True}])
def test_wrong_numbers(compute: dict[str, Any]) -> None:
    """Numbers below what makes sense are refused by name."""
    assert "must be a whole number" in refusal(**compute)


def test_more_cpus_than_a_node_has() -> None:
    """CPUs that no node has are refused at once instead of waited for."""
    assert refusal(gpus=0, cpus=CLUSTER.nodes[0].cpus + 1).startswith("No instance")


def test_fractions_only_where_allowed() -> None:
    """A cluster that gives whole nodes only refuses a part of one."""
    assert refusal(replace(CLUSTER, allow_fractional=False), gpus=4).startswith("No instance")


def test_several_nodes_only_where_allowed() -> None:
    """A cluster without multi-node runs refuses two nodes."""
    assert refusal(replace(CLUSTER, allow_multinode=False), gpus=16).startswith("No instance")
