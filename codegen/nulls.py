"""The rule for nulls: which fields of an answer are read as an empty value where the schema promises one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_list_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import GraphQLNamedType, GraphQLSchema

    from codegen.settings import Settings

__all__ = ["default_of", "field_of", "table", "with_table"]

_EMPTY = {"Boolean": "false", "Float": "0", "ID": '""', "Int": "0", "String": '""'}
_BEGIN, _END = "<!-- defaults: written by `python -m codegen` -->", "<!-- end of the defaults -->"


def field_of(kind: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    """Return a field of an object or an interface; None for `__typename`, and for a union."""
    fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
    return fields.get(name)


def default_of(settings: Settings, schema: GraphQLSchema, coordinate: str) -> str | None:
    """Return what a null in a field is read as, in JSON; None where the rule leaves the field as the schema has it."""
    kind, _, name = coordinate.partition(".")
    found = field_of(schema.type_map.get(kind), name)
    if found is None or not isinstance(found.type, GraphQLNonNull):
        return None
    scalar = get_named_type(found.type).name
    if coordinate in settings.lenient or coordinate in settings.fatal or scalar not in settings.empty:
        return None
    return "[]" if is_list_type(found.type.of_type) else _EMPTY.get(scalar, '""')


def table(settings: Settings, schema: GraphQLSchema, selected: Iterable[str]) -> str:
    """Return the selected fields with a default, as a Markdown table with a row for each type."""
    rows: dict[str, list[str]] = {}
    for coordinate in sorted(set(selected)):
        default = default_of(settings, schema, coordinate)
        if default is not None:
            kind, _, name = coordinate.partition(".")
            rows.setdefault(kind, []).append(f"`{name}` `{default}`")
    lines = [f"| {kind} | {', '.join(fields)} |" for kind, fields in rows.items()]
    return "\n".join(["| type | fields, and what their null is read as |", "| --- | --- |", *lines])


def with_table(text: str, written: str) -> str:
    """Return a Markdown text with the table in its marked place.

    Raises:
        ValueError: The text has no such place.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"it must have the lines {_BEGIN} and {_END}")
    return f"{before}{begin}\n\n{written}\n\n{end}{after}"
