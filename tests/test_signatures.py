"""The documented signatures."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import mcli

PAGE = json.loads((Path(__file__).parent / "data" / "signatures.json").read_text())
DOCUMENTED: dict[str, Any] = PAGE["functions"] | {
    name: entry
    for name, entry in PAGE["classes"].items()
    if entry["parameters"] and name != "RunStatus"  # Python's, as of every enumeration
}


def shown(parameter: inspect.Parameter) -> dict[str, Any]:
    """Return a parameter in the page's form."""
    described: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name.lower()}
    if parameter.default is parameter.empty:
        return described
    default = parameter.default
    if repr(default) == "<factory>":
        return described | {"default": {"factory": True}}
    if isinstance(default, tuple):
        return described | {"default": {"value": list(default), "type": "tuple"}}
    return described | {"default": {"value": default}}


def comparable(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a documented parameter without the ways to write its default."""
    default = entry.get("default")
    if default is None:
        return {"name": entry["name"], "kind": entry["kind"]}
    return {key: entry[key] for key in ("name", "kind", "default")}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_signature_is_the_documented_one(name: str) -> None:
    """Names, kinds, order and defaults of the parameters are those of the page."""
    actual = [shown(each) for each in inspect.signature(getattr(mcli, name)).parameters.values()]
    assert [comparable(each) for each in DOCUMENTED[name]["parameters"]] == actual


METHODS = {
    f"{kind}.{method}": entry
    for kind, described in PAGE["classes"].items()
    for method, entry in described["methods"].items()
}


@pytest.mark.parametrize("name", METHODS)
def test_the_method_is_the_documented_one(name: str) -> None:
    """Methods take what the page says, besides `self`."""
    kind, method = name.split(".")
    function = inspect.getattr_static(getattr(mcli, kind), method)
    parameters = inspect.signature(getattr(function, "__func__", function)).parameters.values()
    actual = [shown(each) for each in parameters if each.name not in {"self", "cls"}]
    documented = [
        comparable(each) for each in METHODS[name]["parameters"] if each["name"] not in {"self", "cls"}
    ]
    assert documented == actual


@pytest.mark.parametrize("name", PAGE["typed_dicts"])
def test_sections_have_the_documented_keys(name: str) -> None:
    """The typed dictionaries know the keys that the page names."""
    assert set(PAGE["typed_dicts"][name]) <= set(getattr(mcli, name).__annotations__)


def test_statuses_are_in_the_documented_order() -> None:
    """The order of the statuses is the platform's."""
    assert PAGE["run_status_order"] == [each.name for each in sorted(mcli.RunStatus)]


def test_every_documented_name_is_public() -> None:
    """Each name of the page can be imported from the package."""
    assert set() == set(PAGE["order"]) - set(mcli.__all__)


def test_runs_show_their_fields() -> None:
    """A run is a dataclass, whose fields are the constructor's parameters."""
    assert [each.name for each in dataclasses.fields(mcli.Run)] == list(
        inspect.signature(mcli.Run).parameters
    )


RETURNED = {
    "follow_run_logs": ("Generator[str]", "AsyncGenerator[str]"),
    "watch_run_status": ("Generator[Run]", "AsyncGenerator[Run]"),
    "get_run_logs": ("str", "str"),
    "get_run": ("Run", "Run"),
}


@pytest.mark.parametrize("name", RETURNED)
def test_people_are_shown_what_they_get(name: str) -> None:
    """Signature and help show the result of the call, not of the function that prepares it."""
    call = getattr(mcli, name)
    assert RETURNED[name] == tuple(inspect.signature(each).return_annotation for each in (call, call.aio))
