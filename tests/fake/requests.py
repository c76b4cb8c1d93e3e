"""What the client sends, held against the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

__all__ = ["SCHEMA", "InvalidRequestError", "Request", "read_request", "read_schema"]


class InvalidRequestError(AssertionError):
    """The client sent what the schema does not allow."""


@dataclass(frozen=True)
class Request:
    """One operation, and what it was sent with."""

    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    """As they came, by the names of the wire."""
    coerced: Mapping[str, Any]
    """The same with the defaults of the schema."""
    document: str

    @property
    def name(self) -> str:
        """Name of the operation."""
        return self.operation.name.value if self.operation.name else ""

    @property
    def changes(self) -> bool:
        """Whether it is a mutation."""
        return self.operation.operation.value == "mutation"


def read_schema(text: str) -> GraphQLSchema:
    """Build a schema whose scalars refuse what they do not stand for."""
    schema = build_schema(text)
    for name, check in _CHECKS.items():
        scalar = schema.type_map.get(name)
        if isinstance(scalar, GraphQLScalarType):
            scalar.parse_value = check  # type: ignore[method-assign]  # graphql-core's own way to set it
    return schema


def read_request(schema: GraphQLSchema, body: Mapping[str, Any]) -> Request:
    """Read one request.

    Raises:
        InvalidRequestError: It is none, or does not fit the schema.
    """
    document, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(document, str):
        raise InvalidRequestError("the body has no query")
    operation, fragments = _read_document(schema, document)
    definitions = operation.variable_definitions
    unknown = variables.keys() - {each.variable.name.value for each in definitions}
    if unknown:
        raise InvalidRequestError(f"variables that the operation does not declare: {sorted(unknown)}")
    coerced = get_variable_values(schema, definitions, variables)
    if isinstance(coerced, list):
        raise InvalidRequestError(_texts(coerced))
    return Request(operation, fragments, variables, coerced, document)


@cache  # reading the text takes longer than all the rest
def _read_document(
    schema: GraphQLSchema, document: str
) -> tuple[OperationDefinitionNode, Mapping[str, FragmentDefinitionNode]]:
    try:
        tree = parse(document)
    except GraphQLError as e:
        raise InvalidRequestError(f"no operation: {e}") from e
    errors = validate(schema, tree)
    if errors:
        raise InvalidRequestError(_texts(errors))
    operations = [each for each in tree.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1:
        raise InvalidRequestError(f"{len(operations)} operations in one document, and no operationName")
    fragments = [each for each in tree.definitions if isinstance(each, FragmentDefinitionNode)]
    return operations[0], {each.name.value: each for each in fragments}


def read_body(content: bytes) -> Any:
    """Read a body as strict JSON.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        return json.loads(content, parse_constant=_no_number)
    except ValueError as e:
        raise InvalidRequestError(f"the body is no JSON: {e}") from e


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _texts(errors: list[GraphQLError]) -> str:
    return "; ".join(each.message for each in errors)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no offset")
    return moment


def _position(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no position")
    return value


_CHECKS = {"DateTime": _moment, "ByteOffset": _position}

SCHEMA = read_schema((Path(__file__).parents[2] / "schema" / "mapi.graphql").read_text("utf-8"))
