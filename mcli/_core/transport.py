"""Requests over HTTP: connections, headers, and what becomes of failures."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from typing import TYPE_CHECKING, TypeVar

import httpx
from mcli_mapi.base_model import Result, wire_variables
from mcli_mapi.client import Mapi

from mcli._core import loop
from mcli._core.answers import decode, read
from mcli._core.connection import current
from mcli._core.endpoint import Endpoint
from mcli._core.failures import refusal, unanswered
from mcli._core.operations import deadline
from mcli._core.retry import Failure, Kind, is_ambiguous, pause
from mcli._version import __version__
from mcli.exceptions import MAPIException, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mcli._core.connection import Connection
    from mcli._core.socket import GraphQLSocket

__all__ = ["HttpTransport", "mapi", "transport"]

ResultT = TypeVar("ResultT", bound=Result)
T = TypeVar("T")


def transport() -> HttpTransport:
    """Return the transport for calls made now.

    Raises:
        MCLIConfigError: There are no credentials, or the endpoint is no URL.
    """
    return HttpTransport(current())


def mapi() -> Mapi:
    """Return the typed operations for calls made now; see `transport`."""
    return transport().mapi()


def _headers(authorization: str) -> dict[str, str]:
    """Return the headers that say who asks, also sent in the first message of a websocket."""
    return {
        "Authorization": authorization,
        "Content-Type": "application/json",
        "x-mosaicml-client": "mcli",
        "x-mosaicml-client-version": __version__,
    }


class HttpTransport:
    """Carry operations over one connection's HTTP endpoint, and its subscriptions over a websocket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, result: type[ResultT], document: str, operation: str, variables: Mapping[str, object]
    ) -> ResultT:
        """Send a query or mutation and return its answer; try again where that is safe.

        Raises:
            OutcomeUnknown: A mutation was sent, and whether it was carried out cannot be told.
            MAPIException: Every other failure.
        """
        changes = document.lstrip().startswith("mutation")
        content = _body(document, operation, variables)
        key = {"Idempotency-Key": str(uuid.uuid4())} if changes else {}
        endpoint = self._endpoint()
        unknown = False
        for attempt in itertools.count(1):
            response = None
            try:
                response = await endpoint.post(content, _headers(self._connection.authorization()) | key)
                return read(result, response.content, response.status_code, response.reason_phrase)
            except MAPIException as e:
                error, failure = e, refusal(e, response, changes=changes)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as e:
                error, failure = unanswered(e, endpoint.url)
            if unknown and failure.kind is Kind.UNREACHED:
                failure = Failure(Kind.LOST)  # the platform was there: it may come back with what it knows
            unknown = changes and failure.kind is not Kind.FINAL and (unknown or is_ambiguous(failure))
            repeatable = not changes or (unknown and await self._remembers(endpoint))
            wait = pause(failure, attempt, repeatable=repeatable)
            if wait is None or _too_late(wait):
                raise _unknown(operation, error) if unknown else error
            await asyncio.sleep(wait)
        raise AssertionError  # count() does not end

    async def subscribe(
        self,
        result: type[ResultT],
        document: str,
        operation: str,  # noqa: ARG002  # the protocol's; a document has one operation
        variables: Mapping[str, object],
    ) -> AsyncIterator[ResultT]:
        """Yield what a subscription gives, over as many connections as it takes."""
        fixed = wire_variables(variables)
        async for batch in self.socket().subscribe(document, lambda: fixed):
            for payload in batch:
                yield decode(result, payload)

    def mapi(self) -> Mapi:
        """Return the typed operations over this transport."""
        return Mapi(self)

    def socket(self) -> GraphQLSocket:
        """Return the websocket that all subscriptions of this connection share."""
        from mcli._core.socket import GraphQLSocket  # 40 ms that a process without subscriptions saves

        connection = self._connection
        return self.keep(
            "socket", lambda: GraphQLSocket(connection.endpoint, lambda: _headers(connection.authorization()))
        )

    def keep(self, what: str, make: Callable[[], T]) -> T:
        """Return what all calls over this connection share, made at the first use; it has `aclose`."""
        return loop.resource((what, self._connection.endpoint, self._connection.authorization()), make)

    def _endpoint(self) -> Endpoint:
        url, http = self._connection.endpoint, self._connection.http
        return loop.resource(("http", url, http), lambda: Endpoint(url, http))

    async def _remembers(self, endpoint: Endpoint) -> bool:
        """Tell whether the endpoint answers a repeated key with its first answer; ask it if that is not known yet."""
        if endpoint.remembers_keys is None:
            try:
                await self.execute(Result, "query Ping { __typename }", "Ping", {})
            except MAPIException:
                return False
        return bool(endpoint.remembers_keys)


def _body(document: str, operation: str, variables: Mapping[str, object]) -> bytes:
    try:
        body = {"query": document, "variables": wire_variables(variables)}
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as e:
        raise MAPIException(400, f"{operation} was not sent: its input is no JSON: {e}") from None


def _unknown(operation: str, error: MAPIException) -> OutcomeUnknown:
    return OutcomeUnknown(
        error.status,
        f"Whether {operation} was carried out is unknown: {error.message}",
        "It was not repeated. Look (get_runs, get_run, get_secrets) before you repeat it.",
    )


def _too_late(wait: float) -> bool:
    until = deadline.get()
    return until is not None and time.monotonic() + wait >= until
