"""The verbs on runs: what they send, and what they give."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, Run, RunConfig, RunConfigException, RunStatus
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect

CONFIG = RunConfig(name="run", image="bash", command="true")
NAMED = {"filters": {"name": {"in": ["run-a"]}}}


@pytest.fixture
def run(connect: Connect) -> Run:
    connect(answer=wire.Script(wire.page(wire.run())))
    return mcli.get_run("run-a")


# Sending

SENT: dict[str, tuple[Callable[[], object], str, dict[str, Any]]] = {
    "start_run": (lambda: mcli.start_run("run-a"), "startRuns", {"getRunsData": NAMED}),
    "stop_run": (lambda: mcli.stop_run("run-a"), "stopRuns", {"getRunsData": NAMED}),
    "stop_run with a reason": (
        lambda: mcli.stop_run("run-a", reason="why"),
        "stopRuns",
        {"getRunsData": NAMED, "stopRunsData": {"reason": "why"}},
    ),
    "delete_run": (lambda: mcli.delete_run("run-a"), "deleteRuns", {"getRunsData": NAMED}),
    "update_run": (
        lambda: mcli.update_run("run-a", priority="low", max_duration=1.5),
        "updateRun",
        {"getRunsData": NAMED, "updateRunData": {"priority": "low", "maxDurationSeconds": 5400}},
    ),
    "update_run_metadata": (
        lambda: mcli.update_run_metadata("run-a", {"loss": float("nan")}),
        "updateRunMetadata",
        {"getRunsData": NAMED, "updateRunMetadataData": {"metadata": {"loss": "NaN"}}},
    ),
}


@pytest.mark.parametrize(("call", "field", "variables"), SENT.values(), ids=SENT)
def test_what_is_sent(
    connect: Connect, call: Callable[[], object], field: str, variables: dict[str, Any]
) -> None:
    """A verb sends the name, and of its settings those that were given."""
    asked = wire.Script({"data": {field: [wire.run()]}})
    connect(answer=asked)
    call()
    assert [variables] == [each.variables for each in asked.calls]


MISSING: list[Callable[[], object]] = [
    lambda: mcli.get_run("run-a"),
    lambda: mcli.start_run("run-a"),
    lambda: mcli.stop_run("run-a"),
    lambda: mcli.delete_run("run-a"),
    lambda: mcli.update_run("run-a", priority="low"),
    lambda: mcli.update_run_metadata("run-a", {}),
    lambda: mcli.stop_run("run-a", future=True).result(),
]


@pytest.mark.parametrize("call", MISSING)
def test_a_missing_run_is_a_404(connect: Connect, call: Callable[[], object]) -> None:
    """An answer without the run is a 404 that names it, blocking and future alike."""
    fields = ["startRuns", "stopRuns", "deleteRuns", "updateRun", "updateRunMetadata"]
    connect(answer=wire.Script({"data": wire.page()["data"] | {field: [] for field in fields}}))
    with pytest.raises(MAPIException, match="Error 404: Run 'run-a' not found"):
        call()


@pytest.mark.parametrize("verb", [mcli.start_runs, mcli.stop_runs, mcli.delete_runs])
def test_an_empty_list_sends_nothing(connect: Connect, verb: Callable[[list[str]], object]) -> None:
    """No names change no run: on the wire an empty list would select them all."""
    asked = wire.Script({})
    connect(answer=asked)
    assert ([], []) == (verb([]), asked.calls)


def test_runs_and_names_do(connect: Connect, run: Run) -> None:
    """Runs and names may be mixed; each is sent once."""
    asked = wire.Script({"data": {"stopRuns": [wire.run("run-a"), wire.run("run-b")]}})
    connect(answer=asked)
    stopped = mcli.stop_runs([run, "run-b", "run-a"])
    assert ["run-a", "run-b"] == [each.name for each in stopped]
    assert ["run-a", "run-b"] == asked.calls[0].variables["getRunsData"]["filters"]["name"]["in"]


def test_the_configuration_is_read_at_the_call(connect: Connect) -> None:
    """Changes of a configuration after the call have no effect on the run."""
    asked = wire.Script({"data": {"createRun": [wire.run()]}})
    connect(answer=asked)
    config = copy.deepcopy(CONFIG)
    future = mcli.create_run(run=config, future=True)
    config.command = "false"
    future.result(wire.PATIENCE)
    assert "true" == asked.calls[0].variables["createRunData"]["runInput"]["command"]


def test_interactive_runs_have_defaults(connect: Connect) -> None:
    """Name and image of an interactive run are filled in, in a copy; the seconds stand beside."""
    asked = wire.Script({"data": {"createInteractiveRun": [wire.run()]}})
    connect(answer=asked)
    config = RunConfig()
    mcli.create_interactive_run(config, seconds=60)
    sent = asked.calls[0].variables["createRunData"]
    assert (60, "interactive", "mosaicml/pytorch") == (
        sent["seconds"],
        sent["runInput"]["runName"],
        sent["runInput"]["image"],
    )
    assert RunConfig() == config


def test_a_bad_run_request_names_our_fields(connect: Connect) -> None:
    """What the platform misses is called what `RunConfig` calls it."""
    connect(answer=wire.Script(wire.error(400, "Bad run request: gpuType is a required field")))
    with pytest.raises(RunConfigException, match="required values: gpu_type"):
        mcli.create_run(CONFIG)


BAD_CONFIGS = {"no image": RunConfig(name="r"), "gpus": RunConfig(image="a", compute={"gpus": "8x"})}


@pytest.mark.parametrize("config", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_bad_configuration_is_not_sent(connect: Connect, config: RunConfig) -> None:
    """What cannot be right is an error before anything is sent, and the next call works."""
    asked = wire.Script({"data": {"createRun": [wire.run()]}})
    connect(answer=asked)
    with pytest.raises(mcli.MCLIRunConfigValidationError):
        mcli.create_run(config)
    assert [] == asked.calls
    assert "run-a" == mcli.create_run(CONFIG).name


# Listing

FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "statuses": ({"statuses": ["running", RunStatus.QUEUED]}, {"status": {"in": ["RUNNING", "QUEUED"]}}),
    "clusters": ({"cluster_names": ["c1"]}, {"clusterName": {"in": ["c1"]}}),
    "gpus": ({"gpu_types": ["t4"], "gpu_nums": [8]}, {"gpuType": {"in": ["t4"]}, "gpuNum": {"in": [8]}}),
    "types": ({"run_types": ["interactive"]}, {"runType": {"in": ["INTERACTIVE"]}}),
    "created": (
        {
            "after": datetime(2026, 1, 1, tzinfo=UTC),
            "before": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5))),
        },
        {"createdAt": {"gte": datetime(2026, 1, 1, tzinfo=UTC), "lt": datetime(2026, 1, 1, 19, tzinfo=UTC)}},
    ),
    "ended": (
        {"ended_after": "2026-01-01T00:00:00Z"},
        {"endedAt": {"gte": datetime(2026, 1, 1, tzinfo=UTC)}},
    ),
}


@pytest.mark.parametrize(("given", "expected"), FILTERS.values(), ids=FILTERS)
def test_filters_that_are_given_are_sent(
    connect: Connect, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A filter has its place on the wire; times keep their moment."""
    asked = wire.Script(wire.page())
    connect(answer=asked)
    mcli.get_runs(**given)
    filters = asked.calls[0].variables["getRunsPaginatedData"]["filters"]
    for name in {"createdAt", "endedAt"} & filters.keys():
        filters[name] = {end: datetime.fromisoformat(text) for end, text in filters[name].items()}
    assert expected == filters


def test_no_filters_are_sent_empty(connect: Connect) -> None:
    """Without arguments the latest 100 runs that are not deleted are asked for."""
    asked = wire.Script(wire.page())
    connect(answer=asked)
    mcli.get_runs()
    assert [{"filters": {}, "includeDeleted": False, "limit": 100}] == [
        call.variables["getRunsPaginatedData"] for call in asked.calls
    ]


# Runs


def test_a_run_is_a_plain_value(run: Run) -> None:
    """A run compares, copies and pickles, and its repr can be read."""
    assert run == copy.deepcopy(run) == pickle.loads(pickle.dumps(run))
    assert repr(run).startswith("Run(run_uid='id-of-run-a', name='run-a', status=<RunStatus.RUNNING")


def test_a_run_shows_its_latest_attempt(connect: Connect) -> None:
    """Cluster, GPUs, reason and times are those of the attempts."""
    attempts = [
        wire.resumption(endTime="2026-01-01T01:00:00.000Z", status="FAILED", reason="Exit code 1"),
        wire.resumption(executionIndex=1, gpus=16, status="STOPPED", startTime=None, reason="by hand"),
    ]
    connect(
        answer=wire.Script(
            wire.page(wire.run(status="STOPPED", resumptions=attempts, maxDurationSeconds=5400))
        )
    )
    run = mcli.get_run("run-a")
    assert (16, "by hand", 1.5) == (run.gpus, run.reason, run.max_duration)
    assert run.started_at == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert run.completed_at == datetime(2026, 1, 1, 1, tzinfo=UTC)


def test_cloning_leaves_the_original_alone(connect: Connect, run: Run) -> None:
    """A clone is submitted with the original's configuration and the changes; the original stays as it was."""
    before = copy.deepcopy(run)
    asked = wire.Script({"data": {"createRun": [wire.run("run-b")]}})
    connect(answer=asked)
    assert "run-b" == run.clone(gpus=4, priority="low").name
    sent = asked.calls[0].variables["createRunData"]["runInput"]
    assert ({"gpus": 4}, {"priority": "low"}, "run") == (sent["compute"], sent["scheduling"], sent["runName"])
    assert before == run


def test_cloning_fetches_the_configuration_if_need_be(connect: Connect) -> None:
    """A run without details is read once more before it is cloned."""
    asked = wire.Script(wire.page(wire.run()), {"data": {"createRun": [wire.run("run-b")]}})
    connect(answer=wire.Script(wire.page(wire.run())))
    run = mcli.get_runs()[0]
    connect(answer=asked)
    run.clone()
    assert ["GetRunsPaginatedWithDetails", "CreateRun"] == asked.operations


CLONES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nodes": ({"gpus": 8, "node_names": ["n"], "cluster": "c"}, {"nodes": 2}, {"nodes": 2, "cluster": "c"}),
    "gpus": ({"nodes": 2, "node_names": ["n"], "gpu_type": "t"}, {"gpus": 8}, {"gpus": 8, "gpuType": "t"}),
    "instance": (
        {"gpu_type": "t", "node_names": ["n"], "gpus": 8},
        {"instance": "i"},
        {"instance": "i", "gpus": 8},
    ),
    "gpu_type": ({"instance": "i", "gpus": 8}, {"gpu_type": "t"}, {"gpuType": "t", "gpus": 8}),
    "cluster": (
        {"instance": "i", "node_names": ["n"], "gpus": 8, "cluster": "c"},
        {"cluster": "d"},
        {"cluster": "d", "gpus": 8},
    ),
    "what is given stays": ({"gpus": 8}, {"nodes": 2, "gpus": 16}, {"nodes": 2, "gpus": 16}),
    "nothing": ({"gpus": 8, "nodes": 1}, {}, {"gpus": 8, "nodes": 1}),
}


@pytest.mark.parametrize(("submitted", "given", "expected"), CLONES.values(), ids=CLONES)
def test_a_clone_drops_what_the_changes_contradict(
    connect: Connect, run: Run, submitted: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What a clone overrides removes what contradicts it, unless that is given as well."""
    asked = wire.Script({"data": {"createRun": [wire.run("run-b")]}})
    connect(answer=asked)
    run.submitted_config = RunConfig("a", image="b", command="c", compute=submitted)
    run.clone(**given)
    assert expected == asked.calls[0].variables["createRunData"]["runInput"]["compute"]


UPDATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the keyword is used": ({"update_run_data": {"maxRetries": 5}, "max_retries": 1}, {"maxRetries": 1}),
    "either spelling": (
        {"update_run_data": {"retry_on_system_failure": True, "maxRetries": 2, "max_retries": 3}},
        {"retryOnSystemFailure": True, "maxRetries": 3},
    ),
    "hours": ({"update_run_data": {"maxDuration": 1.5}}, {"maxDurationSeconds": 5400}),
    "seconds": ({"update_run_data": {"maxDurationSeconds": 60}}, {"maxDurationSeconds": 60}),
    "None is not given": (
        {"update_run_data": {"priority": None, "preemptible": False}},
        {"preemptible": False},
    ),
}


@pytest.mark.parametrize(("given", "sent"), UPDATES.values(), ids=UPDATES)
def test_either_spelling_of_a_setting_is_one_setting(
    connect: Connect, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    """The old dictionary takes both spellings, and what is given by its parameter goes before it."""
    asked = wire.Script({"data": {"updateRun": [wire.run()]}})
    connect(answer=asked)
    with pytest.warns(DeprecationWarning, match="update_run_data is deprecated"):
        mcli.update_run("run-a", **given)
    assert sent == asked.calls[0].variables["updateRunData"]


def test_an_unknown_priority_is_sent_with_a_warning(connect: Connect) -> None:
    """A priority that is like none of the known ones may be one of a newer platform."""
    asked = wire.Script({"data": {"updateRun": [wire.run()]}})
    connect(answer=asked)
    with pytest.warns(UserWarning, match="unknown value 'urgent'; it is sent"):
        mcli.update_run("run-a", priority="urgent")
    assert {"priority": "urgent"} == asked.calls[0].variables["updateRunData"]


METHODS: dict[str, tuple[Callable[[Run], Run], str]] = {
    "stop": (Run.stop, "StopRuns"),
    "delete": (Run.delete, "DeleteRuns"),
    "update": (lambda run: run.update(priority="low"), "UpdateRun"),
    "update_metadata": (lambda run: run.update_metadata({"a": 1}), "UpdateRunMetadata"),
    "refresh": (Run.refresh, "GetRunsPaginatedWithDetails"),
}


@pytest.mark.parametrize(("method", "operation"), METHODS.values(), ids=METHODS)
def test_methods_call_the_verbs(
    connect: Connect, run: Run, method: Callable[[Run], Run], operation: str
) -> None:
    """The methods of a run are the verbs on it, and give a new run."""
    field = operation[0].lower() + operation[1:]
    asked = wire.Script({"data": wire.page(wire.run())["data"] | {field: [wire.run()]}})
    connect(answer=asked)
    assert method(run) is not run
    assert [operation] == asked.operations
