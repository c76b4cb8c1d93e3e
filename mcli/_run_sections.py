"""The parts of a run configuration that the platform looks into, and what their values must be."""

# No postponed annotations: the types below are looked at.

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypedDict

from mcli._spelling import camel_case, kind_of
from mcli.exceptions import MCLIRunConfigValidationError

__all__ = [
    "SECTIONS",
    "ComputeConfig",
    "Place",
    "SchedulingConfig",
    "check_type",
    "checked",
    "environment",
    "known_name",
    "nowhere",
    "suggestion",
    "wrong_type",
]


class ComputeConfig(TypedDict, total=False):
    """Where a run is to be. Usually a cluster or an instance, and a number of GPUs, are enough.

    >>> ComputeConfig(cluster="r1z1", gpus=8)
    {'cluster': 'r1z1', 'gpus': 8}
    """

    cluster: str
    """Name of the cluster; `get_clusters()` lists them."""
    instance: str
    """Name of the kind of machine."""
    gpu_type: str
    """Kind of GPU, e.g. `a100_80gb`."""
    gpus: int
    """Number of GPUs in all."""
    cpus: int
    """Number of CPUs in all."""
    nodes: int
    """Number of machines."""
    node_names: list[str]
    """Names of the machines, to have these and no others."""


class SchedulingConfig(TypedDict, total=False):
    """When a run is to be, and for how long.

    >>> SchedulingConfig(priority="low", max_duration=0.75)
    {'priority': 'low', 'max_duration': 0.75}
    """

    priority: str
    """`auto` (the default), `low` or `lowest`."""
    preemptible: bool
    """Whether runs of higher priority may interrupt this one; it is then queued again."""
    max_retries: int
    """How often the run is tried again after it failed."""
    retry_on_system_failure: bool
    """Whether the run is tried again after its machine failed."""
    max_duration: float
    """Hours until the run is stopped."""
    resumable: bool
    """Of older configurations."""
    watchdogEnabled: bool
    """Another name of `retry_on_system_failure`, in the platform's spelling."""


SECTIONS: dict[str, Mapping[str, Any]] = {
    "compute": ComputeConfig.__annotations__,
    "scheduling": SchedulingConfig.__annotations__,
}
"""The types of the values, by section and key."""

_TYPE_NAMES: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list[str]: "a list of texts",
}

Place = Callable[[str], str]
"""Tells for a key where a person finds it, as the beginning of a sentence."""


def nowhere(_key: str) -> str:
    """Tell nothing: the value is in a Python program."""
    return ""


_MEANT = {
    "entrypoint": "command",
    "env": "env_variables",
    "gpu_num": "gpus",
    "num_gpus": "compute.gpus",
    "platform": "compute.cluster",
    "run_name": "name",
}
"""What unknown keys mean, where likeness does not tell."""


def checked(section: str, values: object, place: Place = nowhere) -> dict[str, Any]:
    """Return the known values of a section by their Python names; what is None is left out.

    Raises:
        MCLIRunConfigValidationError: The section is no mapping, or a value has a wrong type.
    """
    if not isinstance(values, Mapping):
        raise wrong_type(section, "a mapping of `key: value` lines", values, place)
    names = {known_name(section, key): value for key, value in values.items() if value is not None}
    return {
        name: check_type(f"{section}.{name}", value, SECTIONS[section][name], place)
        for name, value in names.items()
        if name is not None
    }


def known_name(section: str, key: object) -> str | None:
    """Return what a key of a section, in Python's or the wire's spelling, is called in Python."""
    return _PYTHON_NAMES[section].get(key)


_PYTHON_NAMES: dict[str, dict[object, str]] = {
    section: {spelling: name for name in names for spelling in (name, camel_case(name))}
    for section, names in SECTIONS.items()
}


def check_type(where: str, value: Any, kind: Any, place: Place = nowhere) -> Any:
    """Return the value, if it is of the kind. Whole floats are also `int`; enum members are their values."""
    plain: Any = value.value if isinstance(value, Enum) else value
    if not _is(plain, kind):
        raise MCLIRunConfigValidationError(f"{place(where)}{where!r} is {_TYPE_NAMES[kind]}, not {plain!r}")
    return int(plain) if kind is int else plain


def _is(value: object, kind: Any) -> bool:
    if kind == list[str]:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if kind not in {int, float}:
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return kind is float or value == int(value)


def environment(variables: object, place: Place = nowhere) -> dict[str, Any]:
    """Return environment variables by name; also of the list of `key` and `value` that they once were.

    Raises:
        MCLIRunConfigValidationError: They are neither.
    """
    if isinstance(variables, Mapping):
        return dict(variables)
    if isinstance(variables, list) and all(isinstance(item, Mapping) and "key" in item for item in variables):
        return {item["key"]: item.get("value") for item in variables}
    raise wrong_type("env_variables", "a mapping of names to values", variables, place)


def wrong_type(
    where: str, wanted: str, value: object, place: Place = nowhere
) -> MCLIRunConfigValidationError:
    """Return the error to raise. The value may hold secrets, so only its type is named."""
    return MCLIRunConfigValidationError(f"{place(where)}{where!r} is {wanted}, not {kind_of(value)}")


def suggestion(key: object, names: Iterable[str]) -> str:
    """Return what else a person may have meant by an unknown key, as the end of a sentence, or nothing.

    >>> suggestion("schudling", ["scheduling", "name"])
    "; did you mean 'scheduling'?"
    """
    by_last_part = {name.rpartition(".")[2]: name for name in reversed(list(names))}
    close = difflib.get_close_matches(str(key), by_last_part, n=1, cutoff=0.7)
    meant = _MEANT.get(str(key)) or (by_last_part[close[0]] if close else None)
    return f"; did you mean {meant!r}?" if meant else ""
