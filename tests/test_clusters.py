"""Listing clusters, and what they consist of."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import ClusterDetails, MAPIException, SubmissionType
from mcli.cluster_details import Instance, InstanceNode
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

TIME = "2026-01-01T00:00:00Z"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def instance(**fields: Any) -> dict[str, Any]:
    """Return a kind of machine as the platform sends it."""
    return {
        "name": "oci.bm.gpu.b4.8",
        "gpuType": "a100_80gb",
        "gpusPerNode": 8,
        "cpus": 128,
        "memory": "2048Gi",
        "storage": "24Ti",
        "gpuNums": [1, 2, 4, 8, 16],
        "numNodes": 2,
        "nodes": [{"name": "node-0", "isAlive": True, "isSchedulable": False}],
    } | fields


def cluster(name: str = "r1z1", **fields: Any) -> dict[str, Any]:
    """Return a cluster as the platform sends it."""
    return {
        "id": f"id-of-{name}",
        "name": name,
        "provider": "OCI",
        "allowFractional": True,
        "allowMultinode": False,
        "allowedSubmissionTypes": ["TRAINING"],
        "isMultiTenant": True,
        "reservationType": None,
        "schedulerEnabled": True,
        "allowedInstances": [instance()],
    } | fields


def use(name: str, **fields: Any) -> dict[str, Any]:
    """Return a run that uses a cluster as the platform sends it."""
    return {
        "id": f"id-of-{name}",
        "createdAt": TIME,
        "userName": "Ada",
        "runName": name,
        "instance": "oci.bm.gpu.b4.8",
        "gpuNum": 16,
        "gpuType": "a100_80gb",
        "scheduling": {"priority": "low", "preemptible": True, "retryOnSystemFailure": None},
    } | fields


def utilized(**fields: Any) -> dict[str, Any]:
    """Return a cluster with its utilization."""
    deployment = {"id": "d", "createdAt": TIME, "userName": "Ada", "instance": "i", "gpuNum": 1}
    return cluster(
        utilization={
            "instanceUtils": [
                {"clusterId": "c", "instance": instance(), "gpusUsed": 3, "gpusAvailable": 5, "gpusTotal": 8}
            ],
            "activeRunsByUser": [use("active", startTime=TIME, maxDurationSeconds=5400)],
            "queuedRunsByUser": [use("queued", reason="Waits for 16 GPUs", gpuType=None)],
            "activeDeploymentsByUser": [deployment | {"deploymentName": "llama"}],
            "queuedDeploymentsByUser": [],
        }
        | fields
    )


def found(*clusters: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"getClusters": list(clusters)}}


# What is asked for


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, {"filters": {}, "includeAll": False}),
        ({"include_all": True}, {"filters": {}, "includeAll": True}),
        ({"clusters": ["a", "b", "a"]}, {"filters": {"name": {"in": ["a", "b"]}}, "includeAll": False}),
        (
            {"submission_type_filter": "finetuning"},
            {"filters": {"allowedSubmissionTypes": {"has": "FINETUNING"}}, "includeAll": False},
        ),
    ],
    ids=str,
)
def test_clusters_are_asked_for(connect: Connect, arguments: Any, sent: object) -> None:
    """The filters that were given are sent, and no others."""
    connect(answer=(script := wire.Script(found())))
    mcli.get_clusters(**arguments)
    assert {"getClustersData": sent} == script.calls[0].variables


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        (mcli.get_clusters, "GetClusters"),
        (lambda: mcli.get_clusters(include_utilization=True), "GetClustersWithUtilization"),
        (lambda: mcli.get_cluster("r1z1"), "GetClustersWithUtilization"),
        (lambda: mcli.get_cluster("r1z1", include_utilization=False), "GetClusters"),
    ],
)
def test_utilization_is_fetched_where_it_is_asked_for(connect: Connect, call: Any, operation: str) -> None:
    """One cluster comes with its utilization by default, several without."""
    connect(answer=(script := wire.Script(found(utilized()))))
    call()
    assert [operation] == script.operations


def test_a_cluster_names_itself(connect: Connect) -> None:
    """A cluster that was read is asked for again by its name."""
    connect(answer=(script := wire.Script(found(cluster()), found(utilized()))))
    mcli.get_cluster(mcli.get_clusters()[0])
    assert {"name": {"in": ["r1z1"]}} == script.calls[1].variables["getClustersData"]["filters"]


def test_an_empty_list_asks_for_nothing(connect: Connect) -> None:
    """An empty list of clusters gives an empty list, and nothing is sent."""
    connect(answer=(script := wire.Script(found(cluster()))))
    assert ([], []) == (mcli.get_clusters([]), script.calls)


def test_a_missing_cluster_is_named(connect: Connect) -> None:
    """A cluster that is not there is a 404 that names it."""
    connect(answer=wire.Script(found()))
    with pytest.raises(MAPIException, match="Error 404: Cluster 'r9z9' not found"):
        mcli.get_cluster("r9z9")


def test_a_submission_type_that_is_none_is_refused() -> None:
    """A filter by what is no submission type is a ValueError with a suggestion."""
    with pytest.raises(ValueError, match="Did you mean 'TRAINING'"):
        mcli.get_clusters(submission_type_filter="trainin")


# What comes back


def read(connect: Connect, answer: dict[str, Any]) -> ClusterDetails:
    connect(answer=wire.Script(found(answer)))
    return mcli.get_cluster("r1z1", include_utilization="utilization" in answer)


def test_a_cluster_is_read(connect: Connect) -> None:
    """A cluster has the platform's fields by the names that programs use."""
    expected = ClusterDetails(
        name="r1z1",
        id="id-of-r1z1",
        provider="OCI",
        allow_fractional=True,
        allow_multinode=False,
        cluster_instances=[
            Instance(
                name="oci.bm.gpu.b4.8",
                gpu_type="a100_80gb",
                gpus=8,
                nodes=2,
                cpus=128,
                memory="2048Gi",
                storage="24Ti",
                gpu_nums=[1, 2, 4, 8, 16],
                node_details=[InstanceNode("node-0", is_alive=True, is_schedulable=False)],
            )
        ],
        submission_types=[SubmissionType.TRAINING],
        is_multi_tenant=True,
        scheduler_enabled=True,
    )
    assert expected == read(connect, cluster())


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("COREWEAVE", "CoreWeave"),
        ("MICROK8S", "MicroK8s"),
        ("MOSAICML_COLO", "MosaicML"),
        ("OCI", "OCI"),
        ("LOCAL_VIRTUAL", "Local virtual"),
    ],
)
def test_providers_have_their_own_spelling(connect: Connect, sent: str, shown: str) -> None:
    """A provider is shown as people write it."""
    assert shown == read(connect, cluster(provider=sent)).provider


@pytest.mark.parametrize("gpu_type", ["None", "none", ""])
def test_machines_without_gpus_have_no_type_of_them(connect: Connect, gpu_type: str) -> None:
    """The platform's word for no GPU is read as None, which programs look for."""
    details = read(connect, cluster(allowedInstances=[instance(gpuType=gpu_type)]))
    assert [None] == [each.gpu_type for each in details.cluster_instances]


def test_what_the_platform_does_not_know_is_none(connect: Connect) -> None:
    """CPUs, memory and storage of a machine may be null."""
    machine = instance(cpus=None, memory=None, storage=None)
    details = read(connect, cluster(allowedInstances=[machine], allowFractional=None, allowMultinode=None))
    (kind,) = details.cluster_instances
    assert (None, None, None, None) == (kind.cpus, kind.memory, kind.storage, details.allow_fractional)


def test_a_submission_type_of_the_future_is_read_as_training(connect: Connect) -> None:
    """A use that this version does not know is read as training, with a warning."""
    with pytest.warns(UserWarning, match="Unknown submission type 'MINING'"):
        details = read(connect, cluster(allowedSubmissionTypes=["MINING"]))
    assert [SubmissionType.TRAINING] == details.submission_types


def test_utilization_tells_who_uses_a_cluster(connect: Connect) -> None:
    """The runs on a cluster, and those that wait for it, have names, users and hours."""
    use = read(connect, utilized()).utilization
    assert use is not None
    (active,), (queued,) = use.active_runs_by_user, use.queued_runs_by_user
    assert ("active", "Ada", 16, MOMENT, 1.5) == (
        active.name,
        active.user,
        active.gpus,
        active.started_at,
        active.max_duration,
    )
    assert {"priority": "low", "preemptible": True} == active.scheduling
    assert ("queued", "Waits for 16 GPUs", None) == (queued.name, queued.reason, queued.gpu_type)


def test_utilization_tells_what_is_left(connect: Connect) -> None:
    """Each kind of machine has its numbers of GPUs, also where runs use none; deployments are listed too."""
    details = read(connect, utilized())
    assert details.utilization is not None
    (left,) = details.utilization.cluster_instance_utils
    assert (3, 5, 8, details.cluster_instances[0]) == (
        left.gpus_used,
        left.gpus_available,
        left.gpus_total,
        left.instance,
    )
    assert ["llama"] == [each.name for each in details.utilization.active_deployments_by_user]


def test_clusters_are_values(connect: Connect) -> None:
    """A cluster equals its copy and what was pickled of it."""
    details = read(connect, utilized())
    assert details == copy.deepcopy(details) == pickle.loads(pickle.dumps(details))
