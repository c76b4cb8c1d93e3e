"""The schema and the operations, read and checked. What does not fit is told with its place, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    DefinitionNode,
    DocumentNode,
    ExecutableDefinitionNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    Source,
    build_ast_schema,
    parse,
    print_source_location,
    validate,
    validate_schema,
)
from graphql.language import SourceLocation
from graphql.pyutils import did_you_mean, suggestion_list
from graphql.validation.validate import validate_sdl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from codegen.settings import Settings

__all__ = [
    "SourceError",
    "Sources",
    "line_of",
    "name_of",
    "problems_of",
    "read",
    "read_operations",
    "read_schema",
]


class SourceError(Exception):
    """The sources have mistakes: one text for each, with its place."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Sources:
    """What a package is made of."""

    schema: GraphQLSchema
    definitions: DocumentNode
    """The schema as it was written."""
    operations: DocumentNode
    """All operations and fragments, in one document; each node knows its file."""


def read(settings: Settings) -> Sources:
    """Read and check all sources.

    Raises:
        SourceError: The schema is not valid, an operation does not fit it, or a correction names what it lacks.
    """
    schema, definitions = read_schema(settings.schema, settings.shown(settings.schema))
    operations = read_operations(settings)
    problems = [*problems_of(schema, operations), *_wrong_corrections(settings, schema)]
    if problems:
        raise SourceError(problems)
    return Sources(schema, definitions, operations)


def read_schema(path: Path, name: str) -> tuple[GraphQLSchema, DocumentNode]:
    """Read a schema, and return it as it was written too."""
    document = _parse(path, name)
    if errors := validate_sdl(document):
        raise SourceError(map(_located, errors))
    schema = build_ast_schema(document, assume_valid_sdl=True)
    if errors := validate_schema(schema):
        raise SourceError(map(_located, errors))
    return schema, document


def read_operations(settings: Settings) -> DocumentNode:
    """Read all operations of an API, also those in folders of the folder, as one document."""
    definitions: list[DefinitionNode] = []
    problems = []
    for path in sorted(settings.operations.rglob("*.graphql")):
        try:
            definitions += _parse(path, settings.shown(path)).definitions
        except SourceError as error:
            problems += error.problems
    if not definitions and not problems:
        problems = [f"{settings.shown(settings.operations)}: there is no operation in any .graphql file"]
    if problems:
        raise SourceError(problems)
    return DocumentNode(definitions=tuple(definitions))


def problems_of(schema: GraphQLSchema, operations: DocumentNode) -> list[str]:
    """Say where operations do not fit a schema, each with file, line, column, operation, the line and a suggestion."""
    unnamed = [
        GraphQLError("An operation must have a name.", node)
        for node in operations.definitions
        if isinstance(node, OperationDefinitionNode) and node.name is None
    ]
    return [_located(error, operations) for error in [*unnamed, *validate(schema, operations)]]


def name_of(definition: ExecutableDefinitionNode) -> str:
    """Return what people call an operation or a fragment, e.g. `query GetRuns`."""
    name = definition.name.value if definition.name else "without a name"
    if isinstance(definition, OperationDefinitionNode):
        return f"{definition.operation.value} {name}"
    return f"fragment {name}"


def line_of(node: object) -> tuple[str, int]:
    """Return the file that a node stands in, and its line."""
    location = getattr(node, "loc", None)
    if location is None:
        return "", 0
    return location.source.name, location.start_token.line


def _parse(path: Path, name: str) -> DocumentNode:
    try:
        return parse(Source(path.read_text("utf-8"), name))
    except GraphQLError as error:
        raise SourceError([_located(error)]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError([f"{name} cannot be read: {error}"]) from error


def _located(error: GraphQLError, operations: DocumentNode | None = None) -> str:
    """Return an error with its place first, then the line and a mark under it."""
    source, positions = error.source, error.positions
    if source is None or not positions:
        return error.message
    at = min(positions)
    place = _place(source.body, at)
    around = _around(at, source, operations)
    where = f" in {name_of(around)}:" if around is not None else ""
    line = print_source_location(source, place).partition("\n")[2]
    return f"{source.name}:{place.line}:{place.column}:{where} {error.message}\n{line}"


def _place(text: str, at: int) -> SourceLocation:
    # graphql-core 3.2.13 is a line off after an empty line.
    return SourceLocation(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _around(
    position: int, source: Source, operations: DocumentNode | None
) -> ExecutableDefinitionNode | None:
    for node in operations.definitions if operations else ():
        spans = (
            node.loc is not None and node.loc.source is source and node.loc.start <= position < node.loc.end
        )
        if spans and isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            return node
    return None


def _wrong_corrections(settings: Settings, schema: GraphQLSchema) -> Iterator[str]:
    known = [
        f"{name}.{field}"
        for name, kind in schema.type_map.items()
        for field in getattr(kind, "fields", {})
        if not name.startswith("__")
    ]
    lines = settings.file.read_text("utf-8").splitlines()
    for coordinate in sorted({*settings.lenient, *settings.fatal} - {*known}):
        number = next((at for at, line in enumerate(lines, 1) if coordinate in line), 0)
        advice = did_you_mean(suggestion_list(coordinate, known)[:3])
        yield f"{settings.shown(settings.file)}:{number}: the schema does not have {coordinate!r}.{advice}"
