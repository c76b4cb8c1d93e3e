"""What every answer of the platform must be, whatever was asked: of the schema's types, and with readable errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    get_named_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import DocumentNode, SelectionSetNode

__all__ = ["problems"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_INT = 2**31


def problems(schema: GraphQLSchema, document: str, status: int, answer: Any) -> list[str]:
    """Return what is wrong with an answer to a document, in plain words; nothing if all is right."""
    if status != 200 or not isinstance(answer, dict):
        return [f"status {status} with {str(answer)[:200]}"]
    found = [each for error in answer.get("errors", ()) for each in _error_problems(error, "data" in answer)]
    if answer.keys() - {"data", "errors"} or not answer:
        found.append(f"an answer with the keys {sorted(answer)}")
    if "errors" in answer and not answer["errors"]:
        found.append("an empty list of errors")
    if answer.get("data") is not None:
        found += _Data(schema, parse(document)).problems(answer["data"])
    return found


def _error_problems(error: Any, was_executed: bool) -> Iterator[str]:
    code = error.get("extensions", {}).get("code")
    if type(code) is not int or not 400 <= code < 500:
        yield f"code {code!r}: {error}"
    if not isinstance(error.get("message"), str) or not error["message"]:
        yield f"no message: {error}"
    if was_executed and not error.get("path"):
        yield f"no path: {error}"


class _Data:
    """The `data` of an answer beside the document that asked for it."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._operation, *_ = (each for each in document.definitions if hasattr(each, "operation"))
        self._fragments = {
            each.name.value: each for each in document.definitions if hasattr(each, "type_condition")
        }

    def problems(self, data: Any) -> Iterator[str]:
        root = self._schema.get_root_type(self._operation.operation)
        yield from self._object(root, self._operation.selection_set, data, "data")

    def _object(self, kind: Any, selected: SelectionSetNode, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path} is not an object of type {kind}"
            return
        asked = list(self._fields(selected))
        if value.keys() != {_key(node) for node in asked}:
            yield f"{path} has {sorted(value)}"
        for node in asked:
            if node.name.value != "__typename":
                of = kind.fields[node.name.value].type
                yield from self._value(of, node, value.get(_key(node)), f"{path}.{_key(node)}")

    def _fields(self, selected: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selected.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                yield from self._fields(self._fragments[node.name.value].selection_set)
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set)

    def _value(self, kind: Any, node: FieldNode, value: Any, path: str) -> Iterator[str]:
        if value is None:
            if is_non_null_type(kind):
                yield f"{path} is null"
            return
        inner = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(inner):
            for number, each in enumerate(value if isinstance(value, list) else [None]):
                yield from self._value(inner.of_type, node, each, f"{path}[{number}]")
        elif is_object_type(inner) and node.selection_set:
            yield from self._object(inner, node.selection_set, value, path)
        elif not _is_leaf(inner, value):
            yield f"{path} is {value!r}, not {inner}"


def _key(node: FieldNode) -> str:
    return (node.alias or node.name).value


def _is_leaf(kind: Any, value: Any) -> bool:
    if is_enum_type(kind):
        return value in kind.values
    check = _LEAVES.get(get_named_type(kind).name)
    return check is None or check(value)


_LEAVES: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str),
    "ID": lambda value: isinstance(value, str),
    "Boolean": lambda value: isinstance(value, bool),
    "Int": lambda value: type(value) is int and -_INT <= value < _INT,
    "ByteOffset": lambda value: type(value) is int and value >= 0,
    "Float": lambda value: type(value) in {int, float},
    "DateTime": lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None,
}
"""What a value of each scalar must be; of `JSON` it may be anything."""
