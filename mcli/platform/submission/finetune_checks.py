"""Finetuning and pretraining requests: their checks, and the run that each becomes."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.submission import trainer
from mcli.platform.submission.checks import LONGEST_STEM
from mcli.platform.submission.inputs import user_name
from mcli.platform.submission.trainer import DURATION, local_path
from mcli.platform.values import given

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["access_problem", "executable", "finetune_run", "pretrain_run"]

STEMS = {
    "INSTRUCTION_FINETUNE": "ift",
    "CONTINUED_PRETRAIN": "contd-pretrain",
    "CHAT_COMPLETION": "chat",
}
"""First part of a finetuning run's name, by task type."""

STAND_IN = "exec mcli-stand-in-trainer"
"""The command of such runs by default, as it is stored: `executable` says what it stands for when a run starts."""

_STAND_IN_OF_OLD = re.compile(r"exec \S+ -I \S+/trainer\.py")
"""The same as earlier versions stored it, with the paths of their installation."""

IMAGE = "mosaicml/llm-foundry:latest"

_MODEL = re.compile(r"[\w.-]+/[\w.-]+")
_DATASET = re.compile(r"[\w.-]+(/[\w.-]+){1,2}")
_REMOTE = re.compile(r"(s3|gs|oci|hf)://.+|dbfs:/.+")
_VOLUME = re.compile(r"dbfs:/Volumes/[^/]+/[^/]+/[^/]+/.+")


def finetune_run(config: Mapping[str, Any], *, command: str = STAND_IN) -> dict[str, Any]:
    """Return the run input of a `FinetuneConfigInput`; its `runName` still wants a suffix.

    The request is the parameters file of the run, with the Python names of its fields.

    Args:
        config: What the user sent.
        command: What trains.

    Raises:
        RequestError: 400 for a request that cannot be trained.

    >>> config = {"model": "mosaicml/mpt-7b", "trainDataPath": "a/b/train", "saveFolder": "s3://bucket/out"}
    >>> finetune_run(config)["runName"]
    'ift-mpt-7b'
    """
    task = config.get("taskType") or "INSTRUCTION_FINETUNE"
    _check_common(config)
    _check_data(config, "trainDataPath", task)
    if config.get("evalDataPath") is not None:
        _check_data(config, "evalDataPath", task)
    if any(not prompt for prompt in config.get("evalPrompts") or ()):
        raise _bad("eval_prompts must not hold an empty prompt")
    _check_positive(config, "learningRate", "contextLength")
    request = {"taskType": task, "trainingDuration": "1ep", "learningRate": 5e-7} | given(config)
    return _run(STEMS[task], request, {"gpus": 0}, command)


def pretrain_run(data: Mapping[str, Any], *, command: str = STAND_IN) -> dict[str, Any]:
    """Return the run input of a `CreatePretrainInput`; its `runName` still wants a suffix.

    Raises:
        RequestError: 400 for a request that cannot be trained.
    """
    _check_common(data)
    _check_mixture(data.get("trainData"))
    if not given(data.get("compute") or {}):
        raise _bad("compute is a required field")
    _check_positive(data.get("parameters") or {}, "learningRate", "contextLength", "vocabSize")
    request = {"trainingDuration": "1ep"} | given(data)
    request["parameters"] = {"learningRate": 5e-7} | given(data.get("parameters") or {})
    return _run("pretrain", request, given(data["compute"]), command)


def executable(command: str) -> str:
    """Return a stored command as it is executed here and now.

    A small trainer of this installation takes the place of the platform's; runs outlive installations.

    >>> executable("composer train.py")
    'composer train.py'
    """
    if command != STAND_IN and not _STAND_IN_OF_OLD.fullmatch(command):
        return command
    return f"exec {shlex.quote(sys.executable)} -I {shlex.quote(trainer.__file__)}"


def access_problem(config: Mapping[str, Any], variables: Mapping[str, str]) -> str | None:
    """Return a sentence about the first thing that a run of `config` may not read, write or track; None if all is well.

    Args:
        config: A `FinetuneConfigInput`; of its places only those on this machine can be looked at.
        variables: Those that the user's secrets set.
    """
    return next(_access_problems(config, variables), None)


def _access_problems(config: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[str]:
    for field in ("trainDataPath", "evalDataPath", "customWeightsPath"):
        path = local_path(config.get(field))
        if path is not None and not os.access(path, os.R_OK):
            yield f"{user_name(field)} {str(path)!r} does not exist or cannot be read."
    folder = local_path(config.get("saveFolder"))
    if folder is not None and not _is_writable(folder):
        yield f"save_folder {str(folder)!r} cannot be written."
    tracker = given(config.get("experimentTracker") or {})
    if "wandb" in tracker and "WANDB_API_KEY" not in variables:
        yield "Experiment tracker wandb needs a secret that sets WANDB_API_KEY."
    if "mlflow" in tracker and _tracking_uri(tracker) == "databricks" and "DATABRICKS_TOKEN" not in variables:
        yield "Experiment tracker mlflow needs a databricks secret."


def _is_writable(folder: Path) -> bool:
    # unlike Path.exists, these bear names that are too long
    there = next((path for path in (folder, *folder.parents) if os.path.exists(path)), folder)  # noqa: PTH110 - ^
    return os.path.isdir(there) and os.access(there, os.W_OK)  # noqa: PTH112 - ^


def _bad(what: str) -> RequestError:
    return RequestError(400, f"Bad training request: {what}")


def _check_common(request: Mapping[str, Any]) -> None:
    model = request.get("model")
    if not model or not _MODEL.fullmatch(model):
        raise _bad(f"model must be named like 'mosaicml/mpt-7b', not {model!r}")
    folder = str(request.get("saveFolder") or "")
    if not _REMOTE.fullmatch(folder) and local_path(folder) is None:
        raise _bad(f"save_folder must be a path like 's3://bucket/folder', not {folder!r}")
    for field in ("saveFolder", "trainDataPath", "evalDataPath"):
        _check_volume(field, str(request.get(field) or ""))
    duration = request.get("trainingDuration")
    if duration is not None and (not DURATION.fullmatch(duration) or not int(re.sub(r"\D", "", duration))):
        raise _bad(f"training_duration must be like '1ep', '100ba' or '1_000_000tok', not {duration!r}")


def _check_volume(field: str, path: str) -> None:
    if path.startswith("dbfs:/Volumes") and not _VOLUME.fullmatch(path):
        form = "dbfs:/Volumes/<catalog>/<schema>/<volume>/<path>"
        raise _bad(f"{user_name(field)} must be '{form}', not {path!r}")


def _check_data(config: Mapping[str, Any], field: str, task: str) -> None:
    name, text = user_name(field), str(config.get(field) or "")
    stored = bool(_REMOTE.fullmatch(text)) or local_path(text) is not None
    if task == "CONTINUED_PRETRAIN":
        if not stored or text.endswith(".jsonl"):
            raise _bad(f"{name} of a continued pretraining must be a folder of text files, not {text!r}")
    elif stored and not text.endswith(".jsonl"):
        raise _bad(f"{name} must be a .jsonl file, not {text!r}")
    elif not stored and not _DATASET.fullmatch(text):
        raise _bad(f"{name} must be a .jsonl file or a Hugging Face dataset 'owner/name/split', not {text!r}")


def _check_positive(request: Mapping[str, Any], *fields: str) -> None:
    for field in fields:
        value = request.get(field)
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise _bad(f"{user_name(field)} must be more than 0, not {value}")


def _check_mixture(train_data: object) -> None:
    match train_data:
        case [*paths] if paths and all(isinstance(path, str) and path for path in paths):
            return
        case {**sources} if sources:
            total = sum(map(_proportion, sources.values()))
            if abs(total - 1) > 1e-6:
                raise _bad(f"the proportions of train_data must sum to 1, not to {total:g}")
        case _:
            raise _bad("train_data must be a list of paths, or an object of {name: {path, proportion}}")


def _proportion(source: object) -> float:
    match source:
        case {"path": str(path), "proportion": int() | float() as proportion} if path and 0 < proportion <= 1:
            return proportion
    raise _bad("each source of train_data must have a path, and a proportion of more than 0 and at most 1")


def _run(stem: str, request: dict[str, Any], compute: dict[str, Any], command: str) -> dict[str, Any]:
    return {
        "runName": f"{stem}-{_slug(request['model'])}"[:LONGEST_STEM].strip("-"),
        "image": IMAGE,
        "command": command,
        "compute": compute,
        "integrations": list(_trackers(given(request.get("experimentTracker") or {}))),
        "parameters": _python_names(request),
    }


def _slug(model: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", model.rsplit("/", 1)[-1].lower())


def _trackers(tracker: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "wandb" in tracker:
        yield {"type": "wandb", "params": given(tracker["wandb"])}
    if "mlflow" in tracker:
        experiment = tracker["mlflow"].get("experimentPath")
        yield {
            "type": "mlflow",
            "params": {"experimentName": experiment, "trackingUri": _tracking_uri(tracker)},
        }


def _tracking_uri(tracker: Mapping[str, Any]) -> str:
    return str(tracker["mlflow"].get("trackingUri") or "databricks")


def _python_names(request: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the fields of a request; names inside `trainData` and `dataPrepConfig` are the user's own."""
    named = {}
    for key, value in given(request).items():
        name = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
        is_ours = isinstance(value, Mapping) and key not in {"trainData", "dataPrepConfig"}
        named[name] = _python_names(value) if is_ours else value
    return named
