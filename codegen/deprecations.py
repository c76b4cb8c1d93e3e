"""What we use although the schema calls it deprecated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
)

from codegen.usage import by_coordinate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphql import GraphQLSchema

    from codegen.usage import Use

__all__ = ["deprecated", "warnings_about"]


def deprecated(schema: GraphQLSchema) -> dict[str, str]:
    """Return the reason for each deprecated field, argument, input field and enum value."""
    found: dict[str, str | None] = {}
    for kind in schema.type_map.values():
        match kind:
            case GraphQLObjectType(fields=fields) | GraphQLInterfaceType(fields=fields):
                for name, field in fields.items():
                    found[f"{kind.name}.{name}"] = field.deprecation_reason
                    for argument, of in field.args.items():
                        found[f"{kind.name}.{name}({argument}:)"] = of.deprecation_reason
            case GraphQLInputObjectType(fields=inputs):
                found |= {f"{kind.name}.{name}": each.deprecation_reason for name, each in inputs.items()}
            case GraphQLEnumType(values=values):
                found |= {f"{kind.name}.{name}": each.deprecation_reason for name, each in values.items()}
    return {coordinate: reason for coordinate, reason in found.items() if reason is not None}


def warnings_about(schema: GraphQLSchema, used: Iterable[Use]) -> Iterator[str]:
    """Yield a line for each deprecated thing that is used, with its places."""
    places = by_coordinate(used)
    for coordinate, reason in deprecated(schema).items():
        if coordinate in places:
            where = ", ".join(dict.fromkeys(use.place for use in places[coordinate]))
            yield f"deprecated: {coordinate} at {where}: {reason or 'the schema does not say why'}"
