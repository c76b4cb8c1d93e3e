"""How names of a schema and its operations are spelled in Python, where Python or our bases have taken them.

One rule: what is taken gets a trailing underscore, as many as it needs. The names of operations and fragments become
CamelCase, which drops underscores, so they get the word of what they are: `Result` becomes `ResultOperation`. What
travels keeps its name.
"""

from __future__ import annotations

import builtins
import keyword
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ariadne_codegen.utils import str_to_pascal_case, str_to_snake_case
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    NamedTypeNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    Visitor,
    visit,
)

from codegen.runtime import base_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codegen.settings import Settings

__all__ = ["MODULES", "Spelling", "enum_member", "field_name"]

MODULES = ("base_client", "base_model", "client", "enums", "fragments", "input_types", "operations")
"""Modules that every package has; an operation has one of its own."""

_IMPORTED = [
    "Annotated",
    "Any",
    "AsyncIterator",
    "BaseClient",
    "BaseModel",
    "BeforeValidator",
    "Field",
    "Literal",
    "Optional",
    "PlainSerializer",
    "TYPE_CHECKING",
    "Tag",
    "Transport",
    "Union",
    "Upload",
    "object_",
]
"""What generated modules import besides our bases. `Upload` is a class that only other clients have."""

NodeT = TypeVar("NodeT", bound=Node)


def taken_by(settings: Settings) -> frozenset[str]:
    """Return the names that no class of a package may have."""
    scalars = [part for each in settings.scalars.values() for part in each["type"].split(".")[-1:]]
    bases = [name for name in vars(base_model) if not name.startswith("__")]
    return frozenset(
        [*_IMPORTED, *scalars, *bases, *keyword.kwlist, *dir(builtins), settings.client, *MODULES]
    )


class Spelling:
    """The names of types, operations and fragments in Python, and back."""

    def __init__(self, settings: Settings, schema: GraphQLSchema, operations: DocumentNode) -> None:
        taken = taken_by(settings)
        kinds = [name for name in schema.type_map if not name.startswith("__")]
        self.types = _mended(
            (name for name in kinds if name in taken - _SCALARS), {*taken, *kinds}, _underscored
        )
        self.wire_types = {python: wire for wire, python in self.types.items()}
        used = {*taken, *kinds, *self.wire_types}
        modules: set[str] = {*MODULES, "transport", "self"}
        self.operations: dict[str, str] = {}
        self.fragments: dict[str, str] = {}
        for node in operations.definitions:
            if isinstance(node, OperationDefinitionNode) and node.name:
                self.operations[node.name.value] = _named(node.name.value, "Operation", used, modules)
        for node in operations.definitions:
            if isinstance(node, FragmentDefinitionNode):
                self.fragments[node.name.value] = _named(node.name.value, "Fragment", used, set())
        self.wire_operations = {python: wire for wire, python in self.operations.items()}
        self.wire_fragments = {python: wire for wire, python in self.fragments.items()}
        self.classes = frozenset(used - taken)

    def respelled(self, node: NodeT) -> NodeT:
        """Return a document with the names that Python has for things."""
        return _renamed(node, self.types, self.operations, self.fragments)

    def as_sent(self, node: NodeT) -> NodeT:
        """Return a document with the names that travel."""
        return _renamed(node, self.wire_types, self.wire_operations, self.wire_fragments)


# Ariadne knows these by name, and makes no class of them.
_SCALARS = frozenset({"Boolean", "Float", "ID", "Int", "String"})


def _mended(names: Iterable[str], used: set[str], mend: Callable[[str], str]) -> dict[str, str]:
    found = {}
    for name in names:
        python = mend(name)
        while python in used:
            python = mend(python)
        used.add(python)
        found[name] = python
    return found


def _underscored(name: str) -> str:
    return f"{name}_"


def _named(name: str, word: str, classes: set[str], modules: set[str]) -> str:
    """Return a name whose class, method and module are not taken, and take them."""
    python = name
    while str_to_pascal_case(python) in classes or str_to_snake_case(python) in modules:
        python = f"{python}{word}"
    classes.add(str_to_pascal_case(python))
    modules.add(str_to_snake_case(python))
    return python


def _renamed(
    node: NodeT, types: dict[str, str], operations: dict[str, str], fragments: dict[str, str]
) -> NodeT:
    changed: NodeT = visit(node, _Renamer(types, operations, fragments))
    return changed


class _Renamer(Visitor):
    """Makes nodes with other names where they have another one; other nodes stay the same objects."""

    def __init__(self, types: dict[str, str], operations: dict[str, str], fragments: dict[str, str]) -> None:
        super().__init__()
        self._types, self._operations, self._fragments = types, operations, fragments

    def leave(self, node: Node, *_: object) -> Node | None:
        match node:
            case NamedTypeNode() | TypeDefinitionNode() | TypeExtensionNode():
                return _with_name(node, self._types)
            case OperationDefinitionNode():
                return _with_name(node, self._operations)
            case FragmentDefinitionNode() | FragmentSpreadNode():
                return _with_name(node, self._fragments)
        return None


def _with_name(node: Any, names: dict[str, str]) -> Node | None:
    if node.name is None or names.get(node.name.value, node.name.value) == node.name.value:
        return None
    values = {key: getattr(node, key, None) for key in node.keys}
    renamed: Node = type(node)(**values | {"name": NameNode(value=names[node.name.value])})
    return renamed


def field_name(name: str, wire: str, taken: Iterable[str]) -> str:
    """Return the name of a field, a variable or a method: `name` is its snake_case, by way of ariadne-codegen."""
    if not name or name[0].isdigit():
        name = f"field_{name}" if name else f"field_{len(wire)}"
    while name in taken or keyword.iskeyword(name):
        name = f"{name}_"
    return name


def enum_member(name: str) -> str:
    """Return the name of an enum's member: no attribute of the class, and nothing that Python reads otherwise."""
    while (
        name in _OF_MEMBERS
        or hasattr(base_model.OpenEnum, name)
        or keyword.iskeyword(name)
        or not _is_member(name)
    ):
        name = f"{name}_"
    return name


_OF_MEMBERS = frozenset({"name", "value"})


def _is_member(name: str) -> bool:
    try:
        return [name] == [member.name for member in _enum_of(name)]
    except (TypeError, ValueError):  # `mro`, `_x_`, `_order_`
        return False


def _enum_of(name: str) -> type[StrEnum]:
    made: Any = StrEnum("Tried", {name: name})  # type: ignore[misc]  # the name is known only now
    return cast("type[StrEnum]", made)
