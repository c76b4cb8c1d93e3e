"""Checks of what a run request says, and what the platform adds to it: name, priority, defaults."""

from __future__ import annotations

import json
import re
import shlex
import string
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError

if TYPE_CHECKING:
    from random import Random

__all__ = ["check_run", "interactive", "lower_case_name", "merge_metadata", "run_name"]

NAME_LENGTH = 56
"""Longest stem of a run name: 63, less the `-` and the six characters that the platform appends."""
SUFFIX_LENGTH = 6
METADATA_KEYS = 200
METADATA_KEY_LENGTH = 200  # characters
METADATA_VALUE_BYTES = 100_000  # of compact JSON
INTERACTIVE_SECONDS = 3600

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VARIABLE = re.compile(r"[^=\0]+")
_REQUIRED_PARAMETERS = {
    "git_repo": ("gitRepo",),
    "pip_packages": ("packages",),
    "apt_packages": ("packages",),
    "wandb": ("project",),
    "comet_ml": (),
    "mlflow": ("experimentName",),
}


def check_run(run_input: Mapping[str, Any]) -> None:
    """Refuse a run input that cannot be run, whatever the cluster.

    Raises `RequestError` 400 `Bad run request: …`, which names all required fields that are missing.
    """
    missing = [field for field in ("runName", "image", "command") if not run_input.get(field)]
    if missing:
        raise _bad(", ".join(f"{field} is a required field" for field in missing))
    _check_name(str(run_input["runName"]))
    _check_integrations(run_input.get("integrations") or ())
    _check_variables(run_input.get("envVariables") or ())
    for field in ("parameters", "metadata"):
        if not isinstance(run_input.get(field) or {}, Mapping):
            raise _bad(f"{field} must be an object")
    merge_metadata({}, run_input.get("metadata") or {})
    _check_scheduling(run_input.get("scheduling") or {})


def _bad(what: str) -> RequestError:
    return RequestError(400, f"Bad run request: {what}")


def _check_name(name: str) -> None:
    if len(name) > NAME_LENGTH:
        raise _bad(f"runName has {len(name)} characters, at most {NAME_LENGTH} are allowed")
    if not _NAME.fullmatch(name):
        raise _bad(
            f"runName {name!r} must be of a-z, 0-9 and '-', and begin and end with a letter or a digit"
        )


def _check_integrations(integrations: Iterable[Mapping[str, Any]]) -> None:
    for integration in integrations:
        kind, parameters = integration.get("type"), integration.get("params") or {}
        if kind not in _REQUIRED_PARAMETERS:
            raise _bad(f"integration {kind!r} is none of {', '.join(_REQUIRED_PARAMETERS)}")
        for field in _REQUIRED_PARAMETERS[kind]:
            if not parameters.get(field):
                raise _bad(f"integration {kind}: {field} is a required field")
        for field in ("packages", "pipInstall"):
            _check_words(f"integration {kind}: {field}", parameters.get(field))


def _check_words(field: str, value: object) -> None:
    try:
        shlex.split(value if isinstance(value, str) else "")
    except ValueError as error:
        raise _bad(f"{field} {value!r} cannot be read: {error}") from None


def _check_variables(variables: Iterable[Mapping[str, Any]]) -> None:
    for variable in variables:
        key, value = str(variable.get("envKey") or ""), str(variable.get("envValue"))
        if not _VARIABLE.fullmatch(key):
            raise _bad(f"{key!r} is no name of an environment variable")
        if "\0" in value:
            raise _bad(f"the value of environment variable {key!r} holds a null character")


def _check_scheduling(scheduling: Mapping[str, Any]) -> None:
    hours, retries = scheduling.get("maxDuration"), scheduling.get("maxRetries")
    if hours is not None and not hours > 0:
        raise _bad(f"scheduling.maxDuration must be more than 0 hours, not {hours}")
    if retries is not None and retries < 0:
        raise _bad(f"scheduling.maxRetries must not be negative, it is {retries}")


def run_name(stem: str, taken: Callable[[str], bool], random: Random) -> str:
    """Append `-` and six letters and digits to `stem`, such that the name is not `taken`.

    Names that differ in the case of letters only share folders on some disks, so `taken` should ignore case.
    """
    return _suffixed(stem, string.ascii_letters + string.digits, taken, random)


def lower_case_name(stem: str, taken: Callable[[str], bool], random: Random) -> str:
    """Append `-` and six lower-case letters and digits, as names of finetuning runs have them."""
    return _suffixed(stem, string.ascii_lowercase + string.digits, taken, random)


def _suffixed(stem: str, alphabet: str, taken: Callable[[str], bool], random: Random) -> str:
    while True:
        name = f"{stem}-{''.join(random.choices(alphabet, k=SUFFIX_LENGTH))}"
        if not taken(name):
            return name


def merge_metadata(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Replace or add the top-level keys of `new` in `old`.

    Raises `RequestError` 400 when the result has more than 200 keys, a key of `new` more than 200 characters,
    or a value of `new` more than 100,000 bytes as JSON.

    >>> merge_metadata({"a": {"b": 1}, "c": 2}, {"a": 3})
    {'a': 3, 'c': 2}
    """
    merged = {**old, **new}
    if len(merged) > METADATA_KEYS:
        raise RequestError(
            400, f"Metadata would have {len(merged)} keys, at most {METADATA_KEYS} are allowed."
        )
    for key, value in new.items():
        if len(key) > METADATA_KEY_LENGTH:
            raise RequestError(400, f"Metadata key {key[:20]!r}… has over {METADATA_KEY_LENGTH} characters.")
        size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
        if size > METADATA_VALUE_BYTES:
            raise RequestError(
                400,
                f"Metadata value of {key!r} has {size} bytes, at most {METADATA_VALUE_BYTES} are allowed.",
            )
    return merged


def interactive(run_input: Mapping[str, Any], seconds: int | None) -> tuple[dict[str, Any], int]:
    """Complete an interactive run by its defaults, and by a command that only waits.

    `seconds` is how long; None means an hour.
    Raises `RequestError` 400 when the time is not positive.
    """
    length = INTERACTIVE_SECONDS if seconds is None else seconds
    if length <= 0:
        raise _bad(f"an interactive run must last more than 0 seconds, not {length}")
    defaults = {"runName": "interactive", "image": "mosaicml/pytorch"}
    given = {key: value for key, value in run_input.items() if value is not None and value != ""}
    return {**defaults, **given, "command": f"sleep {length}"}, length
