"""The fake over real sockets: HTTP, and websockets in both subprotocols."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from mcli import MAPIConnection
from mcli._core import loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    from tests.fake.platform import Fake
    from tests.fake.replies import Payload, Reply

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

__all__ = ["SUBPROTOCOLS", "connected", "listening"]

SUBPROTOCOLS = {
    "graphql-transport-ws": {"subscribe": "subscribe", "data": "next", "stop": "complete"},
    "graphql-ws": {"subscribe": "start", "data": "data", "stop": "stop"},
}
"""What each subprotocol calls the messages that differ."""


@contextmanager
def listening(fake: Fake, subprotocol: str = "graphql-transport-ws") -> Iterator[str]:
    """Serve the fake on a loopback port for the length of a block, and yield the URL of its endpoint."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        started = threading.Event()
        config = uvicorn.Config(
            _App(fake, subprotocol), log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        server = _Server(config, started)
        thread = threading.Thread(target=server.run, args=([listener],), name="fake")
        thread.start()
        started.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def connected(fake: Fake, key: str = "a-key") -> Iterator[None]:
    """Send the calls of a block to the fake: here, or over HTTP where FAKE_OVER_SOCKETS is set."""
    if not os.environ.get("FAKE_OVER_SOCKETS"):
        with MAPIConnection(fake.endpoint, key, http=fake):
            yield
        return
    with listening(fake) as url, MAPIConnection(url, key):
        yield
        loop.submit(loop.close_resources()).result()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._started_event = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started_event.set()


class _App:
    """The ASGI side of a fake."""

    def __init__(self, fake: Fake, subprotocol: str) -> None:
        self._fake = fake
        self._subprotocol = subprotocol

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def _http(self, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        reply = await self._fake.ask(body)
        headers = [(b"content-length", str(len(reply.content)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.content})

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        assert self._subprotocol in scope["subprotocols"], scope["subprotocols"]
        await receive()
        await send({"type": "websocket.accept", "subprotocol": self._subprotocol})
        words, running = SUBPROTOCOLS[self._subprotocol], dict[str, asyncio.Task[None]]()

        async def say(**message: Any) -> None:
            await send({"type": "websocket.send", "text": json.dumps(message)})

        while (received := await receive())["type"] != "websocket.disconnect":
            message = json.loads(received["text"])
            if message["type"] == "connection_init":
                assert "Authorization" in message["payload"], "the greeting has no key"
                await say(type="connection_ack")
            elif message["type"] == words["subscribe"]:
                running[message["id"]] = asyncio.create_task(self._stream(message, say))
            elif message["type"] == words["stop"] and message["id"] in running:
                running.pop(message["id"]).cancel()
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)

    async def _stream(self, asked: dict[str, Any], say: Callable[..., Awaitable[None]]) -> None:
        reply: Reply = await self._fake.ask(asked["payload"])
        for payload in reply.payloads:
            await say(id=asked["id"], **self._spelled(payload))

    def _spelled(self, payload: Payload) -> dict[str, Any]:
        if payload.kind == "data":
            return {"type": SUBPROTOCOLS[self._subprotocol]["data"], "payload": payload.content}
        if payload.kind == "error" and self._subprotocol == "graphql-ws":
            return {"type": "error", "payload": payload.content[0]}  # one object, not a list
        return {"type": payload.kind, **({"payload": payload.content} if payload.content else {})}
