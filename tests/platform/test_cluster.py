"""Clusters and their wire form."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, build_schema

from mcli.platform.scheduling.cluster import (
    cluster_to_wire,
    this_machine,
    utilization_to_wire,
    virtual,
)

SCHEMA = build_schema((Path(__file__).parents[2] / "schema" / "mapi.graphql").read_text())


def fields(name: str) -> set[str]:
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return set(kind.fields)


def run_utilization(**values: object) -> Mapping[str, Any]:
    return {"instance": "a100_80gb", "gpuNum": 4, **values}


def test_this_machine_is_described_as_it_is() -> None:
    """The cluster of this machine is named `local`, and its cpu instance has the CPUs of this machine."""
    cluster = this_machine()
    assert (cluster.name, len(cluster.nodes)) == ("local", 1)
    assert cluster.instances[-1].name == "cpu"
    assert cluster.instances[-1].gpu_type == "None"
    assert cluster.nodes[0].cpus == os.cpu_count()
    assert cluster.nodes[0].memory_bytes > 0
    assert not cluster.allow_multinode


def test_a_virtual_cluster_has_its_nodes_once() -> None:
    """The nodes of the GPU instance and those of the cpu instance are the same machines."""
    cluster = virtual(2, 8, "h100_80gb")
    assert [node.name for node in cluster.nodes] == ["node-0", "node-1"]
    assert cluster.instances[0].nodes == cluster.instances[1].nodes
    assert cluster.allow_multinode


def test_gpu_counts_are_small_ones_and_whole_nodes() -> None:
    """A run may ask for 1, 2, 4 or 8 GPUs below a node, and for whole nodes."""
    assert virtual(3, 6).instances[0].gpu_nums == (1, 2, 4, 6, 12, 18)


def test_a_virtual_cluster_without_gpus_is_cpu_only() -> None:
    """Without GPUs there is the cpu instance alone."""
    assert [instance.name for instance in virtual(4, 0).instances] == ["cpu"]


@pytest.mark.parametrize("size", [(0, 8), (1, -1)])
def test_an_impossible_cluster_is_refused(size: tuple[int, int]) -> None:
    """A cluster has at least one node, and no fewer than no GPUs."""
    with pytest.raises(ValueError, match="cannot be"):
        virtual(*size)


def test_the_wire_form_has_every_field() -> None:
    """All fields of a cluster, its instances and their nodes are there, as the schema has them."""
    wire = cluster_to_wire(virtual(1, 8))
    instance = wire["allowedInstances"][0]
    assert set(wire) == fields("Cluster") - {"utilization"}
    assert set(instance) == fields("Instance")
    assert set(instance["nodes"][0]) == fields("ClusterNode")


def test_utilization_counts_gpus_of_active_runs() -> None:
    """GPUs of active runs are used, those of queued ones are not."""
    wire = utilization_to_wire(
        virtual(2, 8), [run_utilization(), run_utilization(gpuNum=2)], [run_utilization()]
    )
    gpus = wire["instanceUtils"][0]
    assert set(wire) == fields("ClusterUtilization")
    assert set(gpus) == fields("InstanceUtilization")
    assert (gpus["gpusUsed"], gpus["gpusAvailable"], gpus["gpusTotal"]) == (6, 10, 16)
