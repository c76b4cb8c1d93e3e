"""Requests over HTTP: connections, headers, and what becomes of failures."""

from __future__ import annotations

import asyncio
import email.utils
import importlib.util
import itertools
import json
import os
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import httpx
from mcli_mapi.base_model import Result, wire_variables
from mcli_mapi.client import Mapi

from mcli import _loop
from mcli._answers import decode, read
from mcli._connection import current
from mcli._network import is_loopback, keep_headers_out_of_logs, tls
from mcli._operations import deadline
from mcli._retry import Failure, Kind, is_ambiguous, pause
from mcli._version import __version__
from mcli.exceptions import MAPIException, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mcli._connection import Connection
    from mcli._socket import GraphQLSocket

__all__ = ["HttpTransport", "mapi", "transport"]

ResultT = TypeVar("ResultT", bound=Result)
T = TypeVar("T")

TRANSIENT = {429, 502, 503, 504}
"""Statuses that say `not now`."""
CONNECTIONS_PER_POOL = 8
"""httpcore looks at every connection of a pool for every request, so many small pools beat a large one."""
POOLS = 8
TIMEOUT = httpx.Timeout(60, connect=10, pool=None)
"""Seconds without a byte after which a connection counts as lost, also where the caller waits for ever."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: fewer than the 5 after which common servers close theirs."""


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
                error, failure = e, _refusal(e, response, changes=changes)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as e:
                error, failure = _unanswered(e, endpoint.url)
            if (
                unknown and failure.kind is Kind.UNREACHED
            ):  # it was there: it may come back with what it knows
                failure = Failure(Kind.LOST)
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
        from mcli._socket import GraphQLSocket  # 40 ms that a process without subscriptions saves

        connection = self._connection
        return self.keep(
            "socket", lambda: GraphQLSocket(connection.endpoint, lambda: _headers(connection.authorization()))
        )

    def keep(self, what: str, make: Callable[[], T]) -> T:
        """Return what all calls over this connection share, made at the first use; it has `aclose`."""
        return _loop.resource((what, self._connection.endpoint, self._connection.authorization()), make)

    def _endpoint(self) -> _Endpoint:
        url, http = self._connection.endpoint, self._connection.http
        return _loop.resource(("http", url, http), lambda: _Endpoint(url, http))

    async def _remembers(self, endpoint: _Endpoint) -> bool:
        """Tell whether the endpoint answers a repeated key with its first answer; ask it if that is not known yet."""
        if endpoint.remembers_keys is None:
            try:
                await self.execute(Result, "query Ping { __typename }", "Ping", {})
            except MAPIException:
                return False
        return bool(endpoint.remembers_keys)


class _Endpoint:
    """The connections to one endpoint, and what is known of it."""

    def __init__(self, url: str, http: httpx.AsyncBaseTransport | None) -> None:
        self.url = url
        self.remembers_keys: bool | None = None
        self._http = http
        self._pools: list[_Pool] = []

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        pool = self._least_busy()
        pool.busy += 1
        try:
            response = await pool.client.post(self.url, content=content, headers=headers)
        except asyncio.CancelledError:
            self._retire(pool)
            raise
        finally:
            pool.busy -= 1
            if pool.retired and not pool.busy:
                await pool.client.aclose()
        if response.headers.get("accept-idempotency-key") == "true":
            self.remembers_keys = True
        elif response.status_code == httpx.codes.OK:
            self.remembers_keys = self.remembers_keys or False
        return response

    def _least_busy(self) -> _Pool:
        """Prefer the first pool, so that calls in a row share one connection."""
        least = min(self._pools, key=lambda pool: pool.busy, default=None)
        if least is None or (least.busy >= CONNECTIONS_PER_POOL and len(self._pools) < POOLS):
            least = _Pool(self._client())
            self._pools.append(least)
        return next((p for p in self._pools if p.busy < CONNECTIONS_PER_POOL), least)

    def _retire(self, pool: _Pool) -> None:
        """Use a pool for no further request: httpcore may keep the connection of one that was cancelled, for ever."""
        if pool in self._pools and self._http is None:
            self._pools.remove(pool)
            pool.retired = True

    def _client(self) -> httpx.AsyncClient:
        url = httpx.URL(self.url)
        http2 = url.scheme == "https" and importlib.util.find_spec("h2") is not None
        if http2:
            keep_headers_out_of_logs()
        return httpx.AsyncClient(
            transport=self._http,
            verify=tls() if url.scheme == "https" else False,
            http2=http2,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=CONNECTIONS_PER_POOL, keepalive_expiry=KEEP_ALIVE),
            trust_env=not is_loopback(url.host),  # no proxy reaches this machine's loopback
        )

    async def aclose(self) -> None:
        await asyncio.gather(*(pool.client.aclose() for pool in self._pools))


class _Pool:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.busy = 0
        self.retired = False


def _body(document: str, operation: str, variables: Mapping[str, object]) -> bytes:
    try:
        body = {"query": document, "variables": wire_variables(variables)}
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as e:
        raise MAPIException(400, f"{operation} was not sent: its input is no JSON: {e}") from None


def _refusal(error: MAPIException, response: httpx.Response | None, *, changes: bool) -> Failure:
    """Say what an answer means that is an error, or none that can be read."""
    if response is not None and error.status in TRANSIENT:
        return Failure(Kind.REFUSED, int(error.status), _retry_after(response.headers.get("retry-after", "")))
    if response is not None and changes and _is_broken(response):
        return Failure(Kind.LOST, int(error.status))
    return Failure(Kind.FINAL, int(error.status))


def _is_broken(response: httpx.Response) -> bool:
    """Tell whether an answer may be what is left of the platform's; a page of HTML is something else's."""
    if response.is_client_error or (response.is_success and response.content.lstrip().startswith(b"<")):
        return False
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(answer, dict) and answer.keys() & {"data", "errors"})


def _retry_after(text: str) -> float | None:
    """Read seconds, at most a billion, or a date."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _unanswered(error: Exception, url: str) -> tuple[MAPIException, Failure]:
    """Say why no answer came."""
    what = _root_cause(error)
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        return MAPIException(400, f"The request to {url} cannot be sent: {what}."), Failure(Kind.FINAL)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return (
            MAPIException(
                503, f"Cannot connect to {url}: {what}.", "Is the endpoint right, and does it run?"
            ),
            Failure(Kind.UNREACHED),
        )
    if isinstance(error, httpx.TimeoutException):
        return MAPIException(504, f"{url} sent nothing for {TIMEOUT.read:g} s."), Failure(Kind.LOST)
    return MAPIException(503, f"The connection to {url} was lost: {what}."), Failure(Kind.LOST)


def _root_cause(error: BaseException) -> str:
    """Return the words of the operating system, which the layers above it replace by vaguer ones."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        return _root_cause(cause)
    if isinstance(error, BaseExceptionGroup):
        return _root_cause(error.exceptions[0])
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # asyncio puts the address in its place
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error) or type(error).__name__).removesuffix(".")


def _unknown(operation: str, error: MAPIException) -> OutcomeUnknown:
    return OutcomeUnknown(
        error.status,
        f"Whether {operation} was carried out is unknown: {error.message}",
        "It was not repeated. Look (get_runs, get_run, get_secrets) before you repeat it.",
    )


def _too_late(wait: float) -> bool:
    until = deadline.get()
    return until is not None and time.monotonic() + wait >= until
