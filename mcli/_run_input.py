"""Run configurations on the wire: `RunInput` of the schema, from and to `RunConfig`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any

from mcli._run_names import check_image, cleaned
from mcli._run_sections import check_type, checked, environment, known_name, wrong_type
from mcli._spelling import camel_case, snake_case
from mcli._warnings import warn
from mcli.exceptions import MCLIRunConfigValidationError, ValidationError
from mcli.metadata import json_value
from mcli.run_config import RunConfig

__all__ = ["from_wire", "to_wire"]


def to_wire(config: RunConfig) -> dict[str, Any]:
    """Return the `runInput` of a create request. The configuration is not changed.

    Raises:
        MCLIRunConfigValidationError: The image is missing or none, or a value has a wrong type.
        ValidationError: The integrations are no list of mappings with `integration_type`.
    """
    wire = {
        "runName": _name(config.name),
        "image": check_image(config.image),
        "gpuType": _typed("gpu_type", config.gpu_type, str),
        "gpuNum": _typed("gpu_num", config.gpu_num, int),
        "cluster": _typed("cluster", config.cluster, str),
    }
    return {
        **{key: value for key, value in wire.items() if value is not None},
        "parentName": config.parent_name or _surrounding_run(),
        "cpus": _typed("cpus", config.cpus, int) or 0,
        "command": (_typed("command", config.command, str) or "").strip(),
        "integrations": _integrations(config.integrations),
        "envVariables": _env_variables(config.env_variables),
        "parameters": _json_mapping("parameters", config.parameters or {}),
        "metadata": _metadata(config.metadata or {}),
        "compute": _section("compute", config.compute),
        "scheduling": _section("scheduling", config.scheduling),
        "dependentDeployment": _deployment(config.dependent_deployment or {}),
    }


def from_wire(original: object) -> RunConfig | None:
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


# To the wire


def _name(name: object) -> str | None:
    if name is None:
        return None
    name = str(_typed("name", name, str))
    clean = cleaned(name)
    if clean != name:
        warn(
            f"The run is named {clean!r}, because {name!r} is no valid name: lower case letters and digits, "
            "with hyphens between them."
        )
    return clean


def _surrounding_run() -> str | None:
    """Name the run that this program is part of."""
    inside = os.environ.get("MOSAICML_PLATFORM", "").lower() == "true"
    return os.environ.get("RUN_NAME") if inside else None


def _typed(where: str, value: Any, kind: type) -> Any:
    return None if value is None else check_type(where, value, kind)


def _section(section: str, values: Any) -> dict[str, Any]:
    values = values or {}
    known = checked(section, values)
    for key in values:
        if known_name(section, key) is None:
            warn(f"'{section}.{key}' is unknown and not sent")
    return {camel_case(name): value for name, value in known.items()}


def _integrations(integrations: Any) -> list[dict[str, Any]]:
    items = integrations or []
    if not isinstance(items, list | tuple) or not all(isinstance(item, Mapping) for item in items):
        raise ValidationError("'integrations' is a list of mappings, each with its 'integration_type'")
    return [_integration(item) for item in items]


def _integration(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("integration_type") or item.get("type")
    if not isinstance(kind, str):
        raise ValidationError(
            f"An integration lacks its 'integration_type'; it has {', '.join(map(str, item))}"
        )
    params = {key: value for key, value in item.items() if key not in {"integration_type", "type"}}
    return {"type": str.__str__(kind), "params": _json_mapping(f"integrations.{kind}", _camel_keys(params))}


def _env_variables(variables: Any) -> list[dict[str, str]]:
    texts = {key: _env_text(key, value) for key, value in environment(variables or {}).items()}
    return [{"envKey": key, "envValue": text} for key, text in texts.items() if text is not None]


def _env_text(key: object, value: object) -> str | None:
    """Give the text of a variable; what stands there may be a secret, so no message shows it."""
    if not isinstance(key, str) or not key:
        raise MCLIRunConfigValidationError(f"The name of an environment variable is a text, not {key!r}")
    value = value.value if isinstance(value, Enum) else value
    if value is None:
        warn(f"The environment variable {key!r} has no value and is not sent")
        return None
    if not isinstance(value, str | int | float):
        raise wrong_type(f"env_variables.{key}", "a text", value)
    return str(value)


def _metadata(metadata: Any) -> dict[str, Any]:
    return {key: value for key, value in _json_mapping("metadata", metadata).items() if value is not None}


def _deployment(deployment: Any) -> dict[str, Any]:
    if not isinstance(deployment, Mapping):
        raise wrong_type("dependent_deployment", "a mapping", deployment)
    wire = {
        key: _camel_keys(value) if isinstance(value, Mapping) else value for key, value in deployment.items()
    }
    if "env_variables" in deployment:
        wire["env_variables"] = _env_variables(deployment["env_variables"])
    return _json_mapping("dependent_deployment", _camel_keys(wire))


def _camel_keys(values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {camel_case(key) if isinstance(key, str) else key: value for key, value in values.items()}


def _json_mapping(where: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise wrong_type(where, "a mapping", values)
    try:
        return dict(json_value(values, _plain))
    except (TypeError, RecursionError) as error:
        raise MCLIRunConfigValidationError(f"{where!r} cannot be sent: {error}") from None


def _plain(value: object) -> object:
    """Give what stands for a value of YAML or of Python that JSON does not know."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


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
    """Give what once stood beside `compute`; clients send `cpus: 0` there, which means nothing."""
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
