"""Documents that clients send: parsed, validated, bounded and remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from graphql import (
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    get_operation_ast,
    parse,
    validate,
)

from mcli.platform.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, OperationDefinitionNode, SelectionSetNode

__all__ = ["Documents"]

_KEPT = 256
"""Parsed documents that are kept: clients send the same few."""
LARGEST_TEXT = 200_000  # characters: values belong into the variables
MOST_TOKENS = 4_000  # introspection has 163, and every field of a run 82
MOST_CALLS = 100
"""Fields of one operation that are answered by a call of the platform each, so that one request stops no other."""


class Documents:
    """What clients ask for, read against one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._parse = lru_cache(_KEPT)(self._parse_and_validate)

    def operation(self, text: str, name: str | None) -> tuple[DocumentNode, OperationDefinitionNode]:
        """Return a document, and its one operation or that with the given name.

        Raises:
            RequestError: 400, the document is too large, or holds no such operation.
            GraphQLError: It is not what the schema allows.
        """
        document = self._parse(text)
        operation = get_operation_ast(document, name)
        if operation is None:
            raise RequestError(
                400,
                "The document must hold one operation, or `operationName` must name one of its operations.",
            )
        fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        if _calls(operation.selection_set, fragments) > MOST_CALLS:
            raise RequestError(400, f"An operation must have at most {MOST_CALLS} fields at its root.")
        return document, operation

    def _parse_and_validate(self, text: str) -> DocumentNode:
        if len(text) > LARGEST_TEXT:
            raise RequestError(
                400,
                f"A document must be at most {LARGEST_TEXT} characters long; values belong into `variables`.",
            )
        try:
            document = parse(text, no_location=True, max_tokens=MOST_TOKENS)
            errors = validate(self._schema, document, max_errors=1)
        except RecursionError:
            raise RequestError(400, "The document is nested too deeply.") from None
        if errors:
            raise errors[0]
        return document


def _calls(selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """Count the fields at the root of an operation, those of its fragments included. Stops soon after the limit."""
    count, waiting = 0, [selected]
    while waiting and count <= MOST_CALLS:
        for each in waiting.pop().selections:
            count += 1
            if isinstance(each, FragmentSpreadNode):
                waiting.append(fragments[each.name.value].selection_set)
            elif isinstance(each, InlineFragmentNode):
                waiting.append(each.selection_set)
    return count
