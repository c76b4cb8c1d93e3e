"""The JSON Schema for editors says what `RunConfig` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given

from mcli.run_config import RunConfig
from tests import strategies as ours

SCHEMA = json.loads((Path(__file__).parents[1] / "schema" / "run_config.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def faults(data: Any) -> list[str]:
    """Return where the schema finds something wrong, as `Problem.field` tells it."""
    return sorted({".".join(map(str, error.path)) for error in VALIDATOR.iter_errors(data)})


def test_the_schema_is_one() -> None:
    """The file is a JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_field_is_described() -> None:
    """The schema has each field that a configuration has, with its description."""
    fields = {name for name in RunConfig.__dataclass_fields__ if not name.startswith("_")}
    described = {name for name, each in SCHEMA["properties"].items() if each["description"]}
    assert fields == described


@given(ours.run_configs)
def test_what_can_be_sent_is_valid(config: RunConfig) -> None:
    """A configuration that is right is valid as YAML, but for integrations that lack what they need."""
    config.integrations = []
    assert [] == faults(yaml.safe_load(str(config)) or {})


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"comand": "true"}, ""),
        ({"name": 7}, "name"),
        ({"compute": {"gpus": "8x"}}, "compute.gpus"),
        ({"compute": {"gpus": -1}}, "compute.gpus"),
        ({"compute": {"gpu_num": 8}}, "compute"),
        ({"compute": {"node_names": "n"}}, "compute.node_names"),
        ({"scheduling": {"max_duration": 604800}}, "scheduling.max_duration"),
        ({"scheduling": {"preemptible": 1}}, "scheduling.preemptible"),
        ({"integrations": [{"project": "p"}]}, "integrations.0"),
        ({"integrations": [{"integration_type": "git_repo"}]}, "integrations.0"),
        ({"env_variables": {"A": ["x"]}}, "env_variables"),
        ({"parameters": [1]}, "parameters"),
    ],
    ids=str,
)
def test_what_is_wrong_is_found_where_it_stands(data: Any, where: str) -> None:
    """An editor marks what `problems()` tells."""
    assert [where] == faults(data)
