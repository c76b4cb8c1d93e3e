"""Say what a change of the live schema means for us.

`python -m codegen.refresh URL` asks an endpoint for its schema and compares it with `schema/mapi.graphql`. It
prints what breaks clients and what may surprise them, with `OURS` where an operation of ours is touched, and
the places where our operations are no longer valid. The exit status is 1 if there are such places and 2 if
the endpoint does not tell its schema. `--write` also puts the new schema in the place of ours. The key is
read from `MOSAICML_API_KEY`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from graphql import (
    GraphQLInputObjectType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    get_introspection_query,
    get_named_type,
    parse,
    print_schema,
    validate,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import (
        BreakingChange,
        DangerousChange,
        DocumentNode,
        FieldNode,
        GraphQLSchema,
        VariableDefinitionNode,
    )

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "schema" / "mapi.graphql"
OPERATIONS = ROOT / "codegen" / "operations"


class RefreshError(Exception):
    """The endpoint did not give a schema."""


@dataclass(frozen=True)
class Report:
    """What a new schema changes, and where our operations do not fit it."""

    changes: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([*self.changes, *self.invalid]) or "Nothing that matters has changed."


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m codegen.refresh", description="Compare with a live schema.")
    parser.add_argument("url", help="a MAPI endpoint, with /graphql")
    parser.add_argument("--write", action="store_true", help="replace schema/mapi.graphql")
    options = parser.parse_args(arguments)
    url: str = options.url
    try:
        new = introspect(url, os.environ.get("MOSAICML_API_KEY"))
    except RefreshError as error:
        print(f"refresh: {error}", file=sys.stderr)
        return 2
    report = compare(build_schema(SCHEMA.read_text("utf-8")), new, our_operations())
    print(report)
    if options.write:
        SCHEMA.write_text(f"{print_schema(new)}\n", "utf-8")
    return 1 if report.invalid else 0


def introspect(url: str, api_key: str | None) -> GraphQLSchema:
    """Ask an endpoint for its schema; raise `RefreshError` if it does not tell."""
    headers = {"Authorization": api_key} if api_key else {}
    query = get_introspection_query(descriptions=True, input_value_deprecation=True)
    try:
        response = httpx.post(url, json={"query": query}, headers=headers, timeout=30)
        body: Any = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RefreshError(f"{url} cannot be reached: {error}") from error
    except ValueError as error:
        raise RefreshError(f"{url} answered {response.status_code} without JSON") from error
    match body:
        case {"errors": [{"message": message}, *_]}:
            raise RefreshError(f"{url} does not tell its schema: {message}")
        case {"data": {"__schema": _} as data}:
            return build_client_schema(data)
        case _:
            raise RefreshError(f"{url} answered {response.status_code} without a schema")


def our_operations() -> DocumentNode:
    """Return everything that we send, as one document."""
    return parse("\n".join(path.read_text("utf-8") for path in sorted(OPERATIONS.glob("*.graphql"))))


def compare(old: GraphQLSchema, new: GraphQLSchema, operations: DocumentNode) -> Report:
    """Return what `new` changes for the clients of `old` that send `operations`."""
    used = coordinates(old, operations)
    kinds = (("breaking", find_breaking_changes(old, new)), ("dangerous", find_dangerous_changes(old, new)))
    return Report(
        changes=[_line(kind, change, used) for kind, changes in kinds for change in changes],
        invalid=[f"invalid   OURS  {error.message}" for error in validate(new, operations)],
    )


def coordinates(schema: GraphQLSchema, operations: DocumentNode) -> frozenset[str]:
    """Return the types, fields and arguments on which operations rely, as `Type` and `Type.field`."""
    collector = _Collector(TypeInfo(schema))
    visit(operations, TypeInfoVisitor(collector.types, collector))
    return frozenset(collector.found)


class _Collector(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, type_ = self.types.get_parent_type(), self.types.get_type()
        if parent is not None and type_ is not None:
            self.found |= {f"{parent.name}.{node.name.value}", get_named_type(type_).name}

    def enter_variable_definition(self, _node: VariableDefinitionNode, *_: object) -> None:
        self._add_input(self.types.get_input_type())

    def _add_input(self, type_: Any) -> None:
        named = get_named_type(type_)
        if named is None or named.name in self.found:
            return
        self.found.add(named.name)
        if isinstance(named, GraphQLInputObjectType):
            for name, input_field in named.fields.items():
                self.found.add(f"{named.name}.{name}")
                self._add_input(input_field.type)


def _line(kind: str, change: BreakingChange | DangerousChange, used: frozenset[str]) -> str:
    mark = "OURS" if any(name in used for name in _subjects(change.description)) else ""
    return f"{kind:<9} {mark:<5} {change.type.name}: {change.description}"


def _subjects(description: str) -> Iterator[str]:
    """Yield what a change is about.

    graphql-core says it in a sentence only: the first coordinate is the place, and names without a point
    count where there is no coordinate, as in `Run was removed.` or `X was removed from enum type RunStatus.`
    """
    words = re.findall(r"[A-Za-z_]\w*(?:\.\w+)*", description)
    places = [".".join(word.split(".")[:2]) for word in words if "." in word]
    yield from places[:1] or words


if __name__ == "__main__":
    sys.exit(main())
