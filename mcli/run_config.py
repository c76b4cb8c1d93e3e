"""The configuration of a run: `RunConfig`, from Python, a dictionary or a YAML file."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mcli import _run_problems as check
from mcli import _yaml
from mcli._problems import Problem, Source, dotted, refusal, source_of
from mcli._run_sections import SECTIONS, ComputeConfig, SchedulingConfig
from mcli._spelling import kind_of
from mcli._warnings import warn

if TYPE_CHECKING:
    from mcli.exceptions import MCLIRunConfigValidationError

    Scheduling: TypeAlias = SchedulingConfig | dict[str, Any]
    Compute: TypeAlias = ComputeConfig | dict[str, Any]
else:
    # Programs make OmegaConf structures of a configuration, and OmegaConf knows no union of mappings.
    Scheduling = Compute = dict[str, Any]

__all__ = ["ComputeConfig", "Problem", "RunConfig", "SchedulingConfig"]


@dataclass
class RunConfig:
    """The configuration of a run that is to be launched.

    A run needs `name`, `image`, `command` and `compute`. Nothing is checked when a configuration is made or changed:
    `problems()` says what is missing or wrong, and `create_run` refuses a bad one before anything is sent.
    Attributes may be set and changed at will. Printing shows the configuration as YAML.

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
    """Environment of the command: texts by name. Numbers, paths, true and false are sent as their texts."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Whatever else should be known about the run."""
    command: str = ""
    """Shell commands."""
    dependent_deployment: dict[str, Any] = field(default_factory=dict)
    """An inference deployment to start with the run."""
    _suppress_deprecation_warnings: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self._suppress_deprecation_warnings:
            for problem in check.deprecated({name: getattr(self, name) for name in check.DEPRECATED}):
                warn(str(problem))

    def __str__(self) -> str:
        return _yaml.dump(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as `from_dict` reads it. The values are not copied."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) not in (None, "", [], {})}

    def problems(self) -> list[Problem]:
        """Find everything that is wrong with the configuration, before anything is sent.

        What was read from a file has its place there, as long as the value is that of the file.

        Returns:
            Errors, for which `create_run` refuses the configuration; warnings, with which it is sent; and notes on what
            the platform may refuse.

        >>> config = RunConfig(name="a", image="bash", command="true", compute={"gpus": "8x", "gpu_num": 8})
        >>> for problem in config.problems():
        ...     print(f"{problem.severity}: {problem}")
        warning: 'compute.gpu_num' is unknown and ignored; did you mean 'gpus'?
        error: 'compute.gpus' must be a whole number, not '8x'
        """
        values = {name: getattr(self, name) for name in _FIELDS}
        stray = [str(name) for name in vars(self) if name not in _FIELDS and name not in _PRIVATE]
        found = [
            *(replace(check.unknown_key((name,), _KEYS), severity="note") for name in stray),
            *check.deprecated(values),
            *check.unknown_keys(values),
            *check.wrong_types(values),
            *check.unsendable(values),
        ]
        source = source_of(self)
        return found if source is None else [*source.found, *(source.locate(each, values) for each in found)]

    @classmethod
    def from_dict(cls, dict_to_use: Mapping[str, Any]) -> RunConfig:
        """Make a configuration of a dictionary, in the form that a YAML file has. The dictionary is copied.

        Unknown keys are ignored, deprecated ones are kept where they are; warnings tell of both.

        Args:
            dict_to_use: The values by the names of the fields.

        Raises:
            MCLIRunConfigValidationError: A value has a wrong type; the message tells everything that is wrong.

        >>> RunConfig.from_dict({"name": "hello", "compute": {"gpus": 8}}).compute
        {'gpus': 8}
        """
        return _read(dict_to_use, Source(None, [], None, [], frozenset()))

    @classmethod
    def from_file(cls, path: str | Path) -> RunConfig:
        """Read a configuration from a YAML file.

        Like `from_dict`, and what it tells has line and column of the file. Values are what PyYAML's safe loader makes
        of them: `5e-7` is a text, `5.0e-7` a number. A key that is given twice is told; the last one counts.

        Args:
            path: The file.

        Raises:
            OSError: The file cannot be read.
            MCLIRunConfigValidationError: It is not YAML, or a value has a wrong type.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be the path of a file, not {kind_of(path)}")
        content = Path(path).read_bytes()
        lines = content.decode("utf-8", "replace").splitlines()
        try:
            document = _yaml.parse(content)
        except _yaml.BrokenYamlError as error:
            raise _broken(str(path), lines, error) from None
        repeated = [_repeated(keys, places) for keys, places in document.repeated.items()]
        source = Source(str(path), lines, document, [], frozenset())
        return _read(document.value, source._replace(found=[source.locate(each, {}) for each in repeated]))


_FIELDS = tuple(field.name for field in fields(RunConfig) if not field.name.startswith("_"))
_PRIVATE = {*(field.name for field in fields(RunConfig)), "_source"}.difference(_FIELDS)
"""What `dataclasses.asdict`, OmegaConf and copies give back, and nobody means."""
_KEYS = (*_FIELDS, *(f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys))


def _read(data: object, source: Source) -> RunConfig:
    """Return the configuration of a mapping; tell what is odd, refuse what is wrong."""
    if not isinstance(data, Mapping):
        what = f"A run configuration must be a mapping of `key: value` lines, not {kind_of(data)}"
        raise refusal([source.locate(Problem("", what), {})])
    unknown = [key for key in data if key not in _FIELDS and key not in _PRIVATE]
    found = [*source.found, *(source.locate(check.unknown_key((str(key),), _KEYS), data) for key in unknown)]
    odd = [source.locate(each, data) for each in (*check.unknown_keys(data), *check.deprecated(data))]
    wrong = [source.locate(each, data) for each in check.wrong_types(data)]
    if wrong:
        raise refusal([*wrong, *found, *odd])
    for problem in (*found, *odd):
        warn(str(problem))
    config = RunConfig(**_values(data), _suppress_deprecation_warnings=True)
    told = frozenset(each.message for each in (*found, *odd))
    vars(config)["_source"] = source._replace(found=found, told=told)
    return config


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: copy.deepcopy(data[key]) for key in _FIELDS if data.get(key) is not None}
    if isinstance(values.get("env_variables"), list):
        values["env_variables"] = {item["key"]: item.get("value") for item in values["env_variables"]}
    return values


def _repeated(path: _yaml.Path, places: tuple[_yaml.Place, ...]) -> Problem:
    *earlier, _ = (str(place.line) for place in places)
    what = f"{dotted(path)!r} is given more than once, before in line {' and '.join(earlier)}; the last one counts"
    return Problem(dotted(path), what, "warning", path=path)


def _broken(file: str, lines: list[str], error: _yaml.BrokenYamlError) -> MCLIRunConfigValidationError:
    if error.place is None:
        return refusal([Problem("", error.reason, file=file)])
    line, column = error.place
    text = lines[line - 1].strip() if line <= len(lines) else None
    return refusal([Problem("", error.reason, file=file, line=line, column=column, text=text)])
