"""What can be read: filters, pages, users, clusters, and what is kept from others."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from tests.platform.caller import RUN, Caller


@pytest.fixture(scope="module")
def fleet(caller: Caller) -> list[str]:
    """Names of five runs that have ended, oldest first; the fourth failed, the last has eight GPUs."""
    commands = [("true", 0), ("true", 0), ("true", 0), ("exit 1", 0), ("true", 8)]
    return [
        caller.finish(command, runName="fleet", compute={"gpus": gpus})["name"] for command, gpus in commands
    ]


@pytest.fixture(scope="module")
def stranger(platform: Platform) -> Iterator[Caller]:
    """Another user of the same organization."""
    caller = Caller(platform, platform.add_user("ann", "ann@example.com"))
    yield caller
    caller.close()


def names(caller: Caller, **data: object) -> list[str]:
    return [run["name"] for run in caller.page(**data)["runs"]]


def filtered(caller: Caller, **filters: object) -> list[str]:
    return [name for name in names(caller, filters=filters) if name.startswith("fleet-")]


def test_newest_first(caller: Caller, fleet: list[str]) -> None:
    """Runs are listed newest first."""
    assert fleet[::-1] == names(caller, filters={"name": {"in": fleet}})


def test_pages_joined_are_the_whole(caller: Caller, fleet: list[str]) -> None:
    """Pages follow each other without gap or overlap, though runs are created meanwhile."""
    wanted = {"filters": {"gpuType": {"in": ["None", "a100_80gb"]}}}
    before = names(caller, **wanted)
    page = caller.page(limit=2, **wanted)
    seen = [run["name"] for run in page["runs"]]
    while page["hasNextPage"]:
        caller.create("true", runName="meanwhile")
        page = caller.page(limit=2, cursor=page["cursor"], **wanted)
        seen += [run["name"] for run in page["runs"]]
    assert before == seen
    assert page["cursor"] is None


def test_filter_by_status(caller: Caller, fleet: list[str]) -> None:
    """Runs can be filtered by status; UNKNOWN is allowed and matches none."""
    assert [fleet[3]] == filtered(caller, status={"in": ["FAILED", "UNKNOWN"]})


def test_filter_by_gpus(caller: Caller, fleet: list[str]) -> None:
    """Runs can be filtered by number and type of GPUs, cluster and run type."""
    eight = {"gpuNum": {"in": [8]}, "gpuType": {"in": ["a100_80gb"]}}
    assert [fleet[4]] == filtered(
        caller, **eight, clusterName={"in": ["local"]}, runType={"in": ["TRAINING"]}
    )


def test_filter_by_time(caller: Caller, fleet: list[str]) -> None:
    """Time filters take any offset; the start is in, the end is out."""
    created = datetime.fromisoformat(caller.run(fleet[2])["createdAt"])
    text = created.astimezone(timezone(timedelta(hours=5))).isoformat()
    assert fleet[:1:-1] == filtered(caller, createdAt={"gte": text})
    assert fleet[1::-1] == filtered(caller, createdAt={"lt": text})


def test_filter_by_end(caller: Caller, fleet: list[str]) -> None:
    """A filter on the end leaves out runs that have not ended."""
    running = caller.create("sleep 600", runName="fleet")
    assert fleet[::-1] == filtered(caller, endedAt={"gte": "2000-01-01T00:00:00"})
    caller.change("stopRuns", running)


def test_empty_list_matches_nothing(caller: Caller, fleet: list[str]) -> None:
    """An empty list of names is no name, not every name."""
    assert [] == names(caller, filters={"name": {"in": []}})


def test_times_have_one_form(caller: Caller, fleet: list[str]) -> None:
    """Times are UTC with three fraction digits and `Z`, the one form that every client reads."""
    run = caller.run(fleet[0])
    assert all(len(run[key]) == 24 and run[key].endswith("Z") for key in ("createdAt", "updatedAt"))


def test_own_runs_by_default(stranger: Caller, fleet: list[str]) -> None:
    """Without more a user lists his own runs; others' by e-mail address or by name."""
    owner = stranger.run(fleet[0])["createdByEmail"]
    mine = stranger.create("true", runName="mine")
    assert [mine] == names(stranger)
    assert fleet[-1] in names(stranger, entity={"emails": [owner]}, limit=1000)
    everybody = names(stranger, entity={"organizationIds": ["local"]}, limit=1000)
    assert {mine, *fleet} <= set(everybody)


@pytest.mark.parametrize("field", ["stopRuns", "deleteRuns", "startRuns"])
def test_others_runs_are_not_changed(stranger: Caller, fleet: list[str], field: str) -> None:
    """A run of somebody else can be read but not changed."""
    document = f"mutation M($data: GetRunsInput!) {{ {field}(getRunsData: $data) {{ id }} }}"
    assert 403 == stranger.error(document, data={"filters": {"name": {"in": [fleet[0]]}}})[0]


def test_administrators_may_change_others_runs(caller: Caller, stranger: Caller) -> None:
    """The owner of the platform may stop anybody's run."""
    name = stranger.create("sleep 600")
    assert "STOPPED" == (caller.change("stopRuns", name), caller.statuses(name)[-1])[1]


def test_mutation_without_filters_is_about_ones_own(caller: Caller, stranger: Caller) -> None:
    """`{"filters": {}}` selects all runs of the caller, and nobody else's."""
    theirs, mine = caller.create("sleep 600"), stranger.create("sleep 600")
    stopped = stranger.send(
        "mutation M($data: GetRunsInput!) { stopRuns(getRunsData: $data) { name } }", data={"filters": {}}
    )
    assert mine in {run["name"] for run in stopped}
    assert theirs not in {run["name"] for run in stopped}
    caller.change("stopRuns", theirs)


def test_update_is_about_one_run(caller: Caller, fleet: list[str]) -> None:
    """An update that matches several runs changes none."""
    document = "mutation M($data: GetRunsInput!) { updateRun(getRunsData: $data, updateRunData: {}) { id } }"
    assert 400 == caller.error(document, data={"filters": {"name": {"in": fleet}}})[0]


def test_users(caller: Caller, stranger: Caller) -> None:
    """`getUsers` gives the caller, or those that match; `getAllUsers` everybody, to administrators."""
    everybody = "{ getAllUsers(getAllUsersData: {}) { email } }"
    document = "query Q($data: GetUsersInput!) { getUsers(getUsersData: $data) { name email } }"
    assert [{"name": "ann", "email": "ann@example.com"}] == stranger.send(document, data={"filters": {}})
    by_email = {"filters": {"email": {"in": ["ann@example.com"]}}}
    assert [{"name": "ann", "email": "ann@example.com"}] == caller.send(document, data=by_email)
    assert {"email": "ann@example.com"} in caller.send(everybody)
    assert 403 == stranger.error(everybody)[0]


CLUSTERS = """
query GetClusters($getClustersData: GetClustersInput!) {
  getClusters(getClustersData: $getClustersData) {
    id name provider allowFractional allowMultinode allowedSubmissionTypes isMultiTenant reservationType
    schedulerEnabled
    allowedInstances { name gpuType gpusPerNode cpus memory storage gpuNums numNodes
      nodes { name isAlive isSchedulable upTime { startDate endDate } } }
    utilization {
      instanceUtils { instance { name } clusterId gpusUsed gpusAvailable gpusTotal }
      activeRunsByUser { id createdAt userName runName instance gpuNum gpuType estimatedEndTime
        maxDurationSeconds startTime scheduling { priority retryOnSystemFailure preemptible } }
      queuedRunsByUser { id createdAt userName runName instance gpuNum gpuType reason scheduling { priority } }
      activeDeploymentsByUser { id } queuedDeploymentsByUser { id }
    }
  }
}
"""


def test_utilization() -> None:
    """A cluster tells who uses it, who waits for it and why, and how many GPUs are left."""
    with Platform(cluster=virtual(2, 8, "a100_80gb"), grace=1) as platform:
        caller = Caller(platform)
        active = caller.create("sleep 600", compute={"gpus": 16})
        caller.wait(active, "RUNNING")
        queued = caller.create("true", compute={"gpus": 8})
        caller.wait(queued, "QUEUED")
        (cluster,) = caller.send(CLUSTERS, getClustersData={"filters": {}})
        caller.close()
    use = cluster["utilization"]
    assert (16, 0) == (use["instanceUtils"][0]["gpusUsed"], use["instanceUtils"][0]["gpusAvailable"])
    assert [active] == [run["runName"] for run in use["activeRunsByUser"]]
    assert [(queued, True)] == [(run["runName"], bool(run["reason"])) for run in use["queuedRunsByUser"]]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"name": {"in": ["local"]}}, 1),
        ({"name": {"in": ["other"]}}, 0),
        ({"allowedSubmissionTypes": {"has": "TRAINING"}}, 1),
        ({"allowedSubmissionTypes": {"has": "INFERENCE"}}, 0),
    ],
)
def test_cluster_filters(caller: Caller, filters: dict[str, object], count: int) -> None:
    """Clusters can be filtered by name and by use."""
    assert count == len(caller.send(CLUSTERS, getClustersData={"filters": filters, "includeAll": True}))


def test_debug_report(caller: Caller, fleet: list[str]) -> None:
    """The debug report tells when each node of each resumption reached which status."""
    document = """query GetRunDebugInfo($getRunsData: GetRunsInput!) { getRuns(getRunsData: $getRunsData) {
        id name createdAt executionsStatusUpdates { id executionIndex
          containerStatusUpdates { nodeRank containerName status reachedAt reason }
          podStatusUpdates { nodeRank nodeName status reachedAt reason } } } }"""
    wanted = {"filters": {"name": {"in": [fleet[3]]}}, "includeDeleted": True}
    (run,) = caller.send(document, getRunsData=wanted)
    (execution,) = run["executionsStatusUpdates"]
    statuses = [update["status"] for update in execution["containerStatusUpdates"]]
    assert ["STARTING", "RUNNING", "FAILED"] == statuses
    assert "node-0" == execution["podStatusUpdates"][0]["nodeName"]


def test_run_has_all_that_clients_need(caller: Caller) -> None:
    """Of a run that was just submitted nothing is null that clients cannot bear."""
    run = caller.run(caller.create("true"))
    required = set(RUN.split("resumptions")[0].split()) - {"maxDurationSeconds", "maxRetries"}
    assert not [key for key in required if run[key] is None]
    assert 1 == len(run["resumptions"])


@pytest.mark.parametrize("kind", ["a100_80gb", "A100_80GB"])
def test_gpu_types_are_compared_without_letter_case(caller: Caller, kind: str) -> None:
    """The names of cards have no one spelling, so a filter finds them in any."""
    name = caller.create("true", compute={"gpus": 1})
    found = caller.page(filters={"gpuType": {"in": [kind]}, "name": {"in": [name]}})["runs"]
    assert [name] == [run["name"] for run in found]
