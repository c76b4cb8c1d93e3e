"""Finetuning and pretraining runs, as requests and as processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.platform.caller import Caller

FIELDS = (
    "id name status createdById createdByEmail createdAt updatedAt startedAt completedAt reason isDeleted"
)
DETAILS = """details { model taskType trainDataPath saveFolder evalDataPath evalPrompts trainingDuration learningRate
    contextLength experimentTracker customWeightsPath
    formattedFinetuningEvents { resumptionIndex eventType eventTime eventMessage } }"""
CREATE = f"""
mutation CreateFinetune($createFinetuneData: CreateFinetuneInput!) {{
  createFinetune(createFinetuneData: $createFinetuneData) {{ {FIELDS} {DETAILS} }}
}}
"""
PAGE = f"""
query GetFinetunesPaginated($data: GetFinetunesPaginatedInput!) {{
  getFinetunesPaginated(getFinetunesPaginatedData: $data) {{
    cursor hasNextPage finetunes {{ {FIELDS} estimatedEndTime {DETAILS} }} }}
}}
"""


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A request that the stand-in trainer can fulfil in no time."""
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps({"prompt": "a", "response": "b"}) + "\n" for _ in range(4)))
    return {
        "model": "mosaicml/mpt-7b",
        "trainDataPath": str(data),
        "saveFolder": str(tmp_path / "out"),
        "trainingDuration": "2ba",
    }


def create(caller: Caller, config: dict[str, Any]) -> dict[str, Any]:
    (finetune,) = caller.send(CREATE, createFinetuneData={"config": config})
    return dict(finetune)


def read(caller: Caller, name: str) -> dict[str, Any]:
    (finetune,) = caller.send(PAGE, data={"filters": {"name": {"in": [name]}}, "includeDeleted": False})[
        "finetunes"
    ]
    return dict(finetune)


def test_finetune_trains(caller: Caller, config: dict[str, Any]) -> None:
    """A finetuning run is a run that trains, reports its marks as events, and leaves checkpoints."""
    name = create(caller, config)["name"]
    assert "COMPLETED" == caller.statuses(name)[-1], caller.logs(name).decode()
    events = [event["eventType"] for event in read(caller, name)["details"]["formattedFinetuningEvents"]]
    assert ["CREATED", "CHECK_PASSED", "STARTED"] == events[:3]
    assert "TRAIN_FINISHED" in events
    assert (Path(config["saveFolder"]) / name / "checkpoints").is_dir()


def test_failed_check_fails_the_run(caller: Caller, config: dict[str, Any]) -> None:
    """Data that cannot be read makes the run FAILED before it starts, with an event that says why."""
    finetune = create(caller, config | {"trainDataPath": "/nothing/here.jsonl"})
    assert "FAILED" == finetune["status"]
    events = finetune["details"]["formattedFinetuningEvents"]
    assert ["CREATED", "CHECK_FAILED", "FAILED"] == [event["eventType"] for event in events]


def test_tracker_that_was_not_asked_for_is_left_out(caller: Caller, config: dict[str, Any]) -> None:
    """`experimentTracker` is an object without nulls, which clients cannot read."""
    finetune = create(caller, config | {"experimentTracker": {"mlflow": None}})
    assert {} == finetune["details"]["experimentTracker"]
    caller.statuses(finetune["name"])


def test_stop_and_delete(caller: Caller, config: dict[str, Any]) -> None:
    """Finetuning runs are stopped and deleted by their own mutations, which know no other runs."""
    name, other = create(caller, config)["name"], caller.finish("true")["name"]
    stop = "mutation M($data: GetFinetunesInput!) { stopFinetunes(getFinetunesData: $data) { name status } }"
    delete = (
        "mutation M($data: GetFinetunesInput!) { deleteFinetunes(getFinetunesData: $data) { isDeleted } }"
    )
    assert 404 == caller.error(stop, data={"filters": {"name": {"in": [other]}}})[0]
    caller.send(stop, data={"filters": {"name": {"in": [name]}}})
    caller.statuses(name)
    assert [{"isDeleted": True}] == caller.send(delete, data={"filters": {"name": {"in": [name]}}})
    assert [] == caller.send(PAGE, data={"filters": {"name": {"in": [name]}}})["finetunes"]


def test_events_of_a_finetune(caller: Caller, config: dict[str, Any]) -> None:
    """The events of a finetuning run can be asked for alone."""
    name = create(caller, config)["name"]
    document = """query GetFinetuneEvents($data: GetFinetuneEventsInput!) {
        getFinetuneEvents(getFinetuneEventsData: $data) { eventType eventTime eventMessage } }"""
    assert "CREATED" == caller.send(document, data={"name": name})[0]["eventType"]
    caller.statuses(name)


def test_finetunes_are_runs(caller: Caller, config: dict[str, Any]) -> None:
    """A finetuning run is among the runs, with its run type."""
    name = create(caller, config)["name"]
    assert "FINETUNING" == caller.run(name)["runType"]
    caller.statuses(name)


def test_pretrain(caller: Caller, config: dict[str, Any]) -> None:
    """A pretraining run is an ordinary run of its own type."""
    document = """mutation CreatePretrain($data: CreatePretrainInput!) {
        createPretrain(createPretrainData: $data) { name runType } }"""
    data = {
        "model": "databricks/dbrx-9b",
        "trainData": [config["trainDataPath"]],
        "saveFolder": config["saveFolder"],
        "trainingDuration": "2ba",
        "compute": {"gpus": 0},
    }
    (run,) = caller.send(document, data=data)
    assert ("pretrain-dbrx-9b", "PRETRAINING") == (run["name"].rpartition("-")[0], run["runType"])
    assert "COMPLETED" == caller.statuses(run["name"])[-1], caller.logs(run["name"]).decode()
