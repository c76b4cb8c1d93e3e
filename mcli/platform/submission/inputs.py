"""The edge: whatever a request says, in any field, must be such that it can be stored and answered.

Types and ranges of numbers are the schema's and checked by GraphQL. Here, once for all fields, are the rules that a
schema cannot express. Messages name a field as its user does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mcli.platform.errors import RequestError
from mcli.platform.values import DEEPEST, is_text

__all__ = ["checked", "field_name", "user_name"]

Path = tuple[str, ...]

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)

_FREE = {"metadata", "parameters", "event_data", "data_prep_config", "dependent_deployment", "train_data"}
"""Fields below which all names are the user's own."""

_WRAPPERS = {"runInput", "config", "filters", "in"}
_RENAMED = {"runName": "name", "envKey": "key", "envValue": "value", "params": ""}
_BAD_RUN = {"createRunData": "Bad run request: "}
"""What old clients look for in the message about a run's configuration."""


def checked(argument: str, value: Any) -> Any:
    """Return the value of an argument of a field, in the form that the platform works with.

    Moments are brought into the span that can be written in UTC, and numbers in the metadata that are not finite
    become the texts `NaN`, `Infinity` and `-Infinity`: a training framework that got an error would stop logging.

    Raises:
        RequestError: 400, naming the field, for a text that is not UTF-8 or holds a null character, for any other
            number that is not finite, and for what is nested too deep.
    """
    return _checked((argument,), value)


def _checked(path: Path, value: Any) -> Any:
    match value:
        case str():
            _check_text(path, value)
        case float() if not math.isfinite(value):
            return _finite(path, value)
        case datetime():
            return _within(value)
        case Mapping() | list() if len(path) > DEEPEST:
            raise _refusal(path, f"must not be nested more than {DEEPEST} levels deep")
        case Mapping():
            return {_checked_key(path, key): _checked((*path, key), each) for key, each in value.items()}
        case list():
            return [_checked((*path, ""), each) for each in value]
    return value


def _checked_key(path: Path, key: str) -> str:
    if not is_text(key):
        raise _refusal(path, f"must have keys of UTF-8 text, not {key[:100]!r}")
    return key


def _check_text(path: Path, value: str) -> None:
    if not is_text(value):
        raise _refusal(path, "must be UTF-8 text, without halves of surrogate pairs")
    if "\0" in value and not _is_free(path):
        raise _refusal(
            path, f"must not contain a null character, as it does at position {value.index(chr(0))}"
        )


def _finite(path: Path, value: float) -> str:
    if field_name(path).partition(".")[0] != "metadata":
        raise _refusal(path, f"must be a finite number, not {value}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _within(moment: datetime) -> datetime:
    try:
        return min(moment.astimezone(UTC), _LAST)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


def _is_free(path: Path) -> bool:
    return field_name(path).partition(".")[0] in _FREE


def field_name(path: Path) -> str:
    """Return the name by which the user knows the field at a path in an argument.

    >>> field_name(("createRunData", "runInput", "scheduling", "maxDuration"))
    'scheduling.max_duration'
    >>> field_name(("updateRunMetadataData", "metadata", "lossTrain"))
    'metadata.lossTrain'
    """
    names = list[str]()
    for part in path[1:] or path:
        is_own = bool(names) and names[0] in _FREE
        name = part if is_own else user_name(part)
        if name:
            names.append(name)
    return ".".join(names[:8])


def user_name(part: str) -> str:
    """Return the name by which the user knows a field of the wire; empty for one that users never see."""
    if part in _WRAPPERS:
        return ""
    return _RENAMED.get(part, re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", part))


def _refusal(path: Path, problem: str) -> RequestError:
    return RequestError(400, f"{_BAD_RUN.get(path[0], '')}{field_name(path)} {problem}.")
