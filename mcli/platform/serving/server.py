"""The platform over HTTP: `POST /graphql`, and websockets on the same path.

Whoever answers here executes commands on this machine, so a web page that the user visits must not get through: only
requests to and from loopback hosts are served (a page cannot forge `Host` and `Origin`), and only JSON is read.
"""

from __future__ import annotations

import json
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcli.platform.errors import RequestError
from mcli.platform.serving.api import Api, Request
from mcli.platform.serving.subscriptions import Message, Receive, Send, Socket, choose

if TYPE_CHECKING:
    from mcli.platform.state.users import Keys

__all__ = ["PATH", "Server", "listen"]

PATH = "/graphql"
LARGEST_BODY = 64 << 20  # bytes: 200 metadata values of 100,000 bytes, escaped
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_HEADERS = [(b"content-type", b"application/json"), (b"accept-idempotency-key", b"true")]


class Server:
    """The ASGI application."""

    def __init__(self, api: Api, keys: Keys) -> None:
        self._api = api
        self._keys = keys
        self.busy: int = 0
        """Requests and sockets that are open."""
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
            _check_place(scope, _headers(scope))
        except RequestError:
            await send({"type": "websocket.close", "code": 4403})
            return
        offered = list(scope["subprotocols"])
        protocol = choose(offered)
        name = protocol.name if protocol.name in offered else None
        await send({"type": "websocket.accept", "subprotocol": name, "headers": _HEADERS[1:]})
        await Socket(self._api, self._keys, protocol, receive, send).serve()

    async def _serve_request(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            status, answer = 200, await self._answer(scope, receive)
        except RequestError as error:
            status = error.code
            answer = {"errors": [{"message": error.message, "extensions": {"code": error.code}}]}
        body = json.dumps(answer, separators=(",", ":")).encode()
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> dict[str, Any]:
        headers = _headers(scope)
        _check_place(scope, headers)
        if scope["method"] != "POST":
            raise RequestError(405, "Send GraphQL requests by POST.")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise RequestError(415, "Send the request as application/json.")
        body = await _read_body(receive)
        user = self._keys.owner(headers.get("authorization"))
        return await self._api.answer(Request.read(_parse(body), user, headers.get("idempotency-key")))


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _check_place(scope: Message, headers: dict[str, str]) -> None:
    origin = headers.get("origin")
    if _host(f"//{headers.get('host', '')}") not in _LOOPBACK or (origin and _host(origin) not in _LOOPBACK):
        raise RequestError(403, "The local platform serves only this machine.")
    if scope["path"] != PATH:
        raise RequestError(404, f"There is nothing at this path; the platform is at {PATH}.")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def _read_body(receive: Receive) -> bytes:
    parts, size, more = list[bytes](), 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise RequestError(400, "The request ended early.")
        parts.append(event.get("body", b""))
        size, more = size + len(parts[-1]), event.get("more_body", False)
        if size > LARGEST_BODY:
            raise RequestError(413, f"The request is larger than {LARGEST_BODY} bytes.")
    return b"".join(parts)


def _parse(body: bytes) -> object:
    try:
        # Clients send a bare NaN inside metadata, which is not JSON: it is kept as the text.
        return json.loads(body, parse_constant=str)
    except (ValueError, RecursionError):
        raise RequestError(400, "The request is not JSON.") from None


def listen(port: int) -> socket.socket:
    """Listen on loopback; port 0 takes a free one."""
    # With the protocol named asyncio sets TCP_NODELAY, without which each answer takes 50 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener
