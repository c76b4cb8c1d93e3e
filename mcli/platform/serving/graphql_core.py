"""Where graphql-core 3.2 and 3.3 differ in what the platform uses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import graphql

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

__all__ = ["read_scalar", "source_events"]

# 3.3 only; 3.2 takes what the executor is built from
_EXECUTOR: Any = getattr(graphql, "Executor", None)


async def source_events(
    schema: graphql.GraphQLSchema,
    document: graphql.DocumentNode,
    *,
    context: object,
    variables: dict[str, Any],
    operation: str | None,
) -> AsyncIterable[object] | graphql.ExecutionResult:
    """Return the events of a subscription before they are resolved, or the errors that prevent it.

    Args:
        schema: With resolvers that return the events.
        document: What was asked for, validated.
        context: What resolvers find in their `info`.
        variables: As the client sent them.
        operation: Name of the operation, if the document has several.
    """
    # by position: some have other names in 3.3
    asked = (schema, document, None, context, variables, operation)
    create: Any = graphql.create_source_event_stream
    if _EXECUTOR is None:
        events = create(*asked)
    else:
        executor = _EXECUTOR.build(*asked)
        if isinstance(executor, list):
            return graphql.ExecutionResult(None, errors=executor)
        events = create(executor)
    return cast("AsyncIterable[object]", await events if inspect.isawaitable(events) else events)


def read_scalar(schema: graphql.GraphQLSchema, name: str, read: Callable[[object], object]) -> None:
    """Have the values of a scalar that clients send read by a function, in variables and in documents."""
    scalar: Any = schema.type_map[name]
    # 3.3 calls it by another name, and keeps the older one for literals
    scalar.parse_value = scalar.coerce_input_value = read
