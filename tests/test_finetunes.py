"""Making, listing, stopping and deleting finetuning runs."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import Finetune, FinetuneConfig, FinetuneTaskType, MAPIException, RunStatus
from mcli.exceptions import ValidationError
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

MODEL, DATA, FOLDER = "mosaicml/mpt-7b", "mosaicml/dolly_hhrlhf/train", "s3://bucket/out"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def finetune(name: str = "ift-mpt-7b-abcdef", **fields: Any) -> dict[str, Any]:
    """Return a finetuning run as the platform sends it."""
    return {
        "id": f"id-of-{name}",
        "name": name,
        "status": "RUNNING",
        "createdById": "u1",
        "createdByEmail": "ada@example.com",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "startedAt": None,
        "completedAt": None,
        "estimatedEndTime": None,
        "reason": None,
        "isDeleted": False,
    } | fields


def detailed(**details: Any) -> dict[str, Any]:
    """Return a finetuning run with its details."""
    told = {"model": MODEL, "trainDataPath": DATA, "saveFolder": FOLDER, "experimentTracker": {}}
    return finetune() | {"details": told | details}


def created(*finetunes: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"createFinetune": list(finetunes)}}


def page(*finetunes: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    found = {"cursor": cursor, "hasNextPage": cursor is not None, "finetunes": list(finetunes)}
    return {"data": {"getFinetunesPaginated": found}}


def sent_config(script: wire.Script) -> Any:
    return script.calls[0].variables["createFinetuneData"]["config"]


# Creating


def test_only_what_is_given_is_sent(connect: Connect) -> None:
    """A request has model, paths and type, and leaves the rest to the platform."""
    connect(answer=(script := wire.Script(created(detailed()))))
    mcli.create_finetuning_run(MODEL, DATA, FOLDER)
    expected = {
        "model": MODEL,
        "trainDataPath": DATA,
        "saveFolder": FOLDER,
        "taskType": "INSTRUCTION_FINETUNE",
    }
    assert expected == sent_config(script)


def test_all_that_is_given_is_sent(connect: Connect) -> None:
    """A request has every argument, by its name on the wire."""
    connect(answer=(script := wire.Script(created(detailed()))))
    mcli.create_finetuning_run(
        MODEL,
        "dbfs:/Volumes/a/b/c/train.jsonl",
        "dbfs:/databricks/mlflow-tracking/{mlflow_experiment_id}/{mlflow_run_id}",
        task_type=FinetuneTaskType.CHAT_COMPLETION,
        eval_data_path="gs://bucket/eval.jsonl",
        eval_prompts=["Who?"],
        custom_weights_path="oci://bucket/weights",
        training_duration="1_000_000tok",
        learning_rate="5e-7",
        context_length=2048,
        experiment_tracker={"mlflow": {"experiment_path": "/e", "model_registry_path": "c.s.m"}, "wandb": {}},
        disable_credentials_check=True,
    )
    expected = {
        "model": MODEL,
        "trainDataPath": "dbfs:/Volumes/a/b/c/train.jsonl",
        "saveFolder": "dbfs:/databricks/mlflow-tracking/{mlflow_experiment_id}/{mlflow_run_id}",
        "taskType": "CHAT_COMPLETION",
        "evalDataPath": "gs://bucket/eval.jsonl",
        "evalPrompts": ["Who?"],
        "customWeightsPath": "oci://bucket/weights",
        "trainingDuration": "1_000_000tok",
        "learningRate": 5e-7,
        "contextLength": 2048,
        "experimentTracker": {
            "mlflow": {"experimentPath": "/e", "modelRegistryPath": "c.s.m"},
            "wandb": {},
        },
        "disableCredentialsCheck": True,
    }
    assert expected == sent_config(script)


def test_trackers_that_are_none_are_not_sent(connect: Connect) -> None:
    """A tracker or a part of one that is None is left out, and the caller's dictionary stays as it was."""
    tracker: dict[str, Any] = {"mlflow": None, "wandb": {"project": "p", "entity": None}}
    given = copy.deepcopy(tracker)
    connect(answer=(script := wire.Script(created(detailed()))))
    mcli.create_finetuning_run(MODEL, DATA, FOLDER, experiment_tracker=given)
    assert {"wandb": {"project": "p"}} == sent_config(script)["experimentTracker"]
    assert tracker == given


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": ""}, "model must be a text that is not empty"),
        (
            {"save_folder": "bucket/out"},
            r"save_folder must be a path that begins with s3://, gs:// or oci://",
        ),
        ({"save_folder": "http://x.test/out"}, "save_folder must be a path"),
        ({"save_folder": "s3://"}, "save_folder must be a path"),
        ({"train_data_path": "s3:/bucket/x"}, "train_data_path must be a path.*or a Hugging Face dataset"),
        ({"train_data_path": DATA, "task_type": "continued_pretrain"}, "train_data_path must be a path"),
        ({"eval_data_path": "dolly"}, "eval_data_path must be a path.*'dolly'"),
        ({"custom_weights_path": DATA}, "custom_weights_path must be a path"),
        ({"eval_prompts": "Who?"}, "eval_prompts must be a list of texts"),
        ({"eval_prompts": ["Who?", ""]}, r"eval_prompts\[1\] must be a text that is not empty"),
        ({"task_type": "INSTRUCTION_FINETUN"}, "task_type.*Did you mean 'INSTRUCTION_FINETUNE'"),
        ({"training_duration": "10"}, "training_duration must be a number of epochs, batches or tokens"),
        ({"training_duration": "0ep"}, "training_duration must be a number"),
        ({"training_duration": "1.5ep"}, "training_duration must be a number"),
        ({"training_duration": 1}, "training_duration must be a number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number greater than 0, not 'fast'"),
        ({"learning_rate": 0}, "learning_rate must be a number greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number greater than 0"),
        ({"learning_rate": True}, "learning_rate must be a number greater than 0"),
        ({"context_length": 0.5}, "context_length must be a whole number"),
        ({"context_length": -1}, "context_length must be a number greater than 0"),
        ({"experiment_tracker": "wandb"}, "experiment_tracker must be a mapping, not a str"),
        (
            {"experiment_tracker": {"wandbb": {}}},
            "experiment_tracker has the unknown key .wandbb.; did you mean 'wandb'",
        ),
        ({"experiment_tracker": {"wandb": "p"}}, "experiment_tracker.wandb must be a mapping, not a str"),
        ({"experiment_tracker": {"wandb": {"projct": "p"}}}, "did you mean 'project'"),
        (
            {"experiment_tracker": {"wandb": {"project": 1}}},
            "experiment_tracker.wandb.project must be a text",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_not_sent(connect: Connect, arguments: Any, words: str) -> None:
    """A wrong argument is refused at the call, by its name."""
    connect(answer=(script := wire.Script(created(detailed()))))
    given = {"model": MODEL, "train_data_path": DATA, "save_folder": FOLDER} | arguments
    with pytest.raises(ValidationError, match=words):
        mcli.create_finetuning_run(**given, future=True)
    assert [] == script.calls


@pytest.mark.parametrize(
    "path", ["s3://b/x", "gs://b/x", "oci://b@n/x", "hf://o/n", "dbfs:/x", "/data", "~/data", "file:///data"]
)
def test_data_may_be_in_stores_and_on_local_platforms(connect: Connect, path: str) -> None:
    """Paths of the platform's stores, of Databricks and of this machine are accepted."""
    connect(answer=(script := wire.Script(created(detailed()))))
    mcli.create_finetuning_run(MODEL, path, path, task_type="CONTINUED_PRETRAIN")
    assert (path, path) == (sent_config(script)["trainDataPath"], sent_config(script)["saveFolder"])


def test_a_new_finetuning_run_knows_its_configuration(connect: Connect) -> None:
    """What the platform tells of the request is read into a configuration by our names."""
    answer = detailed(
        taskType="CHAT_COMPLETION",
        learningRate=1e-6,
        trainingDuration="2ep",
        experimentTracker={"mlflow": {"experimentPath": "/e"}},
    )
    connect(answer=wire.Script(created(answer)))
    expected = FinetuneConfig(
        MODEL,
        DATA,
        FOLDER,
        task_type=FinetuneTaskType.CHAT_COMPLETION,
        training_duration="2ep",
        learning_rate=1e-6,
        experiment_tracker={"mlflow": {"experiment_path": "/e"}},
    )
    run = mcli.create_finetuning_run(MODEL, DATA, FOLDER)
    assert (expected, MODEL, DATA, FOLDER) == (
        run.submitted_config,
        run.model,
        run.train_data_path,
        run.save_folder,
    )


def test_an_answer_without_the_run_is_an_error(connect: Connect) -> None:
    """An empty list in answer to a creation is said to be the platform's fault."""
    connect(answer=wire.Script(created()))
    with pytest.raises(MAPIException, match="Error 500: The platform answered without the finetuning run"):
        mcli.create_finetuning_run(MODEL, DATA, FOLDER)


# Reading


def test_a_finetuning_run_is_read(connect: Connect) -> None:
    """A listed finetuning run has the platform's fields by the page's names, and no details."""
    connect(answer=wire.Script(page(finetune("ift-a", status="OF_THE_FUTURE", reason="because"))))
    expected = Finetune(
        id="id-of-ift-a",
        name="ift-a",
        status=RunStatus.UNKNOWN,
        created_at=MOMENT,
        updated_at=MOMENT,
        created_by="ada@example.com",
        reason="because",
    )
    assert [expected] == mcli.get_finetuning_runs()


def test_details_have_events(connect: Connect) -> None:
    """With details come the events, with or without the attempt that they belong to."""
    event = {"eventType": "CREATED", "eventTime": "2026-01-01T00:00:00Z", "eventMessage": "Run created"}
    connect(answer=(script := wire.Script(page(detailed(formattedFinetuningEvents=[event])))))
    (run,) = mcli.get_finetuning_runs(include_details=True)
    assert [mcli.FormattedRunEvent("CREATED", MOMENT, "Run created")] == run.events
    assert ["GetFinetunesPaginatedWithDetails"] == script.operations


def test_a_task_of_the_future_is_kept(connect: Connect) -> None:
    """A type of task that this version does not know is kept as text."""
    connect(answer=wire.Script(page(detailed(taskType="DISTILL"))))
    (run,) = mcli.get_finetuning_runs(include_details=True)
    assert run.submitted_config is not None
    assert "DISTILL" == run.submitted_config.task_type


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, {"filters": {}, "includeDeleted": False, "limit": 100}),
        ({"limit": None}, {"filters": {}, "includeDeleted": False, "limit": None}),
        (
            {"statuses": ["running"], "include_deleted": True},
            {"filters": {"status": {"in": ["RUNNING"]}}, "includeDeleted": True, "limit": 100},
        ),
        (
            {"after": MOMENT, "user_emails": ["a@x"]},
            {
                "filters": {"createdAt": {"gte": MOMENT.astimezone().isoformat()}},
                "includeDeleted": False,
                "limit": 100,
                "entity": {"emails": ["a@x"]},
            },
        ),
    ],
    ids=str,
)
def test_finetuning_runs_are_asked_for(connect: Connect, arguments: Any, sent: object) -> None:
    """The filters that were given are sent, and no others."""
    connect(answer=(script := wire.Script(page())))
    mcli.get_finetuning_runs(**arguments)
    assert {"getFinetunesPaginatedData": sent} == script.calls[0].variables


def test_finetuning_runs_come_in_pages(connect: Connect) -> None:
    """All pages are iterated over, the next one from where the last one ended."""
    connect(answer=(script := wire.Script(page(finetune("a"), cursor="2"), page(finetune("b")))))
    assert ["a", "b"] == [run.name for run in mcli.get_finetuning_runs(limit=1).iter_all()]
    assert [None, "2"] == [call.variables["getFinetunesPaginatedData"].get("cursor") for call in script.calls]


def test_named_finetuning_runs_come_all(connect: Connect) -> None:
    """Finetuning runs that were named are all read, however many pages that takes."""
    connect(answer=(script := wire.Script(page(finetune("a"), cursor="2"), page(finetune("b")))))
    assert ["a", "b"] == [run.name for run in mcli.get_finetuning_runs(["a", "b"])]
    filters = script.calls[0].variables["getFinetunesPaginatedData"]["filters"]
    assert {"name": {"in": ["a", "b"]}} == filters


def test_events_are_listed(connect: Connect) -> None:
    """The events of a finetuning run are asked for by its name, with their attempt."""
    event = {"eventType": "X", "eventTime": "2026-01-01T00:00:00Z", "eventMessage": "m", "resumptionIndex": 1}
    connect(answer=(script := wire.Script({"data": {"getFinetuneEvents": [event]}})))
    assert [mcli.FormattedRunEvent("X", MOMENT, "m", 1)] == mcli.list_finetuning_events("ift-a")
    assert {"getFinetuneEventsData": {"name": "ift-a"}} == script.calls[0].variables


# Stopping and deleting

NAMED = {"filters": {"name": {"in": ["ift-a"]}}}


@pytest.mark.parametrize(
    ("call", "field", "sent"),
    [
        (mcli.stop_finetuning_run, "stopFinetunes", {"getFinetunesData": NAMED}),
        (mcli.delete_finetuning_run, "deleteFinetunes", {"getFinetunesData": NAMED}),
    ],
)
def test_one_is_changed_by_its_name(connect: Connect, call: Any, field: str, sent: object) -> None:
    """A finetuning run is stopped or deleted by its name, or as an object that has one."""
    connect(answer=(script := wire.Script({"data": {field: [finetune("ift-a")]}})))
    assert "ift-a" == call(call("ift-a")).name
    assert [sent, sent] == [each.variables for each in script.calls]


def test_a_reason_to_stop_is_sent(connect: Connect) -> None:
    """The reason goes with the request to stop."""
    connect(answer=(script := wire.Script({"data": {"stopFinetunes": [finetune("ift-a")]}})))
    mcli.stop_finetuning_runs(["ift-a"], reason="why")
    sent = {"getFinetunesData": NAMED, "stopFinetunesData": {"reason": "why"}}
    assert sent == script.calls[0].variables


@pytest.mark.parametrize("call", [mcli.stop_finetuning_run, mcli.delete_finetuning_run])
def test_a_missing_one_is_named(connect: Connect, call: Any) -> None:
    """Stopping or deleting what is not there is a 404 that names it, also through a future."""
    answer: Any = {"data": {"stopFinetunes": [], "deleteFinetunes": []}}
    connect(answer=wire.Script(answer))
    with pytest.raises(MAPIException, match="Error 404: Finetuning run 'ift-x' not found"):
        call("ift-x", future=True).result(wire.PATIENCE)


@pytest.mark.parametrize(
    "call", [mcli.stop_finetuning_runs, mcli.delete_finetuning_runs, mcli.get_finetuning_runs]
)
def test_an_empty_list_asks_for_nothing(connect: Connect, call: Any) -> None:
    """An empty list of finetuning runs gives an empty list, and nothing is sent."""
    connect(answer=(script := wire.Script(page(finetune()))))
    assert ([], []) == (call([]), script.calls)


def test_a_call_without_time_leaves_nothing_behind(connect: Connect) -> None:
    """A call that is given no time at all ends with a TimeoutError."""
    connect(answer=lambda call: wire.for_ever())
    with pytest.raises(TimeoutError, match="stop_finetuning_run did not end within 0 s"):
        mcli.stop_finetuning_run("ift-a", timeout=0)


# As runs


def test_a_finetuning_run_is_a_run_by_name(connect: Connect) -> None:
    """What takes a run takes a finetuning run."""
    connect(answer=(script := wire.Script(created(detailed()), wire.page(wire.run()))))
    mcli.get_run(mcli.create_finetuning_run(MODEL, DATA, FOLDER))
    filters = script.calls[1].variables["getRunsPaginatedData"]["filters"]
    assert {"name": {"in": ["ift-mpt-7b-abcdef"]}} == filters


def test_finetuning_runs_are_values(connect: Connect) -> None:
    """A finetuning run equals its copy and what was pickled of it."""
    connect(answer=wire.Script(created(detailed())))
    run = mcli.create_finetuning_run(MODEL, DATA, FOLDER)
    assert run == copy.deepcopy(run) == pickle.loads(pickle.dumps(run))
