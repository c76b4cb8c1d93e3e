"""What is asked of a finetuning run: `FinetuneConfig`, from and to the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mcli_mapi import enums
from mcli_mapi.input_types import FinetuneConfigInput

from mcli import _training_arguments as check
from mcli._arguments import flag, member
from mcli._training_arguments import ExperimentTracker, MlflowTracker, WandbTracker
from mcli.exceptions import ValidationError

if TYPE_CHECKING:
    from mcli_mapi.fragments import FinetuneDetailsFields

__all__ = ["ExperimentTracker", "FinetuneConfig", "FinetuneTaskType", "MlflowTracker", "WandbTracker"]


class FinetuneTaskType(StrEnum):
    """Kinds of finetuning.

    >>> FinetuneTaskType("CONTINUED_PRETRAIN").value
    'CONTINUED_PRETRAIN'
    """

    INSTRUCTION_FINETUNE = "INSTRUCTION_FINETUNE"
    """Rows with a prompt and a response."""
    CONTINUED_PRETRAIN = "CONTINUED_PRETRAIN"
    """Raw text."""
    CHAT_COMPLETION = "CHAT_COMPLETION"
    """Rows with the messages of a chat."""


@dataclass
class FinetuneConfig:
    """What is asked of a finetuning run; see `create_finetuning_run` for what each part means.

    >>> FinetuneConfig("mosaicml/mpt-7b", "s3://my-bucket/train.jsonl", "s3://my-bucket/out").task_type
    <FinetuneTaskType.INSTRUCTION_FINETUNE: 'INSTRUCTION_FINETUNE'>
    """

    model: str
    train_data_path: str
    save_folder: str
    task_type: str = FinetuneTaskType.INSTRUCTION_FINETUNE
    """A `FinetuneTaskType`, or the text of a newer platform."""
    eval_data_path: str | None = None
    eval_prompts: list[str] | None = None
    custom_weights_path: str | None = None
    training_duration: str | None = None
    learning_rate: float | None = None
    context_length: int | None = None
    """Tokens."""
    experiment_tracker: ExperimentTracker | dict[str, Any] | None = None
    disable_credentials_check: bool | None = None
    """Sent; platforms do not tell of it."""


def finetune_input(config: FinetuneConfig) -> FinetuneConfigInput:
    """Return the `config` of a create request; what is None is not in it.

    Raises:
        ValidationError: A value has a wrong type, or makes no sense.
    """
    task = _task_type(config.task_type)
    data = check.path if task is FinetuneTaskType.CONTINUED_PRETRAIN else check.dataset
    sent = FinetuneConfigInput(
        model=check.text("model", config.model),
        train_data_path=data("train_data_path", config.train_data_path),
        save_folder=check.path("save_folder", config.save_folder),
        task_type=enums.FinetuneTaskType(task.value),
    )
    if config.eval_data_path is not None:
        sent.eval_data_path = data("eval_data_path", config.eval_data_path)
    if config.eval_prompts is not None:
        sent.eval_prompts = check.texts("eval_prompts", config.eval_prompts)
    if config.custom_weights_path is not None:
        sent.custom_weights_path = check.path("custom_weights_path", config.custom_weights_path)
    if config.training_duration is not None:
        sent.training_duration = check.duration("training_duration", config.training_duration)
    if config.learning_rate is not None:
        sent.learning_rate = check.positive("learning_rate", config.learning_rate)
    if config.context_length is not None:
        sent.context_length = check.whole("context_length", config.context_length)
    if config.experiment_tracker is not None:
        sent.experiment_tracker = check.experiment_tracker(config.experiment_tracker)
    if config.disable_credentials_check is not None:
        sent.disable_credentials_check = flag("disable_credentials_check", config.disable_credentials_check)
    return sent


def _task_type(value: str) -> FinetuneTaskType:
    try:
        return member(FinetuneTaskType, value, "task_type")
    except (TypeError, ValueError) as error:
        raise ValidationError(str(error)) from None


def finetune_config_of(details: FinetuneDetailsFields) -> FinetuneConfig:
    """Read what was asked of a finetuning run."""
    task = details.task_type or FinetuneTaskType.INSTRUCTION_FINETUNE
    known = FinetuneTaskType.__members__
    return FinetuneConfig(
        model=details.model,
        train_data_path=details.train_data_path,
        save_folder=details.save_folder,
        task_type=known.get(task.value, task.value),
        eval_data_path=details.eval_data_path,
        eval_prompts=details.eval_prompts,
        custom_weights_path=details.custom_weights_path,
        training_duration=details.training_duration,
        learning_rate=details.learning_rate,
        context_length=details.context_length,
        experiment_tracker=check.our_tracker(details.experiment_tracker),
    )
