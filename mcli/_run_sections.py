"""The parts of a run configuration that the platform looks into, and what their values must be."""

# No postponed annotations: the types below are looked at.

import math
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any, TypedDict

from mcli._spelling import camel_case

__all__ = [
    "INTEGRATIONS",
    "LEAST",
    "LONGEST_HOURS",
    "SECTIONS",
    "TYPE_NAMES",
    "ComputeConfig",
    "SchedulingConfig",
    "env_text",
    "is_of",
    "known_name",
    "plain",
]


class ComputeConfig(TypedDict, total=False):
    """Where a run executes. Usually a cluster or an instance, and a number of GPUs, are enough.

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
    """When a run executes, and for how long.

    >>> SchedulingConfig(priority="low", max_duration=0.75)
    {'priority': 'low', 'max_duration': 0.75}
    """

    priority: str
    """`auto` (the default), `low` or `lowest`."""
    preemptible: bool
    """Whether runs of higher priority may interrupt this one; it is then queued again. Default: false."""
    max_retries: int
    """How often the run is tried again after it failed. Default: 0."""
    retry_on_system_failure: bool
    """Whether the run is tried again after its machine failed. Default: false."""
    max_duration: float
    """Hours after which the run is stopped. Default: without a limit."""
    resumable: bool
    """Of older configurations."""
    watchdogEnabled: bool
    """Another name of `retry_on_system_failure`, in the platform's spelling."""


SECTIONS: dict[str, Mapping[str, Any]] = {
    "compute": ComputeConfig.__annotations__,
    "scheduling": SchedulingConfig.__annotations__,
}
"""The types of the values, by section and key."""

LEAST: dict[str, int] = dict.fromkeys(("gpus", "cpus", "nodes", "gpu_num", "max_retries"), 0)
"""The smallest number that makes sense, by key."""

LONGEST_HOURS = (2**31 - 1) // 3600
"""The longest duration whose seconds are a number of the wire."""

TYPE_NAMES: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list[str]: "a list of texts",
}

INTEGRATIONS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "git_repo": ("git_repo", ("git_branch", "git_commit", "path", "pip_install", "ssh_clone", "host")),
    "local_dir": ("path", ("include_untracked",)),
    "pip_packages": ("packages", ("upgrade",)),
    "apt_packages": ("packages", ()),
    "wandb": ("project", ("entity", "group", "name", "job_type", "tags")),
    "comet_ml": (None, ("project", "workspace")),
    "mlflow": ("experiment_name", ("tracking_uri",)),
}
"""What every kind of integration needs, and what else it takes. Platforms may know others."""

_PYTHON_NAMES: dict[str, dict[object, str]] = {
    section: {spelling: name for name in names for spelling in (name, camel_case(name))}
    for section, names in SECTIONS.items()
}


def known_name(section: str, key: object) -> str | None:
    """Return what a key of a section, in Python's or the wire's spelling, is called in Python.

    >>> known_name("compute", "gpuType"), known_name("compute", "gpu_num")
    ('gpu_type', None)
    """
    return _PYTHON_NAMES[section].get(key)


def plain(value: object, kind: Any) -> Any:
    """Return a value that is of the kind as JSON has it: members of enumerations as their values, 8.0 as 8."""
    if isinstance(value, Enum):
        value = value.value
    if kind == list[str] and isinstance(value, list | tuple):
        return [str.__str__(item) for item in value]
    convert = _CONVERT.get(kind)
    return value if convert is None else convert(value)


def _number(value: Any) -> int | float:
    return int(value) if isinstance(value, int) else float(value)


_CONVERT: dict[Any, Callable[[Any], Any]] = {str: str.__str__, int: int, float: _number}


def is_of(value: object, kind: Any) -> bool:
    """Tell whether a value is of the kind. Whole floats are also `int`, members of enumerations are their values.

    >>> is_of(8.0, int), is_of(True, int), is_of(float("inf"), float), is_of(("n",), list[str])
    (True, False, False, True)
    """
    if isinstance(value, Enum):
        value = value.value
    if kind == list[str]:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if kind not in {int, float}:
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return False
    return kind is float or value == int(plain(value, float))


def env_text(value: object) -> str | None:
    """Return the text of an environment variable, None for a value that has none.

    >>> env_text(8), env_text(Decimal("1.50")), env_text({"a": 1})
    ('8', '1.50', None)
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    # numpy's own true and false are not numbers to Python
    is_scalar = isinstance(value, str | Real | Decimal) or type(value).__name__ in {"bool", "bool_"}
    return str(value) if is_scalar else None
