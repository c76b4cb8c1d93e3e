"""Checks of what a run request says, and what the platform adds to it: name, priority, defaults."""

from __future__ import annotations

import json
import re
import shlex
import string
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.submission.inputs import user_name
from mcli.platform.values import LARGEST_INT, given

if TYPE_CHECKING:
    from random import Random

__all__ = ["check_run", "interactive", "lower_case_name", "merge_metadata", "run_name"]

LONGEST_STEM = 56
"""Longest stem of a run name: 63, less the `-` and the six characters that the platform appends."""
SUFFIX_LENGTH = 6
METADATA_KEYS = 200
METADATA_KEY_LENGTH = 200  # characters
METADATA_VALUE_BYTES = 100_000  # of compact JSON
INTERACTIVE_SECONDS = 3600
SECONDS_PER_HOUR = 3600
MOST_HOURS = LARGEST_INT // SECONDS_PER_HOUR
"""Longest time limit of a run, such that its seconds fit the schema."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VARIABLE = re.compile(r"[^=\0]+")
_TEXTS = {
    *("gitRepo", "gitBranch", "gitCommit", "path", "host"),
    *("project", "projectName", "entity", "group", "jobType", "workspace", "experimentName", "trackingUri"),
}
_COMMAND_LINES = {"packages", "pipInstall"}
_LISTS = {*_COMMAND_LINES, "tags"}
"""Parameters of integrations that are several words, as a text or as a list."""
_REQUIRED_PARAMETERS = {
    "git_repo": ("gitRepo",),
    "local_dir": ("path",),
    "pip_packages": ("packages",),
    "apt_packages": ("packages",),
    "wandb": ("project",),
    "comet_ml": (),
    "mlflow": ("experimentName",),
}


def check_run(run_input: Mapping[str, Any]) -> None:
    """Refuse a run input that cannot be run, whatever the cluster.

    Raises:
        RequestError: 400 `Bad run request: …`. Required fields that are missing are all named, and as the wire names
            them, because clients translate these.
    """
    missing = [field for field in ("runName", "image", "command") if not run_input.get(field)]
    if missing:
        raise _bad(", ".join(f"{field} is a required field" for field in missing))
    _check_name(str(run_input["runName"]))
    _check_integrations(run_input.get("integrations") or ())
    _check_variables(run_input.get("envVariables") or ())
    for field in ("parameters", "metadata"):
        if not isinstance(value := run_input.get(field, {}), Mapping):
            raise _bad(f"{field} must be an object, not {_kind(value)}")
    merge_metadata({}, run_input.get("metadata") or {})
    _check_scheduling(run_input.get("scheduling") or {})


def _bad(what: str) -> RequestError:
    return RequestError(400, f"Bad run request: {what}")


def _check_name(name: str) -> None:
    if len(name) > LONGEST_STEM:
        raise _bad(f"name must have at most {LONGEST_STEM} characters, not {len(name)}")
    if not _NAME.fullmatch(name):
        rule = "be of a-z, 0-9 and '-', and begin and end with a letter or a digit"
        raise _bad(f"name must {rule}, not {name!r}")


def _check_integrations(integrations: Iterable[Mapping[str, Any]]) -> None:
    for integration in integrations:
        kind, parameters = str(integration.get("type")), integration.get("params") or {}
        if kind not in _REQUIRED_PARAMETERS:
            raise _bad(f"integration_type must be one of {', '.join(_REQUIRED_PARAMETERS)}, not {kind!r}")
        if not isinstance(parameters, Mapping):
            raise _bad(f"integration {kind} must be an object, not {_kind(parameters)}")
        for field in _REQUIRED_PARAMETERS[kind]:
            if not parameters.get(field):
                raise _bad(f"integration {kind}: {field} is a required field")
        for field, value in parameters.items():
            _check_parameter(f"integration {kind}: {user_name(field)}", field, value)


def _check_parameter(name: str, field: str, value: object) -> None:
    if field in _COMMAND_LINES and isinstance(value, str):
        _check_quotes(name, value)
    elif field in _LISTS and isinstance(value, list):
        for each in value:
            _check_text(f"each of {name}", each)
    elif field in _LISTS | _TEXTS:
        _check_text(name, value)


def _check_text(field: str, value: object) -> None:
    if isinstance(value, Mapping | list):
        raise _bad(f"{field} must be a text, not {_kind(value)}")


def _check_quotes(field: str, value: str) -> None:
    try:
        shlex.split(value)
    except ValueError as error:
        raise _bad(f"{field} must have its quotation marks in pairs, not {value[:300]!r} ({error})") from None


def _check_variables(variables: Iterable[Mapping[str, Any]]) -> None:
    for variable in variables:
        key = str(variable.get("envKey") or "")
        if not _VARIABLE.fullmatch(key):
            raise _bad(f"env_variables must have names that are not empty and without '=', not {key!r}")


def _check_scheduling(scheduling: Mapping[str, Any]) -> None:
    hours, retries = scheduling.get("maxDuration"), scheduling.get("maxRetries")
    if hours is not None and not 0 < hours <= MOST_HOURS:
        raise _bad(
            f"scheduling.max_duration must be more than 0 and at most {MOST_HOURS} hours, not {hours:g}"
        )
    if retries is not None and retries < 0:
        raise _bad(f"scheduling.max_retries must be 0 or more, not {retries}")


def _kind(value: object) -> str:
    """Name the JSON type of a value."""
    names: dict[type, str] = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    names[type(None)] = "null"
    return names.get(type(value), "a number")


def run_name(stem: str, taken: Callable[[str], bool], random: Random) -> str:
    """Return `stem` with `-` and six letters and digits, such that the name is not `taken`.

    Names that differ in the case of letters only share folders on some disks, so `taken` should ignore case.
    """
    return _suffixed(stem, string.ascii_letters + string.digits, taken, random)


def lower_case_name(stem: str, taken: Callable[[str], bool], random: Random) -> str:
    """Return `stem` with `-` and six lower-case letters and digits, as names of finetuning runs have them."""
    return _suffixed(stem, string.ascii_lowercase + string.digits, taken, random)


def _suffixed(stem: str, alphabet: str, taken: Callable[[str], bool], random: Random) -> str:
    while True:
        name = f"{stem}-{''.join(random.choices(alphabet, k=SUFFIX_LENGTH))}"
        if not taken(name):
            return name


def merge_metadata(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with the top-level keys of `new` replaced or added.

    Raises:
        RequestError: 400 when the result has more than 200 keys, a key of `new` more than 200 characters, or a value
            of `new` more than 100,000 bytes as JSON.

    >>> merge_metadata({"a": {"b": 1}, "c": 2}, {"a": 3})
    {'a': 3, 'c': 2}
    """
    merged = {**old, **new}
    if len(merged) > METADATA_KEYS:
        raise RequestError(
            400, f"metadata must have at most {METADATA_KEYS} keys, not {len(merged)} after the update."
        )
    for key, value in new.items():
        if len(key) > METADATA_KEY_LENGTH:
            rule = f"have at most {METADATA_KEY_LENGTH} characters"
            raise RequestError(400, f"keys of metadata must {rule}, not {len(key)} as {key[:20]!r}… has.")
        size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
        if size > METADATA_VALUE_BYTES:
            raise RequestError(
                400,
                f"metadata.{key} must have at most {METADATA_VALUE_BYTES} bytes of JSON, not {size}.",
            )
    return merged


def interactive(run_input: Mapping[str, Any], seconds: int | None) -> tuple[dict[str, Any], int]:
    """Complete an interactive run by its defaults, and by a command that only waits.

    Args:
        run_input: What the user sent.
        seconds: How long the run waits; None means an hour.

    Returns:
        The run input to execute, and the seconds.

    Raises:
        RequestError: 400 when the time is not positive.
    """
    length = INTERACTIVE_SECONDS if seconds is None else seconds
    if length <= 0:
        raise _bad(f"seconds must be more than 0, not {length}")
    defaults = {"runName": "interactive", "image": "mosaicml/pytorch"}
    filled = {key: value for key, value in given(run_input).items() if value != ""}
    return {**defaults, **filled, "command": f"sleep {length}"}, length
