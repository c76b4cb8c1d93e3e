"""Answers of which every part is known, to see where each part of an answer ends up."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import FieldNode

    from tests.fake.requests import Request

__all__ = ["Leaf", "example", "pairs"]


class Leaf(NamedTuple):
    """A place in an answer that has no parts."""

    path: tuple[str, ...]
    field: str
    """Where the schema defines it, as `Type.field`."""
    kind: str
    """Name of its scalar or enum."""
    is_list: bool
    is_nullable: bool


def example(schema: GraphQLSchema, request: Request, value: Callable[[Leaf], Any]) -> dict[str, Any]:
    """Return an answer in which every list of objects has one item, and every leaf the value that is given for it."""

    def build(
        of: GraphQLObjectType, selected: Mapping[str, list[FieldNode]], path: tuple[str, ...]
    ) -> dict[str, Any]:
        return {key: part(of, nodes, (*path, key)) for key, nodes in selected.items()}

    def part(of: GraphQLObjectType, nodes: list[FieldNode], path: tuple[str, ...]) -> Any:
        name = nodes[0].name.value
        kind = of.fields[name].type
        named, is_list = get_named_type(kind), is_list_type(get_nullable_type(kind))
        if is_leaf_type(named):
            return value(Leaf(path, f"{of.name}.{name}", named.name, is_list, not is_non_null_type(kind)))
        assert isinstance(named, GraphQLObjectType)
        below = collect_sub_fields(schema, dict(request.fragments), dict(request.coerced), named, nodes)
        item = build(named, below, path)
        return [item] if is_list else item

    root = schema.get_root_type(request.operation.operation)
    assert root is not None
    selected = collect_fields(
        schema, dict(request.fragments), dict(request.coerced), root, request.operation.selection_set
    )
    return build(root, selected, ())


@cache
def pairs(schema: GraphQLSchema, leaf: Leaf) -> list[tuple[Any, Any]]:
    """Return values for a leaf, two by two: a reader that keeps the leaf tells at least one such pair apart."""
    kinds = schema.type_map.values()
    words = [list(each.values) for each in kinds if isinstance(each, GraphQLEnumType)]
    # What is JSON in an answer was an input once, or a part of one.
    keys = [name for each in kinds if isinstance(each, GraphQLInputObjectType) for name in each.fields]
    known: dict[str, list[tuple[Any, Any]]] = {
        "Boolean": [(False, True)],
        "ByteOffset": [(1, 2)],
        "DateTime": [("2024-06-04T00:35:56.000Z", "2024-06-04T00:35:56.001Z")],
        "Float": [(0.5, 0.25)],
        "ID": [("one", "other")],
        "Int": [(3600, 3601)],
        "JSON": [(dict.fromkeys(keys, "one"), dict.fromkeys(keys, "other"))],
        "String": [("one", "other"), *(pair for each in words for pair in pairwise(each))],
    }
    named = schema.type_map[leaf.kind]
    values = list(pairwise(named.values)) if isinstance(named, GraphQLEnumType) else known[leaf.kind]
    return [([one], [other]) for one, other in values] if leaf.is_list else values
