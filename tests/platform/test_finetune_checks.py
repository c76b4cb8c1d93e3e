"""Requests to train, their checks and the runs that they become."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from mcli.platform.errors import RequestError
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.scheduling.demand import resolve
from mcli.platform.submission import trainer
from mcli.platform.submission.checks import check_run
from mcli.platform.submission.finetune_checks import (
    STAND_IN,
    access_problem,
    executable,
    finetune_run,
    pretrain_run,
)
from mcli.platform.submission.inputs import user_name

CONFIG = {"model": "mosaicml/mpt-7b", "trainDataPath": "owner/name/train", "saveFolder": "s3://bucket/out"}
DATA = {
    "model": "databricks/dbrx-9b",
    "trainData": ["s3://bucket/a", "s3://bucket/b"],
    "saveFolder": "s3://bucket/out",
    "compute": {"gpus": 8, "cluster": None},
}


def refusal(**changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        finetune_run({**CONFIG, **changes})
    assert caught.value.code == 400
    return caught.value.message


def pretrain_refusal(**changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        pretrain_run({**DATA, **changes})
    assert caught.value.code == 400
    return caught.value.message


def problem(**changes: Any) -> str | None:
    return access_problem({**CONFIG, **changes}, {"OTHER": "x"})


@pytest.mark.parametrize("run", [finetune_run(CONFIG), pretrain_run(DATA)])
def test_the_run_is_a_good_run(run: dict[str, Any]) -> None:
    """What a request becomes passes the checks of any run, and fits a cluster."""
    check_run(run)
    assert resolve(run, virtual(1, 8)).nodes == 1


@pytest.mark.parametrize(
    ("task", "model", "stem"),
    [
        (None, "mosaicml/mpt-7b-8k", "ift-mpt-7b-8k"),
        (
            "CONTINUED_PRETRAIN",
            "mistralai/Mistral-7B-Instruct-v0.2",
            "contd-pretrain-mistral-7b-instruct-v0-2",
        ),
        ("CHAT_COMPLETION", "meta/Llama_2", "chat-llama-2"),
        ("INSTRUCTION_FINETUNE", f"a/{'long.' * 30}", f"ift-{'long-' * 10}lo"),
    ],
)
def test_names_come_from_task_and_model(task: str | None, model: str, stem: str) -> None:
    """The stem is the task's and the model's name in the characters of run names, not too long."""
    data = "s3://bucket/texts" if task == "CONTINUED_PRETRAIN" else "s3://bucket/rows.jsonl"
    assert (
        finetune_run({**CONFIG, "taskType": task, "model": model, "trainDataPath": data})["runName"] == stem
    )


def test_parameters_have_the_names_of_the_page() -> None:
    """The parameters file holds the request under its Python names, with the defaults filled in."""
    tracker = {"mlflow": {"experimentPath": "/x", "modelRegistryPath": None}}
    parameters = finetune_run({**CONFIG, "experimentTracker": tracker, "dataPrepConfig": {"aB": 1}})[
        "parameters"
    ]
    assert parameters == {
        "model": "mosaicml/mpt-7b",
        "train_data_path": "owner/name/train",
        "save_folder": "s3://bucket/out",
        "task_type": "INSTRUCTION_FINETUNE",
        "training_duration": "1ep",
        "learning_rate": 5e-7,
        "experiment_tracker": {"mlflow": {"experiment_path": "/x"}},
        "data_prep_config": {"aB": 1},
    }


def test_trackers_become_integrations() -> None:
    """An experiment tracker sets the variables that its integration sets in any run."""
    tracker = {"wandb": {"project": "p", "entity": "e"}, "mlflow": {"experimentPath": "/x"}}
    assert finetune_run({**CONFIG, "experimentTracker": tracker})["integrations"] == [
        {"type": "wandb", "params": {"project": "p", "entity": "e"}},
        {"type": "mlflow", "params": {"experimentName": "/x", "trackingUri": "databricks"}},
    ]


def test_no_run_stores_a_path_of_the_installation() -> None:
    """What is stored about a training run holds no path, so that another installation can start it again."""
    stored = json.dumps(finetune_run(CONFIG))
    assert (sys.prefix in stored, str(Path(trainer.__file__).parent) in stored) == (False, False)


@pytest.mark.parametrize("stored", [STAND_IN, "exec /gone/bin/python -I /gone/mcli/local/trainer.py"])
def test_the_trainer_is_the_one_of_this_installation(stored: str) -> None:
    """The mark of the stand-in trainer, or the paths of an installation that moved, mean the trainer that is here."""
    assert executable(stored) == f"exec {shlex.quote(sys.executable)} -I {shlex.quote(trainer.__file__)}"


def test_other_commands_are_executed_as_they_are() -> None:
    """Only the mark of the trainer stands for something else."""
    assert executable("composer train.py") == "composer train.py"


def test_the_command_can_be_another() -> None:
    """The command that trains is the caller's to choose."""
    assert finetune_run(CONFIG, command="composer train.py")["command"] == "composer train.py"


@pytest.mark.parametrize("model", ["", None, "mpt-7b", "a/b/c", "a b/c"])
def test_models_are_named_by_owner_and_name(model: str | None) -> None:
    """Any model with an owner and a name is accepted, anything else refused."""
    assert "model must be named like" in refusal(model=model)


@pytest.mark.parametrize(
    "path", ["s3://b/x.jsonl", "dbfs:/Volumes/c/s/v/x.jsonl", "/data/x.jsonl", "a/b", "a/b/c"]
)
def test_training_data_may_be(path: str) -> None:
    """Rows are a .jsonl file or a split of a Hugging Face dataset."""
    assert finetune_run({**CONFIG, "trainDataPath": path})["parameters"]["train_data_path"] == path


@pytest.mark.parametrize(
    "path", ["", "s3://b/x.csv", "name", "a/b/c/d", "dbfs:/Volumes/c/x.jsonl", "/data/x.txt"]
)
def test_training_data_may_not_be(path: str) -> None:
    """Other files, other names and incomplete volumes are refused, and the field is named."""
    assert "train_data_path" in refusal(trainDataPath=path)


@pytest.mark.parametrize("path", ["a/b/train", "s3://b/x.jsonl"])
def test_continued_pretraining_wants_texts(path: str) -> None:
    """Continued pretraining refuses rows and datasets."""
    assert "folder of text files" in refusal(taskType="CONTINUED_PRETRAIN", trainDataPath=path)


@pytest.mark.parametrize("duration", ["1ep", "100ba", "1_000_000tok"])
def test_durations_may_be(duration: str) -> None:
    """Durations are epochs, batches or tokens; underscores are allowed."""
    run = finetune_run({**CONFIG, "trainingDuration": duration})
    assert run["parameters"]["training_duration"] == duration


@pytest.mark.parametrize("duration", ["", "1", "ep", "0ep", "-1ep", "1.5ep", "1epoch", "_1ba"])
def test_durations_may_not_be(duration: str) -> None:
    """Other units, no number and zero are refused."""
    assert "training_duration must be like" in refusal(trainingDuration=duration)


@pytest.mark.parametrize(
    "changes",
    [
        {"saveFolder": "out"},
        {"saveFolder": ""},
        {"learningRate": 0},
        {"learningRate": float("inf")},
        {"contextLength": -1},
        {"evalPrompts": ["a", ""]},
        {"evalDataPath": "x"},
    ],
)
def test_other_fields_are_checked(changes: dict[str, Any]) -> None:
    """A folder that is not a path, numbers that are not positive and empty prompts are refused by name."""
    assert user_name(next(iter(changes))) in refusal(**changes)


@pytest.mark.parametrize(
    "train_data",
    [["s3://a"], {"a": {"path": "s3://a", "proportion": 0.25}, "b": {"path": "s3://b", "proportion": 0.75}}],
)
def test_pretraining_data_may_be(train_data: object) -> None:
    """Pretraining takes a list of paths, or named sources whose proportions sum to 1."""
    assert pretrain_run({**DATA, "trainData": train_data})["parameters"]["train_data"] == train_data


@pytest.mark.parametrize(
    "train_data",
    [
        None,
        [],
        [""],
        {},
        "s3://a",
        {"a": "s3://a"},
        {"a": {"path": "s3://a", "proportion": 0}},
        {"a": {"path": "s3://a", "proportion": 0.5}},
    ],
)
def test_pretraining_data_may_not_be(train_data: object) -> None:
    """Nothing, something else, and proportions that are not positive or do not sum to 1 are refused."""
    assert "train_data" in pretrain_refusal(trainData=train_data)


def test_pretraining_needs_compute() -> None:
    """The empty compute request that clients send for none is refused in the usual words."""
    assert "compute is a required field" in pretrain_refusal(compute={})


def test_pretraining_checks_its_parameters() -> None:
    """Numbers of the model must be positive."""
    assert "vocab_size" in pretrain_refusal(parameters={"vocabSize": 0})


def test_remote_paths_pass_the_credentials_check() -> None:
    """What is elsewhere cannot be looked at, and is no problem."""
    assert problem() is None


def test_missing_data_fail_the_credentials_check(tmp_path: Path) -> None:
    """Training data on this machine must be there."""
    missing = problem(trainDataPath=str(tmp_path / "x.jsonl"))
    assert missing == f"train_data_path '{tmp_path}/x.jsonl' does not exist or cannot be read."


def test_a_save_folder_may_be_made(tmp_path: Path) -> None:
    """A folder that is not there yet passes if it could be made; one below a file does not."""
    (tmp_path / "file").touch()
    assert problem(saveFolder=str(tmp_path / "a" / "b")) is None
    assert (
        problem(saveFolder=str(tmp_path / "file" / "b"))
        == f"save_folder '{tmp_path}/file/b' cannot be written."
    )


@pytest.mark.parametrize(
    ("tracker", "word"),
    [({"wandb": {"project": "p"}}, "WANDB_API_KEY"), ({"mlflow": {"experimentPath": "/x"}}, "databricks")],
)
def test_trackers_need_their_secret(tracker: dict[str, Any], word: str) -> None:
    """A tracker without the secret that it needs fails the credentials check, which names it."""
    assert word in (problem(experimentTracker=tracker) or "")


def test_a_tracker_elsewhere_needs_no_databricks_secret() -> None:
    """MLflow with a tracking server of one's own needs no databricks secret."""
    assert problem(experimentTracker={"mlflow": {"trackingUri": "http://localhost:5000"}}) is None
