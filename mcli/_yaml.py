"""YAML texts of people: read with the places of their keys, written so that people like to read them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from yaml import MappingNode, Node

__all__ = ["BrokenYamlError", "Document", "Path", "Place", "dump", "parse"]

# yaml is imported where it is used: it would double the start-up cost of the package.

Path: TypeAlias = tuple[str | int, ...]
"""The keys and numbers that lead from the whole to a value."""


class Place(NamedTuple):
    """Where something stands in a text; lines and columns count from 1."""

    line: int
    column: int


class Document(NamedTuple):
    """A parsed YAML text."""

    value: Any
    """What PyYAML's safe loader gives (YAML 1.1: `5e-7` is a text); None for an empty text."""
    keys: dict[Path, Place]
    """Where the keys stand."""
    values: dict[Path, Place]
    """Where the values stand."""
    repeated: dict[Path, tuple[Place, ...]]
    """Keys that are given more than once in one mapping, and where. The last one counts."""


class BrokenYamlError(ValueError):
    """A text that is not YAML. The message quotes nothing of it."""

    def __init__(self, reason: str, place: Place | None = None) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {reason}" if place else reason)
        self.reason = reason
        self.place = place


def parse(source: str | bytes) -> Document:
    """Parse one YAML document.

    Raises:
        BrokenYamlError: It is not one. The error says where and why.
    """
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(source)
        try:
            node = loader.get_single_node()
            # before the construction, which merges mappings into one another
            places = _places(node)
            return Document(None if node is None else loader.construct_document(node), *places)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _broken(error) from None
    except yaml.YAMLError:
        raise BrokenYamlError("it holds bytes that are not text") from None
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        # What the safe loader lets out for `2024-13-45`, `!!bool maybe` and the like.
        raise BrokenYamlError("it holds a value that its YAML type does not allow") from None


def _broken(error: Any) -> BrokenYamlError:
    mark = error.problem_mark or error.context_mark
    reason = str(error.problem or error.context)
    if "single document" in str(error.context):
        reason = "a second document begins here; the file must hold one"
    return BrokenYamlError(reason, _place(mark) if mark else None)


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _places(root: Node | None) -> tuple[dict[Path, Place], dict[Path, Place], dict[Path, tuple[Place, ...]]]:
    """Find where keys and values stand. Of what an alias repeats, only the place of the alias is known."""
    from yaml import MappingNode, SequenceNode

    keys: dict[Path, Place] = {}
    values: dict[Path, Place] = {}
    repeated: dict[Path, tuple[Place, ...]] = {}
    left: list[tuple[Path, Node]] = [] if root is None else [((), root)]
    seen: set[int] = set()
    while left:
        path, node = left.pop()
        values[path] = _place(node.start_mark)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            left += [((*path, number), item) for number, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            for key, places in _keys(node).items():
                keys[*path, key] = places[-1]
                if len(places) > 1:
                    repeated[*path, key] = tuple(places)
            left += [((*path, str(key.value)), value) for key, value in reversed(node.value)]
    return keys, values, repeated


def _keys(node: MappingNode) -> dict[str, list[Place]]:
    from yaml import ScalarNode

    found: dict[str, list[Place]] = {}
    for key, _ in node.value:
        if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            found.setdefault(key.value, []).append(_place(key.start_mark))
    return found


def dump(value: object) -> str:
    """Write a value as YAML: keys in their order, texts of several lines as blocks.

    What YAML has no form for is written as its `str`: printing a configuration must not fail.
    """
    import yaml

    return str(yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=4096))


@functools.cache
def _dumper() -> Any:
    import yaml

    def text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        plain = str.__str__(text)  # an enum of texts would give its name
        # PyYAML folds Unicode's line breaks unless it quotes them.
        style = '"' if re.search("[\x85\u2028\u2029]", plain) else "|" if "\n" in plain else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", plain, style=style)

    # A class of its own, because representers are kept in the class.
    dumper_class: Any = type("Dumper", (yaml.SafeDumper,), {})
    dumper_class.add_representer(str, text_node)
    for kind, represent in {
        object: lambda dumper, other: text_node(dumper, str(other)),
        str: text_node,
        Enum: lambda dumper, member: dumper.represent_data(member.value),
        Mapping: lambda dumper, mapping: dumper.represent_dict(dict(mapping)),
        list: lambda dumper, items: dumper.represent_list(items),
    }.items():
        dumper_class.add_multi_representer(kind, represent)
    return dumper_class
