"""YAML texts of people: read with the places of their keys, written so that people like to read them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from yaml import Node

__all__ = ["Document", "dump", "parse"]

# yaml is imported where it is used: it would double the start-up cost of the package.


class Document(NamedTuple):
    """A parsed YAML text."""

    value: Any
    """What PyYAML's safe loader gives (YAML 1.1: `5e-7` is a text); None for an empty text."""
    node: Node | None
    """Where in the text it came from."""

    def lines(self) -> dict[str, int]:
        """Give the lines of all keys of the first two levels, by `key` and `key.key`, counted from 1."""
        return {".".join(path): line for path, line in _key_lines(self.node, levels=2)}


def parse(source: str | bytes) -> Document:
    """Parse one YAML document.

    Raises:
        ValueError: It is broken. The message says where and why, and quotes nothing of it.
    """
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(source)
        try:
            node = loader.get_single_node()
            return Document(None if node is None else loader.construct_document(node), node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError:
        raise ValueError("it holds bytes that are no text") from None
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        # What the safe loader lets out for `2024-13-45`, `!!bool maybe` and the like.
        raise ValueError("it holds a value that its YAML type does not allow") from None


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


def _key_lines(node: Node | None, levels: int) -> list[tuple[tuple[str, ...], int]]:
    from yaml import MappingNode, ScalarNode

    if not isinstance(node, MappingNode) or not levels:
        return []
    found: list[tuple[tuple[str, ...], int]] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            found.append(((key.value,), key.start_mark.line + 1))
            found += [((key.value, *path), line) for path, line in _key_lines(value, levels - 1)]
    return found
