"""The schema, and how a request is executed on it.

graphql-core is used directly: ariadne would add an HTTP and a websocket server, and ours must speak both websocket
subprotocols and answer with the only form of error that clients can read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationType,
    build_schema,
    execute,
)
from graphql.pyutils import is_awaitable

from mcli.platform.clock import parse_time
from mcli.platform.errors import RequestError
from mcli.platform.serving.documents import Documents
from mcli.platform.serving.failures import error_to_wire
from mcli.platform.serving.graphql_core import read_scalar, source_events
from mcli.platform.state import records
from mcli.platform.state.events import readable
from mcli.platform.state.store import Once, Store
from mcli.platform.state.users import User
from mcli.platform.submission.inputs import checked

if TYPE_CHECKING:
    from datetime import datetime

    from mcli.platform.serving.logs import Logs
    from mcli.platform.serving.resolvers import Resolvers, Settled
    from mcli.platform.serving.watches import Watches

__all__ = ["Api", "Request", "schema_text"]


def schema_text() -> str:
    """Return the schema, from the installed package or else from the source tree."""
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
    """The `Idempotency-Key` of the request."""
    version: str | None = None
    """The version that the client says it has."""

    @classmethod
    def read(cls, body: object, user: User, once: str | None = None, version: str | None = None) -> Request:
        """Return the request that a body holds.

        Raises:
            RequestError: 400, it is not a GraphQL request.
        """
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise RequestError(400, "A request must be an object with a `query`, which is a text.")
        variables, operation = body.get("variables"), body.get("operationName")
        if not isinstance(variables, dict | None) or not isinstance(operation, str | None):
            raise RequestError(400, "`variables` must be an object, and `operationName` must be a text.")
        if not isinstance(body.get("extensions"), dict | None):
            raise RequestError(400, "`extensions` must be an object.")
        return cls(user, body["query"], variables, operation, once, version)

    def mark(self, field: str) -> Once | None:
        """Return the mark that makes a mutation field of this request take effect once; None without a key."""
        if self.once is None:
            return None
        try:
            content = json.dumps([self.document, self.variables, self.operation], sort_keys=True)
        except RecursionError:
            raise RequestError(400, "variables must not be nested as deep as these.") from None
        return Once(self.user.id, f"{self.once}/{field}", hashlib.sha256(content.encode()).hexdigest())


class Api:
    """The schema bound to the parts of a platform."""

    def __init__(self, store: Store, resolvers: Resolvers, watches: Watches, logs: Logs) -> None:
        self._store = store
        self._schema = _schema(resolvers, store, watches, logs)
        self._documents = Documents(self._schema)

    async def answer(self, request: Request) -> dict[str, Any]:
        """Return the response to a query or mutation. Raises nothing: errors are part of the response."""
        try:
            document, kind = self._understand(request)
            if kind is OperationType.SUBSCRIPTION:
                raise RequestError(400, "Subscriptions are answered over websockets.")  # noqa: TRY301
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
        """Yield the responses to any operation.

        Raises:
            RequestError: It cannot be executed.
            GraphQLError: It is not what the schema allows.
        """
        document, kind = self._understand(request)
        if kind is not OperationType.SUBSCRIPTION:
            yield await self.answer(request)
            return
        source = await source_events(
            self._schema,
            document,
            context=request,
            variables=dict(request.variables or {}),
            operation=request.operation,
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
        document, operation = self._documents.operation(request.document, request.operation)
        return document, operation.operation


def response(result: ExecutionResult) -> dict[str, Any]:
    """Return the response for a result. Without errors there is no list of them: old clients fail on null."""
    if result.errors:
        return {"errors": [error_to_wire(error) for error in result.errors], "data": result.data}
    return {"data": result.data}


def _schema(resolvers: Resolvers, store: Store, watches: Watches, logs: Logs) -> GraphQLSchema:
    # tests validate the file, so that no server has to at its start
    schema = build_schema(schema_text(), assume_valid=True, assume_valid_sdl=True)
    read_scalar(schema, "DateTime", _parse_moment)
    read_scalar(schema, "ByteOffset", _parse_offset)
    query, mutation, subscription = (
        cast("GraphQLObjectType", schema.type_map[name]).fields
        for name in ("Query", "Mutation", "Subscription")
    )
    for name, read in resolvers.queries.items():
        query[name].resolve = _query(read)
    for name, change in resolvers.mutations.items():
        settled, staged = resolvers.settled.get(name), resolvers.staged.get(name)
        mutation[name].resolve = _mutation(change, store, watches, settled, staged)
    for name, source in {"watchRunStatus": watches.statuses, "getRunLogsV2": logs.read}.items():
        subscription[name].subscribe = _subscription(source)
        subscription[name].resolve = _event
    query["getFinetuneEvents"].resolve = _readable(query["getFinetuneEvents"].resolve)
    for kind, field in {
        "RunDetails": "formattedRunEvents",
        "FinetuneDetails": "formattedFinetuningEvents",
    }.items():
        cast("GraphQLObjectType", schema.type_map[kind]).fields[field].resolve = _readable(_field)
    return schema


def _readable(resolve: Any) -> Any:
    """Leave out of a list of events those that the client cannot read."""

    def read(source: object, info: GraphQLResolveInfo, **arguments: object) -> object:
        return readable(resolve(source, info, **arguments), info.context.version)

    return read


def _query(read: Any) -> Any:
    def resolve(db: object, info: GraphQLResolveInfo, **arguments: object) -> object:
        return read(db, info.context.user, *_checked(arguments))

    return resolve


def _mutation(change: Any, store: Store, watches: Watches, settled: Settled | None, staged: Any) -> Any:
    async def resolve(_: object, info: GraphQLResolveInfo, **arguments: object) -> object:
        request, given = cast("Request", info.context), _checked(arguments)
        stage = await asyncio.to_thread(staged, *given) if staged else None
        more = [stage] if stage else []
        try:
            answer = await store.write(
                lambda transaction: change(transaction, request.user, *given, *more),
                request.mark(str(info.path.key)),
            )
        finally:
            if stage:
                await asyncio.to_thread(stage.close)
        return await _settle(answer, request.user, store, watches, settled) if settled else answer

    return resolve


async def _settle(
    answer: list[dict[str, Any]], user: User, store: Store, watches: Watches, settled: Settled
) -> list[dict[str, Any]]:
    """Return an answer with those runs as they are later that had not yet got to where they were sent."""
    # a run that asks by its own token would wait for itself
    others = (run for run in answer if run["id"] != user.run_id)
    late = [run["id"] for run in others if run["status"] not in settled.statuses]
    if not late:
        return answer
    await watches.settled(late, settled.statuses)
    runs = await store.read(lambda db: settled.to_wire(db, records.load_all(db, late)))
    now = {run["id"]: run for run in runs}
    return [now.get(run["id"], run) for run in answer]


def _subscription(source: Any) -> Any:
    def start(_: object, __: GraphQLResolveInfo, **arguments: object) -> object:
        return source(*_checked(arguments))

    return start


def _checked(arguments: Mapping[str, object]) -> list[Any]:
    return [checked(name, value) for name, value in arguments.items()]


def _event(event: object, _: GraphQLResolveInfo, **__: object) -> object:
    return event


def _field(source: Any, info: GraphQLResolveInfo) -> object:
    value = source.get(info.field_name)
    return value() if callable(value) else value


def _parse_moment(value: object) -> datetime:
    try:
        return parse_time(str(value))
    except ValueError:
        raise GraphQLError(f"A time must be in ISO 8601, not {value!r}.") from None


def _parse_offset(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise GraphQLError(
            f"A position in a log must be a whole number of bytes from 0 to 2^63 - 1, not {value!r}."
        )
    return value
