"""What differs between two schemas: everything, each with how much it matters to clients.

The levels are those of graphql-core's own finder, which knows no safe changes and tells places in prose only.
Additions, deprecations and descriptions are safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    ast_from_value,
    is_introspection_type,
    is_required_argument,
    is_required_input_field,
    is_specified_directive,
    is_specified_scalar_type,
    print_ast,
)
from graphql.utilities.find_breaking_changes import (
    is_change_safe_for_input_object_field_or_field_arg,
    is_change_safe_for_object_or_interface_field,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import GraphQLArgument, GraphQLDirective, GraphQLNamedType, GraphQLSchema

__all__ = ["Change", "changes"]

Level = Literal["breaking", "dangerous", "safe"]


class Change(NamedTuple):
    """One difference between two schemas."""

    level: Level
    kind: str
    at: str
    """Its place: `Type`, `Type.field`, `Type.field(argument:)`, `Enum.VALUE`, `@directive`, `schema`."""
    text: str


def changes(old: GraphQLSchema, new: GraphQLSchema) -> list[Change]:
    """Return every difference between two schemas, the ones that matter most first."""
    found = [*_of_roots(old, new), *_of_types(old, new), *_of_directives(old, new)]
    order = ("breaking", "dangerous", "safe")
    return sorted(found, key=lambda change: (order.index(change.level), change.at))


def _of_roots(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    for word in ("query", "mutation", "subscription"):
        before, after = getattr(old, f"{word}_type"), getattr(new, f"{word}_type")
        if before is None and after is not None:
            yield Change("safe", "ROOT_TYPE_ADDED", "schema", f"{word} became {after}.")
        elif before is not None and str(before) != str(after):
            yield Change(
                "breaking", "ROOT_TYPE_CHANGED", "schema", f"{word} changed from {before} to {after}."
            )
    yield from _of_description("schema", old, new)


def _of_types(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    before, after = _types(old), _types(new)
    for name in before.keys() - after:
        yield Change("breaking", "TYPE_REMOVED", name, f"{name} was removed.")
    for name in after.keys() - before:
        yield Change("safe", "TYPE_ADDED", name, f"{_word(after[name])} {name} was added.")
    for name in before.keys() & after:
        if type(before[name]) is not type(after[name]):
            words = f"{_word(before[name])} to {_word(after[name])}"
            yield Change("breaking", "TYPE_CHANGED_KIND", name, f"{name} changed from {words}.")
        else:
            yield from _of_description(name, before[name], after[name])
            yield from _of_type(before[name], after[name])


def _types(schema: GraphQLSchema) -> dict[str, GraphQLNamedType]:
    kinds = schema.type_map.items()
    return {
        name: kind
        for name, kind in kinds
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
    }


def _of_type(old: Any, new: Any) -> Iterator[Change]:
    match old:
        case GraphQLEnumType():
            yield from _of_enum(old, new)
        case GraphQLUnionType():
            names = {kind.name for kind in old.types}, {kind.name for kind in new.types}
            yield from _of_members(old.name, *names, "TYPE_REMOVED_FROM_UNION", "TYPE_ADDED_TO_UNION")
        case GraphQLInputObjectType():
            yield from _of_input(old, new)
        case GraphQLObjectType() | GraphQLInterfaceType():
            names = {kind.name for kind in old.interfaces}, {kind.name for kind in new.interfaces}
            kinds = "IMPLEMENTED_INTERFACE_REMOVED", "IMPLEMENTED_INTERFACE_ADDED"
            yield from _of_members(old.name, *names, *kinds)
            yield from _of_fields(old, new)


def _of_members(at: str, old: set[str], new: set[str], removed: str, added: str) -> Iterator[Change]:
    for name in sorted(old - new):
        yield Change("breaking", removed, at, f"{at} lost {name}.")
    for name in sorted(new - old):
        yield Change("dangerous", added, at, f"{at} got {name}.")


def _of_enum(old: GraphQLEnumType, new: GraphQLEnumType) -> Iterator[Change]:
    for name in old.values.keys() - new.values:
        at = f"{old.name}.{name}"
        yield Change("breaking", "VALUE_REMOVED_FROM_ENUM", at, f"{at} was removed.")
    for name in new.values.keys() - old.values:
        at = f"{old.name}.{name}"
        yield Change("dangerous", "VALUE_ADDED_TO_ENUM", at, f"{at} was added.")
    for name in old.values.keys() & new.values:
        yield from _of_words(f"{old.name}.{name}", old.values[name], new.values[name])


def _of_input(old: GraphQLInputObjectType, new: GraphQLInputObjectType) -> Iterator[Change]:
    if old.is_one_of != new.is_one_of:
        text = f"{old.name} {'takes exactly one field now' if new.is_one_of else 'takes several fields now'}."
        yield Change("dangerous", "ONE_OF_CHANGED", old.name, text)
    for name in old.fields.keys() - new.fields:
        at = f"{old.name}.{name}"
        yield Change("breaking", "FIELD_REMOVED", at, f"{at} was removed.")
    for name in new.fields.keys() - old.fields:
        at, field = f"{old.name}.{name}", new.fields[name]
        if is_required_input_field(field):
            yield Change(
                "breaking", "REQUIRED_INPUT_FIELD_ADDED", at, f"{at}: {field.type} was added, required."
            )
        else:
            yield Change("dangerous", "OPTIONAL_INPUT_FIELD_ADDED", at, f"{at}: {field.type} was added.")
    for name in old.fields.keys() & new.fields:
        yield from _of_value(f"{old.name}.{name}", old.fields[name], new.fields[name], "FIELD_CHANGED_KIND")


def _of_fields(old: Any, new: Any) -> Iterator[Change]:
    for name in old.fields.keys() - new.fields:
        at = f"{old.name}.{name}"
        yield Change("breaking", "FIELD_REMOVED", at, f"{at} was removed.")
    for name in new.fields.keys() - old.fields:
        at = f"{old.name}.{name}"
        yield Change("safe", "FIELD_ADDED", at, f"{at}: {new.fields[name].type} was added.")
    for name in old.fields.keys() & new.fields:
        at, before, after = f"{old.name}.{name}", old.fields[name], new.fields[name]
        safe = is_change_safe_for_object_or_interface_field(before.type, after.type)
        yield from _of_kind(at, before.type, after.type, "FIELD_CHANGED_KIND", is_safe=safe)
        yield from _of_words(at, before, after)
        yield from _of_arguments(at, before.args, after.args, "ARG")


def _of_arguments(
    at: str, old: Mapping[str, GraphQLArgument], new: Mapping[str, GraphQLArgument], word: str
) -> Iterator[Change]:
    for name in old.keys() - new:
        place = f"{at}({name}:)"
        yield Change("breaking", f"{word}_REMOVED", place, f"{place} was removed.")
    for name in new.keys() - old:
        place, kind = f"{at}({name}:)", new[name].type
        if is_required_argument(new[name]):
            yield Change("breaking", f"REQUIRED_{word}_ADDED", place, f"{place} {kind} was added, required.")
        else:
            yield Change("dangerous", f"OPTIONAL_{word}_ADDED", place, f"{place} {kind} was added.")
    for name in old.keys() & new:
        yield from _of_value(f"{at}({name}:)", old[name], new[name], f"{word}_CHANGED_KIND")


def _of_value(at: str, old: Any, new: Any, kind: str) -> Iterator[Change]:
    """Compare two arguments or fields of inputs."""
    safe = is_change_safe_for_input_object_field_or_field_arg(old.type, new.type)
    yield from _of_kind(at, old.type, new.type, kind, is_safe=safe)
    yield from _of_words(at, old, new)
    before, after = _default(old), _default(new)
    if before != after and safe:
        text = f"The default of {at} changed from {before or 'none'} to {after or 'none'}."
        yield Change("dangerous", "DEFAULT_VALUE_CHANGED", at, text)


def _of_kind(at: str, old: Any, new: Any, kind: str, *, is_safe: bool) -> Iterator[Change]:
    if str(old) != str(new):
        level: Level = "safe" if is_safe else "breaking"
        yield Change(level, "TYPE_CHANGED" if is_safe else kind, at, f"{at} changed from {old} to {new}.")


def _of_words(at: str, old: Any, new: Any) -> Iterator[Change]:
    """Compare what is said about two things: descriptions and deprecations."""
    yield from _of_description(at, old, new)
    before, after = old.deprecation_reason, new.deprecation_reason
    if before == after:
        return
    if after is None:
        yield Change("safe", "DEPRECATION_REMOVED", at, f"{at} is no longer deprecated.")
    else:
        kind = "DEPRECATION_ADDED" if before is None else "DEPRECATION_CHANGED"
        yield Change("safe", kind, at, f"{at} is deprecated: {after or 'no reason given'}")


def _of_description(at: str, old: Any, new: Any) -> Iterator[Change]:
    if (old.description or "") != (new.description or ""):
        yield Change("safe", "DESCRIPTION_CHANGED", at, f"The description of {at} changed.")


def _of_directives(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    before, after = _directives(old), _directives(new)
    for name in before.keys() - after:
        yield Change("breaking", "DIRECTIVE_REMOVED", f"@{name}", f"@{name} was removed.")
    for name in after.keys() - before:
        yield Change("safe", "DIRECTIVE_ADDED", f"@{name}", f"@{name} was added.")
    for name in before.keys() & after:
        yield from _of_directive(f"@{name}", before[name], after[name])


def _of_directive(at: str, old: GraphQLDirective, new: GraphQLDirective) -> Iterator[Change]:
    yield from _of_arguments(at, old.args, new.args, "DIRECTIVE_ARG")
    yield from _of_description(at, old, new)
    if old.is_repeatable and not new.is_repeatable:
        text = f"{at} must not be repeated any more."
        yield Change("breaking", "DIRECTIVE_REPEATABLE_REMOVED", at, text)
    elif new.is_repeatable and not old.is_repeatable:
        yield Change("safe", "DIRECTIVE_REPEATABLE_ADDED", at, f"{at} may be repeated.")
    for place in sorted({*old.locations} - {*new.locations}, key=str):
        yield Change("breaking", "DIRECTIVE_LOCATION_REMOVED", at, f"{at} lost the location {place.value}.")
    for place in sorted({*new.locations} - {*old.locations}, key=str):
        yield Change("safe", "DIRECTIVE_LOCATION_ADDED", at, f"{at} got the location {place.value}.")


def _directives(schema: GraphQLSchema) -> dict[str, GraphQLDirective]:
    return {each.name: each for each in schema.directives if not is_specified_directive(each)}


def _default(value: Any) -> str:
    written = ast_from_value(value.default_value, value.type)
    return "" if written is None else print_ast(written)


def _word(kind: GraphQLNamedType) -> str:
    words = {"GraphQLInputObjectType": "input", "GraphQLObjectType": "type"}
    name = type(kind).__name__
    return words.get(name, name.removeprefix("GraphQL").removesuffix("Type").lower())
