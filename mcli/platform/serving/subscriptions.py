"""GraphQL over a websocket, in both subprotocols: `graphql-transport-ws`, and its predecessor `graphql-ws`.

A wrong key does not close the socket, because old clients would then retry for ever: the socket is accepted, and each
subscription on it is answered with an error 401.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError
from uvicorn.protocols.utils import ClientDisconnected

from mcli.platform.errors import RequestError
from mcli.platform.serving.api import Api, Request
from mcli.platform.serving.failures import error_to_wire

if TYPE_CHECKING:
    from mcli.platform.state.users import Keys

__all__ = ["Message", "Receive", "Send", "Socket", "choose"]

log: logging.Logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Protocol:
    """The words of a subprotocol."""

    name: str
    start: str
    stop: str
    data: str
    lists_errors: bool
    """Whether the payload of `error` is a list of errors, or one."""
    says_alive: bool
    """Whether `connection_ack` is followed by a first keep-alive, and `stop` answered by `complete`."""


NEW = Protocol("graphql-transport-ws", "subscribe", "complete", "next", lists_errors=True, says_alive=False)
OLD = Protocol("graphql-ws", "start", "stop", "data", lists_errors=False, says_alive=True)


class MessageError(Exception):
    """The subprotocol does not allow a message: the socket is closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def choose(offered: list[str]) -> Protocol:
    """Return the better of the offered subprotocols; a client that offers none speaks the old one."""
    return NEW if NEW.name in offered else OLD


class Socket:
    """One websocket and the subscriptions on it."""

    def __init__(self, api: Api, keys: Keys, protocol: Protocol, receive: Receive, send: Send) -> None:
        self._api = api
        self._keys = keys
        self._protocol = protocol
        self._receive = receive
        self._send = send
        self._authorization: str | None = None
        self._acknowledged = False
        self._subscriptions: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answer until the client leaves, then end all of its subscriptions."""
        try:
            while (event := await self._receive())["type"] != "websocket.disconnect":
                await self._handle(_read(event))
        except MessageError as bad:
            await self._send({"type": "websocket.close", "code": bad.code, "reason": bad.reason})
        finally:
            tasks = list(self._subscriptions.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, message: dict[str, Any]) -> None:
        kind, key = message.get("type"), str(message.get("id", ""))
        if kind == "connection_init":
            await self._greet(message.get("payload") or {})
        elif kind == self._protocol.start:
            await self._start(key, message.get("payload"))
        elif kind == self._protocol.stop:
            await self._stop(key)
        elif kind == "ping":
            await self._say(type="pong")
        elif kind == "connection_terminate":
            raise MessageError(1000, "")
        elif kind != "pong":
            raise MessageError(4400, f"Unknown message type {str(kind)[:50]!r}")

    async def _greet(self, payload: Any) -> None:
        if self._acknowledged and self._protocol is NEW:
            raise MessageError(4429, "Too many initialisation requests")
        if not isinstance(payload, dict):
            raise MessageError(4400, "The payload of connection_init must be an object")
        headers = {str(name).lower(): value for name, value in payload.items()}
        self._authorization = str(headers.get("authorization") or "")
        self._acknowledged = True
        await self._say(type="connection_ack")
        if self._protocol.says_alive:
            await self._say(type="ka")

    async def _start(self, key: str, payload: object) -> None:
        if key in self._subscriptions:
            raise MessageError(4409, f"Subscriber for {key[:50]} already exists")
        task = asyncio.create_task(self._run(key, payload))
        self._subscriptions[key] = task
        task.add_done_callback(lambda _: self._forget(key, task))

    async def _stop(self, key: str) -> None:
        task = self._subscriptions.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._protocol.says_alive:
                await self._say(id=key, type="complete")

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._subscriptions.get(key) is task:
            del self._subscriptions[key]

    async def _run(self, key: str, payload: object) -> None:
        """Send the responses of one subscription, as fast as the client takes them."""
        try:
            user = self._keys.owner(self._authorization)
            async with aclosing(self._api.subscribe(Request.read(payload, user))) as responses:
                async for response in responses:
                    await self._say(id=key, type=self._protocol.data, payload=response)
                    # a client that takes all at once must not hold up the others, nor hide that it has left
                    await asyncio.sleep(0)
            await self._say(id=key, type="complete")
        except ClientDisconnected:
            pass  # `serve` hears of it as well
        except (RequestError, GraphQLError) as error:
            await self._refuse(key, error)
        except Exception as error:
            log.exception("A subscription failed")
            await self._refuse(key, error)

    async def _refuse(self, key: str, error: Exception) -> None:
        problem = error_to_wire(error)
        await self._say(id=key, type="error", payload=[problem] if self._protocol.lists_errors else problem)

    async def _say(self, **message: Any) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps(message, separators=(",", ":"))})


def _read(event: Message) -> dict[str, Any]:
    try:
        message = json.loads(event.get("text") or event.get("bytes") or "")
    except (ValueError, RecursionError):
        raise MessageError(4400, "Messages must be JSON") from None
    if not isinstance(message, dict):
        raise MessageError(4400, "Messages must be objects")
    return message
