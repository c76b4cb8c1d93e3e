"""The schema, and how a request is executed on it.

graphql-core is used directly: what ariadne would add are HTTP and websocket servers, and ours have to speak both
websocket subprotocols and answer in the one form of error that clients can read.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    OperationType,
    build_schema,
    create_source_event_stream,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from graphql.pyutils import is_awaitable

from mcli.platform.clock import parse_time
from mcli.platform.errors import RequestError
from mcli.platform.state.store import Once, Store
from mcli.platform.state.users import User

if TYPE_CHECKING:
    from datetime import datetime

    from mcli.platform.serving.logs import Logs
    from mcli.platform.serving.resolvers import Resolvers
    from mcli.platform.serving.watches import Watches

__all__ = ["Api", "Request", "error_to_wire", "schema_text"]

log: logging.Logger = logging.getLogger(__name__)

_DOCUMENTS = 256
"""Parsed documents that are kept: clients send the same few."""


def schema_text() -> str:
    """Read the schema: in the package where it was installed, else from the source tree."""
    platform = Path(__file__).parents[1]
    places = (platform / "mapi.graphql", platform.parents[1] / "schema" / "mapi.graphql")
    return next(place for place in places if place.exists()).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Request:
    """A GraphQL request of a known user."""

    user: User
    document: str
    variables: Mapping[str, Any] | None = None
    operation: str | None = None
    once: str | None = None
    """The `Idempotency-Key` that it came with."""

    @classmethod
    def read(cls, body: object, user: User, once: str | None = None) -> Request:
        """Read the body of a request. Raises `RequestError` 400."""
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise RequestError(400, "A request is an object with the text of a `query`.")
        variables, operation = body.get("variables"), body.get("operationName")
        if not isinstance(variables, dict | None) or not isinstance(operation, str | None):
            raise RequestError(400, "`variables` must be an object, and `operationName` a text.")
        return cls(user, body["query"], variables, operation, once)

    def mark(self, field: str) -> Once | None:
        """Give the mark under which a mutation field of this request takes effect once."""
        if self.once is None:
            return None
        content = json.dumps([self.document, self.variables, self.operation], sort_keys=True)
        return Once(self.user.id, f"{self.once}/{field}", hashlib.sha256(content.encode()).hexdigest())


class Api:
    """The schema bound to the parts of a platform."""

    def __init__(self, store: Store, resolvers: Resolvers, watches: Watches, logs: Logs) -> None:
        self._store = store
        self._schema = _schema(resolvers, store, watches, logs)
        self._parse = lru_cache(_DOCUMENTS)(self._parse_and_validate)

    async def answer(self, request: Request) -> dict[str, Any]:
        """Execute a query or mutation, and give the response. Nothing is raised but cancellation."""
        try:
            document, kind = self._understand(request)
            if kind is OperationType.SUBSCRIPTION:
                return {
                    "errors": [
                        error_to_wire(RequestError(400, "Subscriptions are answered over websockets."))
                    ]
                }
            if kind is OperationType.QUERY:
                result = await self._store.read(lambda db: self._execute(document, request, db))
            else:
                result = self._execute(document, request, None)
            if is_awaitable(result):
                result = await result
        except (RequestError, GraphQLError) as error:
            return {"errors": [error_to_wire(error)]}
        return response(result)

    async def subscribe(self, request: Request) -> AsyncGenerator[dict[str, Any], None]:
        """Execute any operation, and yield its responses.

        Raises `RequestError` or `GraphQLError` when it cannot be executed at all.
        """
        document, kind = self._understand(request)
        if kind is not OperationType.SUBSCRIPTION:
            yield await self.answer(request)
            return
        source = await create_source_event_stream(
            self._schema,
            document,
            context_value=request,
            variable_values=dict(request.variables or {}),
            operation_name=request.operation,
        )
        if isinstance(source, ExecutionResult):
            raise (
                source.errors[0] if source.errors else RequestError(500, "There is nothing to subscribe to.")
            )
        async with aclosing(cast("AsyncGenerator[object, None]", source)) as events:
            async for event in events:
                yield response(self._execute(document, request, event))

    def _execute(self, document: DocumentNode, request: Request, root: object) -> Any:
        return execute(
            self._schema,
            document,
            root_value=root,
            context_value=request,
            variable_values=dict(request.variables or {}),
            operation_name=request.operation,
            field_resolver=_field,
        )

    def _understand(self, request: Request) -> tuple[DocumentNode, OperationType]:
        document = self._parse(request.document)
        operation = get_operation_ast(document, request.operation)
        if operation is None:
            raise RequestError(
                400, "The document must hold one operation, or `operationName` name one of it."
            )
        return document, operation.operation

    def _parse_and_validate(self, text: str) -> DocumentNode:
        document = parse(text, no_location=True)
        for error in validate(self._schema, document, max_errors=1):
            raise error
        return document


def response(result: ExecutionResult) -> dict[str, Any]:
    """Give the response that stands for a result. Empty lists of errors are left out, old clients cannot bear null."""
    if result.errors:
        return {"errors": [error_to_wire(error) for error in result.errors], "data": result.data}
    return {"data": result.data}


def error_to_wire(error: Exception) -> dict[str, Any]:
    """Give the one form of error that clients can read: a message, and an integer code."""
    cause = error.original_error if isinstance(error, GraphQLError) and error.original_error else error
    if isinstance(cause, RequestError):
        return {"message": cause.message, "extensions": {"code": cause.code}}
    if isinstance(cause, GraphQLError):
        return {"message": cause.message, "extensions": {"code": 400}}
    log.error("A request failed", exc_info=cause)
    return {"message": "Internal error; the platform's log has more.", "extensions": {"code": 500}}


def _schema(resolvers: Resolvers, store: Store, watches: Watches, logs: Logs) -> GraphQLSchema:
    # Tests validate the file, so that no server has to at its start.
    schema = build_schema(schema_text(), assume_valid=True, assume_valid_sdl=True)
    moment = cast("GraphQLScalarType", schema.type_map["DateTime"])
    moment.parse_value = _parse_moment  # type: ignore[method-assign] # as graphql-core's constructor does
    query, mutation, subscription = (
        cast("GraphQLObjectType", schema.type_map[name]).fields
        for name in ("Query", "Mutation", "Subscription")
    )
    for name, read in resolvers.queries.items():
        query[name].resolve = _query(read)
    for name, change in resolvers.mutations.items():
        mutation[name].resolve = _mutation(change, store)
    for name, source in {"watchRunStatus": watches.statuses, "getRunLogsV2": logs.read}.items():
        subscription[name].subscribe = _subscription(source)
        subscription[name].resolve = _event
    return schema


def _query(read: Any) -> Any:
    def resolve(db: object, info: GraphQLResolveInfo, **arguments: object) -> object:
        return read(db, info.context.user, *arguments.values())

    return resolve


def _mutation(change: Any, store: Store) -> Any:
    async def resolve(_: object, info: GraphQLResolveInfo, **arguments: object) -> object:
        request: Request = info.context
        return await store.write(
            lambda transaction: change(transaction, request.user, *arguments.values()),
            request.mark(str(info.path.key)),
        )

    return resolve


def _subscription(source: Any) -> Any:
    def start(_: object, __: GraphQLResolveInfo, **arguments: object) -> object:
        return source(*arguments.values())

    return start


def _event(event: object, _: GraphQLResolveInfo, **__: object) -> object:
    return event


def _field(source: Any, info: GraphQLResolveInfo) -> object:
    value = source.get(info.field_name)
    return value() if callable(value) else value


def _parse_moment(value: object) -> datetime:
    try:
        return parse_time(str(value))
    except ValueError:
        raise GraphQLError(f"{value!r} is no moment in ISO 8601.") from None
