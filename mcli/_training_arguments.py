"""What finetuning and pretraining are asked for: checked, and brought into the form of the wire. Pure.

Only what is wrong for every platform is refused here; what it supports is for each platform to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, get_args

from mcli_mapi.base_model import Input
from mcli_mapi.input_types import ExperimentTrackerInput, MlflowInput, WandbInput

from mcli._arguments import given
from mcli._run_sections import TYPE_NAMES, is_of, plain
from mcli._spelling import is_text, kind_of, nearest, shown, snake_case
from mcli.exceptions import ValidationError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = [
    "ExperimentTracker",
    "MlflowTracker",
    "WandbTracker",
    "dataset",
    "duration",
    "experiment_tracker",
    "located",
    "made",
    "our_tracker",
    "path",
    "positive",
    "text",
    "texts",
    "whole",
]

InputT = TypeVar("InputT", bound=Input)

_STORES = "s3://, gs:// or oci://"
_STORED = re.compile(r"(s3|gs|oci|hf)://.+|dbfs:/.+|file:///.+|[/~].*|\.\.?/.*", re.DOTALL)
"""Where data may be: in a cloud's store, or, on a local platform, in this machine's files."""
_HERE = "or, on a local platform, with / or ./"
_DATASET = re.compile(r"[\w.-]+(/[\w.-]+){1,2}")
_TRACKERS: Mapping[str, type[Input]] = {"mlflow": MlflowInput, "wandb": WandbInput}
_DURATION = re.compile(r"[0-9][0-9_]*(ba|ep|tok)")


class MlflowTracker(TypedDict, total=False):
    """Where in MLflow a training run is logged."""

    experiment_path: str
    """Name of the experiment."""
    model_registry_path: str
    """Where checkpoints are registered, e.g. `catalog.schema.model_name`."""
    tracking_uri: str
    """Address of the server; Databricks when it is not given."""


class WandbTracker(TypedDict, total=False):
    """Where in Weights & Biases a training run is logged."""

    project: str
    entity: str
    """Team or user that the project belongs to."""


class ExperimentTracker(TypedDict, total=False):
    """Where the metrics of a training run are logged.

    >>> ExperimentTracker(wandb={"project": "my-project", "entity": "my-team"})
    {'wandb': {'project': 'my-project', 'entity': 'my-team'}}
    """

    mlflow: MlflowTracker
    wandb: WandbTracker


def text(what: str, value: object) -> str:
    """Return a text that is not empty.

    Raises:
        ValidationError: It is not one.
    """
    if not isinstance(value, str) or not value.strip() or not is_text(value):
        raise ValidationError(f"{what} must be a text that is not empty, not {shown(value)}")
    return str.__str__(value)


def texts(what: str, values: object) -> list[str]:
    """Return a list of texts, none of them empty.

    Raises:
        ValidationError: It is not one.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ValidationError(f"{what} must be a list of texts, not {shown(values)}")
    return [text(f"{what}[{at}]", value) for at, value in enumerate(values)]


def path(what: str, value: object) -> str:
    """Return a path to data.

    Raises:
        ValidationError: It has no prefix that says where that is.

    >>> path("save_folder", "s3://bucket/checkpoints")
    's3://bucket/checkpoints'
    """
    place = text(what, value)
    if not _STORED.fullmatch(place):
        raise ValidationError(f"{what} must be a path that begins with {_STORES}, {_HERE}; not {place!r}")
    return located(place)


def dataset(what: str, value: object) -> str:
    """Return a path to data, or the name of a Hugging Face dataset with its split.

    Raises:
        ValidationError: It is neither.

    >>> dataset("train_data_path", "mosaicml/dolly_hhrlhf/train")
    'mosaicml/dolly_hhrlhf/train'
    """
    place = text(what, value)
    if not _STORED.fullmatch(place) and not _DATASET.fullmatch(place):
        raise ValidationError(
            f"{what} must be a path that begins with {_STORES}, {_HERE}, or a Hugging Face dataset such as "
            f"'mosaicml/dolly_hhrlhf/train'; not {place!r}"
        )
    return located(place)


def located(place: str) -> str:
    """Return a path, in full where it is relative to the folder of this program: runs have other folders.

    >>> located("s3://bucket/data"), located("./data") == str(Path.cwd() / "data")
    ('s3://bucket/data', True)
    """
    return str(Path(place).resolve()) if place.startswith(("./", "../")) else place


def duration(what: str, value: object) -> str:
    """Return a length of training, in batches, epochs or tokens.

    Raises:
        ValidationError: It is not one, or is zero.

    >>> duration("training_duration", "1_000_000tok")
    '1_000_000tok'
    """
    if isinstance(value, str) and _DURATION.fullmatch(value) and any(each in "123456789" for each in value):
        return str.__str__(value)
    raise ValidationError(
        f"{what} must be a number of epochs, batches or tokens, such as '1ep', '100ba' or '1_000_000tok', "
        f"not {shown(value)}"
    )


def positive(what: str, value: object) -> float:
    """Return a number greater than 0, which may be given as text: YAML reads `5e-7` as one.

    Raises:
        ValidationError: It is not one.

    >>> positive("learning_rate", "5e-7")
    5e-07
    """
    try:
        number = float(value) if isinstance(value, str | Real) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        number = 0.0
    if not 0 < number < math.inf:
        raise ValidationError(f"{what} must be a number greater than 0, not {shown(value)}")
    return number


def whole(what: str, value: object) -> int:
    """Return a whole number greater than 0, which may be given as text.

    Raises:
        ValidationError: It is not one.
    """
    number = positive(what, value)
    if number != int(number):
        raise ValidationError(f"{what} must be a whole number, not {shown(value)}")
    return int(number)


def made(kind: type[InputT], what: str, values: object) -> InputT:
    """Return a part of a request, made of a mapping; what is None is left out.

    Raises:
        ValidationError: It is not a mapping, has an unknown key, or a value of a wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValidationError(f"{what} must be a mapping, not {kind_of(values)}")
    fields = kind.model_fields
    for key in values:
        if key not in fields:
            meant = nearest(str(key), fields)
            hint = f"did you mean {meant!r}?" if meant else f"it takes {', '.join(fields)}"
            raise ValidationError(f"{what} has the unknown key {key!r}; {hint}")
    return kind(**{key: _of(f"{what}.{key}", value, fields[key]) for key, value in given(values).items()})


def _of(what: str, value: object, field: FieldInfo) -> Any:
    kind = next(
        (each for each in (field.annotation, *get_args(field.annotation)) if each in TYPE_NAMES), None
    )
    if kind is None:
        return value
    if not is_of(value, kind):
        raise ValidationError(f"{what} must be {TYPE_NAMES[kind]}, not {shown(value)}")
    found = plain(value, kind)
    for each in found if kind == list[str] else (found,):
        if isinstance(each, str) and not is_text(each):
            raise ValidationError(f"{what} must be Unicode text, not one with half a character")
    return found


def experiment_tracker(values: object) -> ExperimentTrackerInput:
    """Return the trackers of a request.

    Raises:
        ValidationError: A tracker or a key of one is unknown, or a value has a wrong type.
    """
    trackers = dict(values) if isinstance(values, Mapping) else values
    if isinstance(trackers, dict):
        for name, kind in _TRACKERS.items():
            if trackers.get(name) is not None:
                trackers[name] = made(kind, f"experiment_tracker.{name}", trackers[name])
    return made(ExperimentTrackerInput, "experiment_tracker", trackers)


def our_tracker(told: object) -> dict[str, Any] | None:
    """Return the trackers of an answer, with their keys in Python's spelling; None where there are none."""
    if not isinstance(told, Mapping) or not told:
        return None
    return {
        name: {snake_case(key): value for key, value in tracker.items()}
        if isinstance(tracker, Mapping)
        else tracker
        for name, tracker in given(told).items()
    }
