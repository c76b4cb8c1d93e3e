"""What a run is asked to be: `RunConfig`, from Python, a dictionary or a YAML file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mcli import _yaml
from mcli._run_sections import (
    SECTIONS,
    ComputeConfig,
    Place,
    SchedulingConfig,
    checked,
    environment,
    known_name,
    nowhere,
    suggestion,
    wrong_type,
)
from mcli._spelling import kind_of
from mcli._warnings import warn
from mcli.exceptions import MCLIRunConfigValidationError

if TYPE_CHECKING:
    Scheduling: TypeAlias = SchedulingConfig | dict[str, Any]
    Compute: TypeAlias = ComputeConfig | dict[str, Any]
else:
    # Programs make OmegaConf structures of a configuration, and OmegaConf knows no union of mappings.
    Scheduling = Compute = dict[str, Any]

__all__ = ["ComputeConfig", "RunConfig", "SchedulingConfig"]


@dataclass
class RunConfig:
    """What a run is asked to be.

    A run needs `name`, `image`, `command` and `compute`; what is missing or wrong is said when the run is
    created. Attributes may be set and changed at will. Printing shows the configuration as YAML.

    >>> config = RunConfig(name="hello", image="bash", command="echo hello", compute={"cpus": 1})
    >>> print(config, end="")
    name: hello
    image: bash
    compute:
      cpus: 1
    command: echo hello
    """

    name: str | None = None
    """Name of the run; the platform appends a few characters to make it unique."""
    parent_name: str | None = None
    """Name of the run that submits this one; inside a run it is found by itself."""
    image: str | None = None
    """Docker image, e.g. `mosaicml/composer`."""
    gpu_type: str | None = None
    """Deprecated: `compute["gpu_type"]`."""
    gpu_num: int | None = None
    """Deprecated: `compute["gpus"]`."""
    cpus: int | None = None
    """Deprecated: `compute["cpus"]`."""
    cluster: str | None = None
    """Deprecated: `compute["cluster"]`."""
    scheduling: Scheduling = field(default_factory=dict)
    """When, and for how long."""
    compute: Compute = field(default_factory=dict)
    """Where, and how much of it."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Given to the run as a YAML file, `/mnt/config/parameters.yaml`."""
    integrations: list[dict[str, Any]] = field(default_factory=list)
    """What is set up before the command, each with its `integration_type`."""
    env_variables: dict[str, Any] = field(default_factory=dict)
    """Environment of the command."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What else is to be known about the run."""
    command: str = ""
    """Shell commands."""
    dependent_deployment: dict[str, Any] = field(default_factory=dict)
    """An inference deployment to start with the run."""
    _suppress_deprecation_warnings: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self._suppress_deprecation_warnings:
            for name, instead in _DEPRECATED.items():
                if getattr(self, name) is not None:
                    warn(f"{name!r} is deprecated, use {instead!r}")

    def __str__(self) -> str:
        return _yaml.dump(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as `from_dict` reads it. The values are no copies."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) not in (None, "", [], {})}

    @classmethod
    def from_dict(cls, dict_to_use: Mapping[str, Any]) -> RunConfig:
        """Make a configuration of a dictionary, in the form that a YAML file has. The dictionary is copied.

        Unknown keys are ignored, deprecated ones are kept where they are; warnings tell of both.

        Raises:
            MCLIRunConfigValidationError: A value has a wrong type.

        >>> RunConfig.from_dict({"name": "hello", "compute": {"gpus": 8}}).compute
        {'gpus': 8}
        """
        config, notices = _read(dict_to_use, nowhere)
        for notice in notices:
            warn(notice)
        return config

    @classmethod
    def from_file(cls, path: str | Path) -> RunConfig:
        """Read a configuration from a YAML file.

        Like `from_dict`, and what it tells has the line of the file. Values are what PyYAML's safe loader
        makes of them: `5e-7` is a text, `5.0e-7` a number.

        Raises:
            OSError: The file cannot be read.
            MCLIRunConfigValidationError: It is not YAML, or a value has a wrong type.
        """
        try:
            document = _yaml.parse(Path(path).read_bytes())
        except ValueError as error:
            raise MCLIRunConfigValidationError(f"{path}: {error}") from None
        lines = document.lines()

        def place(key: str) -> str:
            line = lines.get(key) or lines.get(key.partition(".")[0])
            return f"{path}, line {line}: " if line else f"{path}: "

        config, notices = _read(document.value, place)
        for notice in notices:
            warn(notice)
        return config


_FIELDS = tuple(field.name for field in fields(RunConfig) if not field.name.startswith("_"))
_PRIVATE = {field.name for field in fields(RunConfig)}.difference(_FIELDS)
"""What `dataclasses.asdict` and OmegaConf give back, and nobody means."""
_DEPRECATED = {
    "gpu_type": "compute.gpu_type",
    "gpu_num": "compute.gpus",
    "cpus": "compute.cpus",
    "cluster": "compute.cluster",
}
_KEYS = (*_FIELDS, *(f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys))


def _read(data: object, place: Place) -> tuple[RunConfig, list[str]]:
    """Return the configuration, and what is to be said about it."""
    if not isinstance(data, Mapping):
        raise MCLIRunConfigValidationError(
            f"{place('')}A run configuration is a mapping of `key: value` lines, not {kind_of(data)}"
        )
    given = {key: copy.deepcopy(data[key]) for key in _FIELDS if data.get(key) is not None}
    values = {key: _checked(key, value, place) for key, value in given.items()}
    notices = [f"{place(key)}{text}" for key, text in _oddities(data)]
    return RunConfig(**values, _suppress_deprecation_warnings=True), notices


def _oddities(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find the keys that are unknown or deprecated, and say so."""
    found = [
        (str(key), f"{str(key)!r} is unknown and ignored{suggestion(key, _KEYS)}")
        for key in data
        if key not in _FIELDS and key not in _PRIVATE
    ]
    for section, names in SECTIONS.items():
        keys = data.get(section)
        for key in keys if isinstance(keys, Mapping) else ():
            if known_name(section, key) is None:
                path = f"{section}.{key}"
                found.append((path, f"{path!r} is unknown and ignored{suggestion(key, names)}"))
    for key, instead in _DEPRECATED.items():
        if data.get(key) is not None:
            found.append((key, f"{key!r} is deprecated, use {instead!r}"))
    if data.get("env_variables") and isinstance(data["env_variables"], list):
        found.append(("env_variables", "'env_variables' as a list is deprecated, write `NAME: value` lines"))
    return found


_KINDS: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("name", "parent_name", "image", "command"), (str, "a text")),
    **dict.fromkeys(("parameters", "metadata", "dependent_deployment"), (Mapping, "a mapping")),
    "integrations": (list, "a list of mappings"),
}


def _checked(key: str, value: Any, place: Place) -> Any:
    """Return the value of a field; refuse one of a wrong type."""
    if key in _DEPRECATED:  # templates hold placeholders of any type there
        return value
    if key == "env_variables":
        return environment(value, place)
    if key in SECTIONS:
        checked(key, value, place)
        return value
    kind, named = _KINDS[key]
    if not isinstance(value, kind) or (kind is list and not all(isinstance(item, Mapping) for item in value)):
        raise wrong_type(key, named, value, place)
    return value
