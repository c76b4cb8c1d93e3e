"""Requests over HTTP: connections, headers, and what becomes of failures."""

from __future__ import annotations

import itertools
import json
import math
import time
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, TypeVar

from mcli_mapi.base_model import Result, wire_variables
from mcli_mapi.client import Mapi

from mcli._core import blocking
from mcli._core.answers import decode, read
from mcli._core.connection import current
from mcli._core.failures import UNANSWERED, refusal, unanswered
from mcli._core.library import httpx
from mcli._core.limits import Overdue, deadline, in_callers_thread, time_left
from mcli._core.process import resource
from mcli._core.retry import Failure, Kind, is_ambiguous, pause
from mcli._version import __version__
from mcli.exceptions import MAPIException, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mcli._core.connection import Connection
    from mcli._core.endpoint import Endpoint
    from mcli._core.proxies import Proxy
    from mcli._core.socket import GraphQLSocket

__all__ = ["HttpTransport", "mapi", "streams", "transport"]

QUESTIONS = 2
"""How often an endpoint is asked at most whether it remembers keys, before a change is given up."""
LONGEST_QUESTION = 1.0
"""Seconds that are waited between two such questions at most."""

ResultT = TypeVar("ResultT", bound=Result)
T = TypeVar("T")


def transport() -> HttpTransport:
    """Return the transport for calls made now.

    Raises:
        MCLIConfigError: There are no credentials, or the endpoint is no URL.
    """
    return HttpTransport(current())


def streams() -> HttpTransport:
    """Return the transport for a stream that is made now, with all that a websocket needs; see `transport`."""
    network = transport()
    network.socket()  # now, in the caller's thread, with all that it imports
    return network


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


_HTTP_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"mcli-sdk/{__version__}",
}


class Wire(Protocol):
    """Sends requests, and waits: on the event loop, or in the caller's thread, where nothing suspends."""

    @property
    def url(self) -> str: ...
    @property
    def proxy(self) -> Proxy | None: ...

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response: ...
    async def sleep(self, seconds: float) -> None: ...


class _Bridge:
    """Requests of the caller's thread that only the event loop can carry: by what a test gives in place of sockets."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.url, self.proxy = endpoint.url, endpoint.proxy

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        from mcli._core.loop import submit  # asyncio: see `operations`

        step = submit(self._endpoint.post(content, headers))
        try:
            return step.result(None if deadline.get() is None else time_left(math.inf))
        except TimeoutError:
            if step.done():
                raise  # its own
            raise Overdue from None
        finally:
            step.cancel()

    async def sleep(self, seconds: float) -> None:
        time.sleep(time_left(seconds))  # noqa: ASYNC251 - there is no event loop


class _Known:
    """What is known of an endpoint."""

    remembers_keys: bool | None = None
    """Whether it answers a request with the key of an earlier one by the earlier one's answer."""
    copies_folders: bool | None = None
    """Whether it is on this machine and takes folders of it along with a run."""

    def learn(self, response: httpx.Response) -> None:
        """Take note of what an answer tells."""
        is_ok = response.status_code == httpx.codes.OK
        for name, header in {
            "remembers_keys": "accept-idempotency-key",
            "copies_folders": "accept-local-dir",
        }.items():
            if response.headers.get(header) == "true":
                setattr(self, name, True)
            elif is_ok and getattr(self, name) is None:
                setattr(self, name, False)

    def close(self) -> None:
        """Do nothing: it is forgotten with the connections."""


class HttpTransport:
    """Carry operations over one connection's HTTP endpoint, and its subscriptions over a websocket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        where = (connection.endpoint, connection.http)
        self._known = resource(("known", *where), _Known)
        self._wire = _wire(*where)  # now, in the caller's thread, with all that it imports

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
        unknown = False
        for number in itertools.count(1):
            try:
                return await self._try(result, content, key, changes=changes)
            except _Failed as e:
                error, failure = e.error, e.failure
            if unknown and failure.kind is Kind.UNREACHED:
                failure = Failure(Kind.LOST)  # the platform was there: it may come back with what it knows
            unknown = changes and failure.kind is not Kind.FINAL and (unknown or is_ambiguous(failure))
            repeatable = not changes or (unknown and await self._remembers())
            wait = pause(failure, number, repeatable=repeatable)
            if wait is None or _too_late(wait):
                raise _unknown(operation, error) if unknown else error
            await self._wire.sleep(wait)
        raise AssertionError  # count() does not end

    async def _try(
        self, result: type[ResultT], content: bytes, key: Mapping[str, str], *, changes: bool
    ) -> ResultT:
        headers = {**_HTTP_HEADERS, **_headers(self._connection.authorization()), **key}
        response = None
        try:
            response = await self._wire.post(content, headers)
            self._known.learn(response)
            _refuse_redirect(response, self._wire.url)
            return read(result, response.content, response.status_code, response.reason_phrase)
        except MAPIException as e:
            raise _Failed(e, refusal(e, response, changes=changes)) from None
        except UNANSWERED as e:
            raise _Failed(*unanswered(e, self._wire.url, self._wire.proxy)) from None

    async def subscribe(
        self,
        result: type[ResultT],
        document: str,
        operation: str,  # noqa: ARG002 - the protocol's; a document has one operation
        variables: Mapping[str, object],
    ) -> AsyncIterator[ResultT]:
        """Yield what a subscription gives, over as many connections as it takes."""
        fixed = wire_variables(variables)
        async with aclosing(self.socket().subscribe(document, lambda: fixed, plain=True)) as batches:
            async for batch in batches:
                for item in batch:
                    yield decode(result, item.payload)

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
        return resource((what, self._connection.endpoint, self._connection.authorization()), make)

    async def require_copies(self) -> None:
        """Refuse a run that takes a folder of this machine along, if the endpoint does not copy it.

        Raises:
            MAPIException: 400, it does not.
        """
        if not await self._tells("copies_folders"):
            raise MAPIException(
                400,
                f"Integration local_dir needs a platform on this machine, which {self._wire.url} is not: "
                "it would have to copy the folder. Use git_repo, or MCLI_MODE=LOCAL.",
            )

    async def _remembers(self) -> bool:
        """Tell whether the endpoint answers a repeated key with its first answer."""
        return await self._tells("remembers_keys")

    async def _tells(self, what: str) -> bool:
        """Tell what the endpoint declares; ask it if that is not known yet."""
        content = _body("query Ping { __typename }", "Ping", {})
        refused = 0
        for number in itertools.count(1):
            if getattr(self._known, what) is not None:
                break
            try:
                await self._try(Result, content, {}, changes=False)
            except _Failed as e:
                refused += e.failure.kind is Kind.REFUSED
                wait = pause(e.failure, number, repeatable=True)
                if wait is None or refused == QUESTIONS or wait > LONGEST_QUESTION or _too_late(wait):
                    break
                await self._wire.sleep(wait)
        return bool(getattr(self._known, what))


class _Failed(Exception):  # noqa: N818 - a try's, not the call's
    """One try of a request failed."""

    def __init__(self, error: MAPIException, failure: Failure) -> None:
        super().__init__()
        self.error, self.failure = error, failure


def _wire(url: str, http: httpx.AsyncBaseTransport | httpx.BaseTransport | None) -> Wire:
    """Return what carries the requests of a call that is made now."""
    here = in_callers_thread.get()
    if here and not isinstance(http, httpx.AsyncBaseTransport):
        return resource(("blocking", url, http), lambda: blocking.Endpoint(url, http))
    from mcli._core.endpoint import Endpoint, InThread  # asyncio: see `operations`

    carrier = http if http is None or isinstance(http, httpx.AsyncBaseTransport) else InThread(http)
    endpoint = resource(("loop", url, http), lambda: Endpoint(url, carrier))
    return _Bridge(endpoint) if here else endpoint


def _refuse_redirect(response: httpx.Response, url: str) -> None:
    """Raise where the endpoint has moved: a key goes to no other place than the one that the user named."""
    if response.is_redirect:
        target = response.headers.get("location", "").partition("?")[0] or "nowhere"
        raise MAPIException(
            response.status_code,
            f"{url} redirects to {target}",
            "If you trust that place, use its URL as the endpoint; no request was sent there.",
        )


def _body(document: str, operation: str, variables: Mapping[str, object]) -> bytes:
    try:
        body = {"query": document, "variables": wire_variables(variables)}
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as e:
        raise MAPIException(
            400, f"{operation} was not sent: its input cannot be encoded as JSON: {e}"
        ) from None


def _unknown(operation: str, error: MAPIException) -> OutcomeUnknown:
    return OutcomeUnknown(
        error.status,
        f"Whether {operation} was carried out is unknown: {error.message}",
        "It was not repeated. Look (get_runs, get_run, get_secrets) before you repeat it.",
    )


def _too_late(wait: float) -> bool:
    until = deadline.get()
    return until is not None and time.monotonic() + wait >= until
