"""A platform with several clusters: each by itself, and all told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from tests.platform.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTERS = (
    replace(virtual(1, 8), id="first", name="first"),
    replace(virtual(1, 8, "h100_80gb", ["inst-a"]), id="r9z1", name="r9z1", aliases=("r15z4",)),
)
DOCUMENT = """
query Q($data: GetClustersInput!) { getClusters(getClustersData: $data) {
    name allowedInstances { gpuType } utilization { instanceUtils { gpusUsed } activeRunsByUser { runName } } } }
"""


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Platform(cluster=CLUSTERS, grace=1) as platform:
        caller = Caller(platform)
        yield caller
        caller.close()


def told(caller: Caller, *names: str) -> dict[str, Any]:
    filters = {"name": {"in": list(names)}} if names else {}
    return {each["name"]: each for each in caller.send(DOCUMENT, data={"filters": filters})}


def test_all_clusters_are_listed(caller: Caller) -> None:
    """Each cluster is listed with its own machines, and found by any of its names."""
    assert ["first", "r9z1"] == list(told(caller))
    assert ["r9z1"] == list(told(caller, "r15z4"))


def test_a_full_cluster_keeps_nobody_from_another(caller: Caller) -> None:
    """Runs of one cluster wait for its nodes only, and count there only."""
    held = caller.create("sleep 600", compute={"gpus": 8, "cluster": "r15z4"})
    caller.wait(held, "RUNNING")
    waiting = caller.create("true", compute={"gpus": 8, "gpuType": "h100_80gb"})
    assert "COMPLETED" == caller.finish("true", compute={"gpus": 8})["status"]
    caller.wait(waiting, "QUEUED")
    used = {name: each["utilization"]["instanceUtils"][0]["gpusUsed"] for name, each in told(caller).items()}
    assert {"first": 0, "r9z1": 8} == used
    assert ("r9z1", "inst-a") == place(caller.run(held))
    caller.change("stopRuns", held)
    assert "COMPLETED" == caller.statuses(waiting)[-1]


def test_runs_are_found_by_any_name_of_their_cluster(caller: Caller) -> None:
    """A filter for a further name of a cluster finds the runs of that cluster."""
    name = caller.create("true", compute={"gpus": 0, "cluster": "r15z4"})
    found = caller.page(filters={"clusterName": {"in": ["r15z4"]}, "name": {"in": [name]}})["runs"]
    assert [name] == [run["name"] for run in found]


def place(run: dict[str, Any]) -> tuple[str, str]:
    return run["resumptions"][-1]["clusterName"], run["details"]["nodes"][0]["name"]
