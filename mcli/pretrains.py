"""Pretraining: runs that train a model from the start. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from mcli_mapi.input_types import (
    ComputeInput,
    CreatePretrainInput,
    PretrainEvalInput,
    PretrainParametersInput,
    TokenizerInput,
)

from mcli import _training_arguments as check
from mcli._arguments import given
from mcli._core.operations import mutation
from mcli._core.paging import the_one
from mcli._core.transport import mapi
from mcli._run_values import runs_of
from mcli.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from mcli_mapi.client import Mapi

    from mcli._run_sections import ComputeConfig
    from mcli._training_arguments import ExperimentTracker
    from mcli.run import Run

__all__ = ["DataSource", "PretrainEval", "PretrainParameters", "Tokenizer", "create_pretraining_run"]


class DataSource(TypedDict):
    """One dataset of several that a model is trained on."""

    path: str
    """Where it is."""
    proportion: float
    """Its part of the training data; those of all datasets add up to 1."""


class Tokenizer(TypedDict, total=False):
    """A tokenizer to use instead of the model's."""

    name: str
    model_max_length: int
    """Tokens."""
    model_input_names: list[str]
    trust_remote_code: bool


class PretrainParameters(TypedDict, total=False):
    """How a model is trained."""

    learning_rate: float
    """Peak learning rate; default 5e-7."""
    context_length: int
    """Tokens after which data are truncated; default: the model's."""
    vocab_size: int


class PretrainEval(TypedDict, total=False):
    """How a model is evaluated while it is trained."""

    data_path: str
    """Where the evaluation data are."""
    prompts: str | list[str]
    """Prompts to answer at each checkpoint."""


@mutation
def create_pretraining_run(
    model: str,
    train_data: Iterable[str] | Mapping[str, DataSource | dict[str, Any]],
    save_folder: str,
    *,
    compute: ComputeConfig | dict[str, Any] | None = None,
    tokenizer: Tokenizer | dict[str, Any] | None = None,
    training_duration: str | None = None,
    parameters: PretrainParameters | dict[str, Any] | None = None,
    eval: PretrainEval | dict[str, Any] | None = None,  # noqa: A002 - the page's name
    experiment_tracker: ExperimentTracker | dict[str, Any] | None = None,
    custom_weights_path: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, Run]:
    """Train a model from the start, or from a checkpoint.

    Args:
        model: Name of the Hugging Face model.
        train_data: Paths, or datasets by name, each with its path and proportion:
            `{"web": {"path": "s3://bucket/web", "proportion": 0.8}, "code": {…}}`.
        save_folder: Where checkpoints are saved, below `<save_folder>/<run name>`, e.g. `s3://bucket/checkpoints`.
        compute: Where to train, and on how much; platforms ask for it for now. See `ComputeConfig`.
        tokenizer: What to use instead of the model's; see `Tokenizer`.
        training_duration: In epochs, batches or tokens: `1ep` (the default), `100ba`, `1_000_000tok`.
        parameters: `learning_rate` (peak; default 5e-7; text is taken too, because YAML reads `5e-7` as text),
            `context_length` (tokens after which data are truncated; default: the model's) and `vocab_size`.
        eval: Evaluation data and prompts; see `PretrainEval`.
        experiment_tracker: Where metrics are logged, e.g. `{"wandb": {"project": "my-project"}}`.
        custom_weights_path: Where the Composer checkpoint is that the training begins with. Default: the model's
            weights.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, of type PRETRAINING, with details. Its name has the model's, and a suffix that makes it unique.

    Raises:
        ValidationError: An argument makes no sense, e.g. proportions that do not add up to 1.
        MAPIException: The platform refused it, or could not be asked.
        OutcomeUnknown: The connection failed after the request was sent.

    >>> import mcli
    >>> run = mcli.create_pretraining_run(
    ...     "mosaicml/mpt-7b", ["s3://my-bucket/data"], "s3://my-bucket/checkpoints", compute={"gpus": 0}
    ... )
    >>> run.run_type
    <RunType.PRETRAINING: 'PRETRAINING'>
    """
    sent = CreatePretrainInput(
        model=check.text("model", model),
        train_data=_train_data(train_data),
        save_folder=check.path("save_folder", save_folder),
        compute=check.made(ComputeInput, "compute", {} if compute is None else compute),
        parameters=_parameters({} if parameters is None else parameters),
        eval=_evaluation({} if eval is None else eval),
    )
    if tokenizer is not None:
        sent.tokenizer = check.made(TokenizerInput, "tokenizer", tokenizer)
    if training_duration is not None:
        sent.training_duration = check.duration("training_duration", training_duration)
    if experiment_tracker is not None:
        sent.experiment_tracker = check.experiment_tracker(experiment_tracker)
    if custom_weights_path is not None:
        sent.custom_weights_path = check.path("custom_weights_path", custom_weights_path)
    return the_one(
        _created(mapi(), sent), (500, "The platform answered without the run that it was to create.")
    )


async def _created(client: Mapi, sent: CreatePretrainInput) -> list[Run]:
    return runs_of((await client.create_pretrain(sent)).create_pretrain)


def _train_data(data: object) -> list[str] | dict[str, DataSource]:
    if not isinstance(data, Mapping):
        paths = check.texts("train_data", data)
        if not paths:
            raise ValidationError("train_data must not be empty")
        return [check.located(each) for each in paths]
    sources = {str(name): _source(f"train_data[{name!r}]", source) for name, source in data.items()}
    total = math.fsum(source["proportion"] for source in sources.values())
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise ValidationError(f"the proportions of train_data must add up to 1, not to {total:g}")
    return sources


def _source(what: str, source: object) -> DataSource:
    if not isinstance(source, Mapping) or set(source) != {"path", "proportion"}:
        raise ValidationError(f"{what} must be a mapping with 'path' and 'proportion', and nothing else")
    return DataSource(
        path=check.located(check.text(f"{what}['path']", source["path"])),
        proportion=check.positive(f"{what}['proportion']", source["proportion"]),
    )


def _parameters(values: object) -> PretrainParametersInput:
    if isinstance(values, Mapping):
        values = {name: _parameter(name, value) for name, value in given(values).items()}
    return check.made(PretrainParametersInput, "parameters", values)


def _parameter(name: str, value: object) -> object:
    checks = {"learning_rate": check.positive, "context_length": check.whole, "vocab_size": check.whole}
    return checks[name](f"parameters.{name}", value) if name in checks else value


def _evaluation(values: object) -> PretrainEvalInput:
    evaluation = check.made(PretrainEvalInput, "eval", values)
    if evaluation.data_path:
        evaluation.data_path = check.located(evaluation.data_path)
    if evaluation.prompts is not None and not isinstance(evaluation.prompts, str):
        evaluation.prompts = check.texts("eval.prompts", evaluation.prompts)
    return evaluation
