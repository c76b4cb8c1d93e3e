"""Run configurations on the wire: `RunInput` of the schema, from and to `RunConfig`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcli._arguments import given
from mcli._json import json_value, plain
from mcli._problems import refusal, source_of
from mcli._run_names import cleaned
from mcli._run_problems import DEPRECATED
from mcli._run_sections import SECTIONS, env_text, known_name
from mcli._run_sections import plain as plain_of
from mcli._spelling import camel_case, snake_case
from mcli._warnings import warn
from mcli.run_config import RunConfig

if TYPE_CHECKING:
    from mcli._problems import Problem

__all__ = ["run_input", "submitted_config", "validate"]


def run_input(config: RunConfig) -> dict[str, Any]:
    """Return the `runInput` of a create request. The configuration is not changed.

    Raises:
        MCLIRunConfigValidationError: It cannot be sent; the message tells everything that is wrong with it.
    """
    validate(config)
    return _renamed(config)


def validate(config: RunConfig) -> None:
    """Refuse a configuration that cannot be sent, and warn of what is odd and was not told when it was read.

    Raises:
        MCLIRunConfigValidationError: It has at least one error.
    """
    found = config.problems()
    if any(each.severity == "error" for each in found):
        raise refusal(found)
    for problem in found:
        if problem.severity == "warning" and not _is_told(config, problem):
            warn(str(problem))


def _is_told(config: RunConfig, problem: Problem) -> bool:
    """Tell whether a warning was given when the configuration was read or made."""
    of_constructor = problem.path[0] in DEPRECATED or "deprecated" in problem.message
    source = source_of(config)
    return of_constructor or (source is not None and problem.message in source.told)


def submitted_config(original: object) -> RunConfig | None:
    """Return the configuration that a run was submitted with, ready to be submitted again.

    Reads whatever the platform kept: nulls and unknown keys do no harm, old places of values are read too.
    """
    if not isinstance(original, Mapping):
        return None
    return RunConfig(
        name=_text(original, "runName"),
        parent_name=_text(original, "parentName"),
        image=_text(original, "image"),
        command=_text(original, "command") or "",
        compute=_old_places(original) | _our_section("compute", _mapping(original, "compute")),
        scheduling=_our_section("scheduling", _mapping(original, "scheduling")),
        integrations=[
            _our_integration(item) for item in _mappings(original.get("integrations")) if "type" in item
        ],
        env_variables=_our_env_variables(original.get("envVariables")),
        parameters=_mapping(original, "parameters"),
        metadata=_mapping(original, "metadata"),
        dependent_deployment=_our_deployment(_mapping(original, "dependentDeployment")),
    )


# To the wire: names change, and values that Python has in several forms get the one of JSON


def _renamed(config: RunConfig) -> dict[str, Any]:
    top = {
        "runName": config.name if config.name is None else cleaned(plain_of(config.name, str)),
        "image": plain_of(config.image, str),
        "gpuType": _of(config.gpu_type, str),
        "gpuNum": _of(config.gpu_num, int),
        "cluster": _of(config.cluster, str),
    }
    return {
        **given(top),
        "parentName": config.parent_name or _surrounding_run(),
        "cpus": _of(config.cpus, int) or 0,
        "command": (config.command or "").strip(),
        "integrations": [_integration(item) for item in config.integrations or ()],
        "envVariables": _env_variables(config.env_variables or {}),
        "parameters": json_value(config.parameters or {}, plain),
        "metadata": given(json_value(config.metadata or {}, plain)),
        "compute": _section("compute", config.compute or {}),
        "scheduling": _section("scheduling", config.scheduling or {}),
        "dependentDeployment": _deployment(config.dependent_deployment or {}),
    }


def _of(value: Any, kind: type) -> Any:
    return None if value is None else plain_of(value, kind)


def _surrounding_run() -> str | None:
    """Name the run that this program is part of."""
    inside = os.environ.get("MOSAICML_PLATFORM", "").lower() == "true"
    return os.environ.get("RUN_NAME") if inside else None


def _section(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {known_name(section, key): value for key, value in values.items() if value is not None}
    return {
        camel_case(name): plain_of(value, SECTIONS[section][name])
        for name, value in names.items()
        if name is not None
    }


def _integration(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("integration_type") or item["type"]
    params = {key: value for key, value in item.items() if key not in {"integration_type", "type"}}
    params |= _absolute(str.__str__(kind), params)
    return {"type": str.__str__(kind), "params": json_value(_camel_keys(params), plain)}


def _absolute(kind: str, params: Mapping[Any, Any]) -> dict[str, str]:
    """Return the path of a folder of this machine as the platform can find it, which is in another folder."""
    name = {"local_dir": "path", "git_repo": "git_repo"}.get(kind)
    value = params.get(name)
    if name is None or not isinstance(value, str | os.PathLike):
        return {}
    path = os.fspath(value)
    if kind == "local_dir" or path.partition("/")[0] in {"~", ".", ".."}:
        return {name: os.path.abspath(os.path.expanduser(path))}  # noqa: PTH100, PTH111 - a text, links kept
    return {}


def _env_variables(variables: Any) -> list[dict[str, str]]:
    if not isinstance(variables, Mapping):  # the list that they once were
        variables = {item["key"]: item.get("value") for item in variables}
    texts = {key: env_text(value) for key, value in variables.items()}
    return [{"envKey": key, "envValue": text} for key, text in texts.items() if text is not None]


def _deployment(deployment: Mapping[str, Any]) -> dict[str, Any]:
    wire = {
        key: _camel_keys(value) if isinstance(value, Mapping) else value for key, value in deployment.items()
    }
    if "env_variables" in deployment:
        wire["env_variables"] = _env_variables(deployment["env_variables"] or {})
    return dict(json_value(_camel_keys(wire), plain))


def _camel_keys(values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {camel_case(key) if isinstance(key, str) else key: value for key, value in values.items()}


# From the wire


def _text(fields: Mapping[str, Any], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) and value else None


def _mapping(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = fields.get(key)
    return dict(value) if isinstance(value, dict) else {}  # JSON has no other mappings


def _mappings(values: object) -> list[dict[str, Any]]:
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _our_section(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {known_name(section, key): value for key, value in values.items()}
    return {name: value for name, value in names.items() if name is not None and value is not None}


def _old_places(original: Mapping[str, Any]) -> dict[str, Any]:
    """Return what once stood beside `compute`; clients send `cpus: 0` there, which means nothing."""
    places = {"gpuType": "gpu_type", "gpuNum": "gpus", "cluster": "cluster", "cpus": "cpus"}
    return {name: original[key] for key, name in places.items() if original.get(key)}


def _our_integration(item: Mapping[str, Any]) -> dict[str, Any]:
    params = {snake_case(key): value for key, value in _mapping(item, "params").items()}
    return {"integration_type": item["type"], **params}


def _our_env_variables(variables: object) -> dict[str, Any]:
    ours = {}
    for item in _mappings(variables):
        if item.get("envKey") is None or item.get("envValue") is None:
            warn("The platform answered with an incomplete environment variable; it is skipped")
        else:
            ours[item["envKey"]] = item["envValue"]
    return ours


def _our_deployment(deployment: Mapping[str, Any]) -> dict[str, Any]:
    ours = {
        snake_case(key): {snake_case(name): inner for name, inner in value.items()}
        if isinstance(value, Mapping)
        else value
        for key, value in deployment.items()
        if value is not None
    }
    if "env_variables" in ours:
        ours["env_variables"] = _our_env_variables(ours["env_variables"])
    return ours
