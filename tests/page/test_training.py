"""The page's parts on pretraining and finetuning."""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING, Any

import mcli
from mcli import Finetune, RunStatus, RunType
from mcli.exceptions import ValidationError
from tests.page.claims import claims, error, kind, sent

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL, DATA, FOLDER = "mosaicml/mpt-7b", "s3://my-bucket/my-data.jsonl", "s3://my-bucket/my-checkpoints"
MIXTURE = {
    "dataset1": {"path": "path/to/dataset1", "proportion": 0.8},
    "dataset2": {"path": "path/to/dataset2", "proportion": 0.2},
}
TRACKERS: dict[str, dict[str, Any]] = {
    "wandb": {"project": "my-project", "entity": "my-entity"},
    "mlflow": {"experiment_path": "my-experiment", "model_registry_path": "catalog.schema.model_name"},
}


def pretraining(train_data: Any = (DATA,), folder: str = FOLDER, **more: Any) -> dict[str, Any]:
    """Return what a request for a pretraining run says."""
    return dict(
        sent(lambda: mcli.create_pretraining_run(MODEL, train_data, folder, **more))["createPretrainData"]
    )


def finetuning(data: Any = DATA, folder: str = FOLDER, **more: Any) -> dict[str, Any]:
    """Return what a request for a finetuning run says."""
    return dict(
        sent(lambda: mcli.create_finetuning_run(MODEL, data, folder, **more))["createFinetuneData"]["config"]
    )


@functools.cache
def pretrained() -> mcli.Run:
    made = mcli.create_pretraining_run(MODEL, [DATA], FOLDER, compute={"gpus": 0})
    mcli.stop_run(made)
    return made


def parameters() -> dict[str, Any]:
    submitted = pretrained().submitted_config
    assert submitted
    return submitted.parameters


@claims(
    ("create_pretraining_run gives a Run", RunType.PRETRAINING, lambda: pretrained().run_type),
    ("model is the name of a Hugging Face model", MODEL, lambda: pretraining()["model"]),
    ("model is required", TypeError, lambda: kind(lambda: mcli.create_pretraining_run(train_data=[DATA], save_folder=FOLDER))),
    ("train_data may be a list of paths", [DATA], lambda: pretraining()["trainData"]),
    ("train_data may be a mapping of datasets to path and proportion", MIXTURE, lambda: pretraining(MIXTURE)["trainData"]),
    ("proportions add up to 1", ValidationError, lambda: kind(lambda: pretraining({"a": {"path": "p", "proportion": 0.8}}))),
    ("train_data is required", TypeError, lambda: kind(lambda: mcli.create_pretraining_run(MODEL, save_folder=FOLDER))),
    *((f"save_folder may begin with {prefix}", f"{prefix}bucket/a", partial(lambda p: pretraining(folder=f"{p}bucket/a")["saveFolder"], prefix))
      for prefix in ("s3://", "gs://", "oci://")),
    ("save_folder begins with the prefix of a cloud provider", ValidationError, lambda: kind(lambda: pretraining(folder="bucket/a"))),
    ("save_folder is required", TypeError, lambda: kind(lambda: mcli.create_pretraining_run(MODEL, [DATA]))),
    ("compute is the compute configuration to use", {"gpus": 8}, lambda: pretraining(compute={"gpus": 8})["compute"]),
    ("compute is required by the platform for now", 400, lambda: error(lambda: mcli.create_pretraining_run(MODEL, [DATA], FOLDER)).status),
    ("tokenizer is the tokenizer's configuration", {"name": "t"}, lambda: pretraining(tokenizer={"name": "t"})["tokenizer"]),
    ("without a tokenizer the model's is used", False, lambda: "tokenizer" in pretraining()),
    *((f"training_duration may be {each}", each, partial(lambda d: pretraining(training_duration=d)["trainingDuration"], each))
      for each in ("100ba", "10ep", "1_000_000tok")),
    ("training_duration is 1ep by default", "1ep", lambda: parameters()["training_duration"]),
    ("parameters take a learning rate", 1e-5, lambda: pretraining(parameters={"learning_rate": 1e-5})["parameters"]["learningRate"]),
    ("the learning rate is 5e-7 by default", 5e-7, lambda: parameters()["parameters"]["learning_rate"]),
    ("parameters take a context length", 2048, lambda: pretraining(parameters={"context_length": 2048})["parameters"]["contextLength"]),
    ("the context length is the model's by default", False, lambda: "context_length" in parameters()["parameters"]),
    *((f"experiment_tracker takes {name}", True, partial(lambda n, t: n in pretraining(experiment_tracker={n: t})["experimentTracker"], name, tracker))
      for name, tracker in TRACKERS.items()),
    ("eval is the configuration of the evaluation", {"dataPath": "s3://b/e"}, lambda: pretraining(eval={"data_path": "s3://b/e"})["eval"]),
    ("custom_weights_path is a checkpoint to resume from", "s3://b/w", lambda: pretraining(custom_weights_path="s3://b/w")["customWeightsPath"]),
)  # fmt: skip
def test_pretraining(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of pretraining."""
    assert expected == seen()


@functools.cache
def finetuned() -> Finetune:
    return mcli.create_finetuning_run(
        MODEL, DATA, FOLDER, training_duration="1ba", disable_credentials_check=True
    )


@functools.cache
def ended() -> Finetune:
    mcli.wait_for_run_status(finetuned().name, "completed", timeout=180)
    (found,) = mcli.get_finetuning_runs([finetuned()], include_details=True)
    return found


def defaults() -> dict[str, Any]:
    """Return what a finetuning run is trained with."""
    submitted = mcli.get_run(finetuned().name).submitted_config
    assert submitted
    return submitted.parameters


@claims(
    ("create_finetuning_run gives a Finetune", Finetune, lambda: type(finetuned())),
    ("model is the name of a Hugging Face model", MODEL, lambda: finetuning()["model"]),
    ("train_data_path is a remote location", DATA, lambda: finetuning()["trainDataPath"]),
    ("train_data_path may be a Hugging Face dataset with its split", "mosaicml/dolly_hhrlhf/test",
        lambda: finetuning("mosaicml/dolly_hhrlhf/test")["trainDataPath"]),
    ("train_data_path is neither without a prefix nor a split", ValidationError, lambda: kind(lambda: finetuning("data"))),
    *((f"save_folder may begin with {prefix}", f"{prefix}bucket/a", partial(lambda p: finetuning(folder=f"{p}bucket/a")["saveFolder"], prefix))
      for prefix in ("s3://", "gs://", "oci://")),
    ("save_folder begins with the prefix of a cloud provider", ValidationError, lambda: kind(lambda: finetuning(folder="bucket/a"))),
    ("task_type is INSTRUCTION_FINETUNE by default", "INSTRUCTION_FINETUNE", lambda: finetuning()["taskType"]),
    ("task_type may be CONTINUED_PRETRAIN", "CONTINUED_PRETRAIN",
        lambda: finetuning("s3://b/folder/", task_type="CONTINUED_PRETRAIN")["taskType"]),
    ("task_type may not be anything else", ValidationError, lambda: kind(lambda: finetuning(task_type="PRETRAIN"))),
    ("CONTINUED_PRETRAIN takes no Hugging Face dataset", ValidationError,
        lambda: kind(lambda: finetuning("mosaicml/dolly_hhrlhf/test", task_type="CONTINUED_PRETRAIN"))),
    ("eval_data_path is a remote location", "s3://b/e.jsonl", lambda: finetuning(eval_data_path="s3://b/e.jsonl")["evalDataPath"]),
    ("eval_data_path may be a Hugging Face dataset", "mosaicml/dolly_hhrlhf/test",
        lambda: finetuning(eval_data_path="mosaicml/dolly_hhrlhf/test")["evalDataPath"]),
    ("there is no evaluation by default", False, lambda: "evalDataPath" in finetuning()),
    ("eval_prompts is a list of prompts", ["Who?"], lambda: finetuning(eval_prompts=["Who?"])["evalPrompts"]),
    ("there are no prompts by default", False, lambda: "evalPrompts" in finetuning()),
    ("custom_weights_path is a checkpoint", "s3://b/w", lambda: finetuning(custom_weights_path="s3://b/w")["customWeightsPath"]),
    ("the model's weights are used by default", False, lambda: "customWeightsPath" in finetuning()),
    *((f"training_duration may be {each}", each, partial(lambda d: finetuning(training_duration=d)["trainingDuration"], each))
      for each in ("100ba", "10ep", "1_000_000tok")),
    ("the learning rate may be given", 1e-5, lambda: finetuning(learning_rate=1e-5)["learningRate"]),
    ("the learning rate may be a text", 5e-7, lambda: finetuning(learning_rate="5e-7")["learningRate"]),
    ("the learning rate is 5e-7 by default", 5e-7, lambda: defaults()["learning_rate"]),
    ("the context length may be given", 2048, lambda: finetuning(context_length=2048)["contextLength"]),
    ("the context length is the model's by default", False, lambda: "contextLength" in finetuning()),
    *((f"experiment_tracker takes {name}", True, partial(lambda n, t: n in finetuning(experiment_tracker={n: t})["experimentTracker"], name, tracker))
      for name, tracker in TRACKERS.items()),
    ("the check of credentials can be disabled", True, lambda: finetuning(disable_credentials_check=True)["disableCredentialsCheck"]),
    ("the check of credentials is the platform's default", False, lambda: "disableCredentialsCheck" in finetuning()),
    ("the id of a Finetune is there", True, lambda: bool(finetuned().id)),
    ("the name of a Finetune has the model's", True, lambda: "mpt-7b" in finetuned().name),
    ("the status of a Finetune is a RunStatus", RunStatus, lambda: type(finetuned().status)),
    ("a Finetune tells when it was created and updated", True, lambda: finetuned().updated_at >= finetuned().created_at),
    ("created_by is the email of the user", True, lambda: finetuned().created_by == mcli.get_current_user().email),
    ("a Finetune that has ended is COMPLETED", RunStatus.COMPLETED, lambda: ended().status),
    ("a Finetune that has ended tells when it started and ended", True, lambda: ended().started_at <= ended().completed_at),
    ("a Finetune tells its model", MODEL, lambda: ended().model),
    ("a Finetune tells where its checkpoints are", FOLDER, lambda: ended().save_folder),
    ("a Finetune tells its training data", DATA, lambda: ended().train_data_path),
    ("a Finetune tells what was submitted", "1ba", lambda: ended().submitted_config.training_duration),
    ("a Finetune tells what happened to it", True, lambda: bool(ended().events)),
)  # fmt: skip
def test_finetuning(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of finetuning."""
    assert expected == seen()
