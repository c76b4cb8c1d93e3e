"""The platform over HTTP: `POST /graphql`, and websockets on the same path.

A request is refused by its head where that is enough: nothing of its body is kept for somebody without a key.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.serving.api import Api, Request
from mcli.platform.serving.failures import error_to_wire
from mcli.platform.serving.subscriptions import Message, Receive, Send, Socket, choose

if TYPE_CHECKING:
    from mcli.platform.serving.access import Access
    from mcli.platform.state.users import Keys

__all__ = ["PATH", "Server"]

log: logging.Logger = logging.getLogger(__name__)

PATH = "/graphql"
LARGEST_BODY = 64 << 20  # bytes: 200 metadata values of 100,000 bytes, escaped
_JSON = "application/json"
_GRAPHQL = "application/graphql-response+json"
_HEADERS = [(b"accept-idempotency-key", b"true"), (b"accept-local-dir", b"true")]


@dataclass(frozen=True)
class Reply:
    """What a request is answered with."""

    status: int
    content: dict[str, Any]
    media_type: str = _JSON

    def messages(self, kind: str) -> tuple[Message, Message]:
        """Return the two ASGI messages that send it; `kind` is `http` or `websocket.http`."""
        body = json.dumps(self.content, separators=(",", ":")).encode()
        headers = [
            *_HEADERS,
            (b"content-type", f"{self.media_type}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            (b"vary", b"accept"),
        ]
        if self.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"POST"))
        start = {"type": f"{kind}.response.start", "status": self.status, "headers": headers}
        return start, {"type": f"{kind}.response.body", "body": body}


class Server:
    """The ASGI application."""

    def __init__(self, api: Api, keys: Keys, access: Access) -> None:
        self._api = api
        self._keys = keys
        self._access = access
        self.busy: int = 0
        """Number of requests and sockets that are open."""
        self.last_used: float = time.monotonic()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.busy += 1
        try:
            if scope["type"] == "websocket":
                await self._serve_socket(scope, receive, send)
            else:
                await self._serve_request(scope, receive, send)
        finally:
            self.busy -= 1
            self.last_used = time.monotonic()

    async def _serve_socket(self, scope: Message, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            self._check_place(scope, _headers(scope))
        except RequestError as error:
            for message in _refusal(error).messages("websocket.http"):
                await send(message)
            return
        offered = list(scope["subprotocols"])
        protocol = choose(offered)
        name = protocol.name if protocol.name in offered else None
        await send({"type": "websocket.accept", "subprotocol": name, "headers": _HEADERS})
        await Socket(self._api, self._keys, protocol, receive, send).serve()

    async def _serve_request(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope, receive)
        except RequestError as error:
            reply = _refusal(error)
        except Exception as error:  # noqa: BLE001 - logged, and told in the form that clients read
            reply = Reply(500, {"errors": [error_to_wire(error)]})
        for message in reply.messages("http"):
            await send(message)

    async def _answer(self, scope: Message, receive: Receive) -> Reply:
        headers = _headers(scope)
        self._check_place(scope, headers)
        if scope["method"] != "POST":
            raise RequestError(405, f"GraphQL requests must be sent by POST, not by {scope['method']}.")
        user = self._keys.owner(headers.get("authorization"))
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise RequestError(415, f"The content type of a request must be {_JSON}.")
        body = await _read_body(receive, headers)
        media_type = _wanted(headers.get("accept", ""))
        once, version = headers.get("idempotency-key"), headers.get("x-mosaicml-client-version")
        try:
            answer = await self._api.answer(Request.read(_parse(body), user, once, version))
        except RequestError as error:
            return Reply(error.code, {"errors": [error_to_wire(error)]}, media_type)
        return Reply(_status(answer, media_type), answer, media_type)

    def _check_place(self, scope: Message, headers: dict[str, str]) -> None:
        self._access.check(headers)
        if scope["path"] != PATH:
            raise RequestError(404, f"There is nothing at this path; the platform is at {PATH}.")


def _refusal(error: RequestError) -> Reply:
    return Reply(error.code, {"errors": [error_to_wire(error)]})


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _wanted(accept: str) -> str:
    """Return the media type to answer with: GraphQL's own only for those who name it, and do not prefer plain JSON.

    >>> _wanted("*/*"), _wanted("application/graphql-response+json, application/json;q=0.9")
    ('application/json', 'application/graphql-response+json')
    """
    weights = dict(_weight(part) for part in accept.lower().split(","))
    return _GRAPHQL if 0 < weights.get(_GRAPHQL, 0) >= weights.get(_JSON, 0) else _JSON


def _weight(part: str) -> tuple[str, float]:
    name, *parameters = (each.strip() for each in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0
    return name, 1


def _status(answer: dict[str, Any], media_type: str) -> int:
    """Return 200, but for a request that was not executed if the client tells that from errors in fields."""
    if media_type == _GRAPHQL and "data" not in answer:
        return int(answer["errors"][0]["extensions"]["code"])
    return 200


async def _read_body(receive: Receive, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "0")
    _check_size(int(length) if length.isdecimal() else 0)  # h11 has refused what is not a number
    parts, size, more = list[bytes](), 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise RequestError(400, "The request ended early.")
        parts.append(event.get("body", b""))
        size, more = size + len(parts[-1]), event.get("more_body", False)
        _check_size(size)
    return b"".join(parts)


def _check_size(size: int) -> None:
    if size > LARGEST_BODY:
        raise RequestError(413, f"A request must be at most {LARGEST_BODY} bytes long.")


def _parse(body: bytes) -> object:
    try:
        # also a bare NaN, which is not JSON but sent by clients inside metadata: `inputs` says what becomes of it
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "The request is not JSON.") from None
