"""One open websocket and the subscriptions on it, until it closes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mcli._core.answers import refused
from mcli._core.messages import Unread, result_in
from mcli._core.retry import TRANSIENT
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UNREADABLE", "VERBS", "Behind", "Connection", "Inbox", "Link", "Lost", "closed"]

STRETCH = 32
"""Messages that are read at a stretch, before those they are for have their turn."""
LINGER = 0.5
"""Seconds that a socket without subscriptions stays open for the next one."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What comes of reading a message that is not of the protocol."""


class Verbs(NamedTuple):
    """What one subprotocol calls the messages."""

    start: str
    stop: str
    data: str


VERBS = {
    "graphql-transport-ws": Verbs("subscribe", "complete", "next"),
    "graphql-ws": Verbs("start", "stop", "data"),
}


class Lost(Exception):  # noqa: N818 - not an error, but what happened
    """The socket dropped, or could not be opened: the subscription may come back."""

    def __init__(self, error: MAPIException) -> None:
        super().__init__(str(error))
        self.error = error


class Behind(Exception):  # noqa: N818 - not an error either
    """The subscription was ended because its consumer fell behind: it goes on once that has caught up."""


_END = object()


class Inbox:
    """What one subscription has received and not yet handed on.

    Args:
        limit: Bytes of messages that may wait; None: no limit.
        plain: Whether results come as JSON gives them, each an `Unread`.
    """

    def __init__(self, limit: int | None, *, plain: bool = False) -> None:
        self.plain = plain
        self._items: deque[Any] = deque()
        self._size = 0
        self._limit = limit
        self._news = asyncio.Event()

    def put(self, item: Any, size: int = 0) -> bool:
        """Add what came; return whether the limit, in bytes of messages, is passed."""
        self._items.append(item)
        self._size += size
        self._news.set()
        return self._limit is not None and self._size > self._limit

    async def take(self) -> list[Any]:
        """Wait for data and return all there is; what ended the subscription comes alone, after the data."""
        await self._news.wait()
        data = []
        while self._items and not self._is_end(self._items[0]):
            data.append(self._items.popleft())
        if data:
            self._size = 0
            if not self._items:
                self._news.clear()
            return data
        end = self._items[0]
        if end is _END:
            return []
        raise end

    @staticmethod
    def _is_end(item: Any) -> bool:
        return item is _END or isinstance(item, Exception)


class Connection(ClientConnection):
    """A connection that counts what it hears, also inside a message: a slow one is not a dead one."""

    heard = 0

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        super().data_received(data)


class Link:
    """One open socket and the subscriptions on it."""

    def __init__(self, socket: Connection, verbs: Verbs, silence: float) -> None:
        self._socket, self._verbs = socket, verbs
        self._inboxes: dict[str, Inbox] = {}
        self._serial = 0
        self._closing = False
        self._reader = asyncio.create_task(self._read())
        self._spawn(self._listen_for_silence(silence / 2))
        self._unused = asyncio.get_running_loop().call_later(LINGER, self._close_if_unused)

    @property
    def is_open(self) -> bool:
        return not (self._closing or self._reader.done())

    def subscribe(self, payload: Mapping[str, Any], inbox: Inbox) -> str:
        """Start a subscription and return its id."""
        self._unused.cancel()
        self._serial += 1
        serial = str(self._serial)
        if self._reader.done():  # it closed before this subscription's turn came: nobody else would tell
            inbox.put(closed(self._socket))
            return serial
        self._inboxes[serial] = inbox
        self._say(id=serial, type=self._verbs.start, payload=payload)
        return serial

    def leave(self, serial: str) -> None:
        """Forget a subscription, and tell the server if that does not know."""
        if self._inboxes.pop(serial, None) is not None:
            self._say(id=serial, type=self._verbs.stop)
        if not self._inboxes:
            self._unused.cancel()
            self._unused = asyncio.get_running_loop().call_later(LINGER, self._close_if_unused)

    def _close_if_unused(self) -> None:
        if not self._inboxes and self.is_open:
            self._spawn(self.aclose())

    async def aclose(self) -> None:
        self._closing = True
        self._unused.cancel()
        await self._socket.close()
        await asyncio.wait([self._reader])

    async def _listen_for_silence(self, patience: float) -> None:
        while self.is_open:
            heard = self._socket.heard
            await asyncio.wait([self._reader], timeout=patience)
            if self.is_open and self._socket.heard == heard:
                self._spawn(self._ping())
                await asyncio.wait([self._reader], timeout=patience)
                if self._socket.heard == heard:
                    self._socket.transport.abort()

    async def _ping(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.ping()

    async def _read(self) -> None:
        try:
            for number in itertools.count(1):
                raw = await self._socket.recv(decode=False)
                result = result_in(raw)
                if result is not None and not self._wants_plain(result[0]):
                    self._deliver(*result, len(raw))
                else:
                    self._receive(json.loads(raw), len(raw))
                if number % STRETCH == 0:
                    await self._give_way()
            end: Exception = closed(self._socket)
        except ConnectionClosed:
            end = closed(self._socket)
        except UNREADABLE:
            end = Lost(
                MAPIException(500, "The platform sent a message over the websocket that is not GraphQL.")
            )
            self._spawn(self._socket.close())
        inboxes, self._inboxes = self._inboxes, {}
        for inbox in inboxes.values():
            inbox.put(end)

    def _wants_plain(self, serial: str) -> bool:
        inbox = self._inboxes.get(serial)
        return inbox is not None and inbox.plain

    @staticmethod
    async def _give_way() -> None:
        """Let those hand on what they have who wait for it: while messages are there, reading them does not pause."""
        for _ in range(3):  # inbox, generator, future
            await asyncio.sleep(0)

    def _receive(self, message: dict[str, Any], size: int) -> None:
        kind = message["type"]
        if kind == "ping":
            self._say(type="pong")
        serial = message.get("id")
        inbox = self._inboxes.get(serial) if isinstance(serial, str) else None
        if inbox is None or serial is None:
            return  # a keep-alive, or a late message for a subscription that was left
        payload = message.get("payload")
        if kind == self._verbs.data:
            self._explain(serial, inbox, payload, size)
        elif kind == "error":
            self._end(serial, _failure(payload))
        elif kind == "complete":
            self._end(serial, _END)

    def _deliver(self, serial: str, data: Any, size: int) -> None:
        inbox = self._inboxes.get(serial)
        if inbox is not None and inbox.put(data, size):
            self.leave(serial)
            inbox.put(Behind())

    def _explain(self, serial: str, inbox: Inbox, payload: Any, size: int) -> None:
        if not isinstance(payload, dict):
            self.leave(serial)
            inbox.put(
                MAPIException(500, "The platform sent a result over the websocket that is not an object.")
            )
        elif payload.get("errors"):
            self.leave(serial)
            inbox.put(_failure(payload["errors"]))
        else:
            self._deliver(serial, Unread(payload), size)

    def _end(self, serial: str, end: object) -> None:
        self._inboxes.pop(serial).put(end)
        self.leave(serial)

    def _say(self, **message: Any) -> None:
        self._spawn(self._send(**message))

    async def _send(self, **message: Any) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader tells every subscription
            await self._socket.send(json.dumps(message))

    def _spawn(self, work: Any) -> None:
        asyncio.get_running_loop().create_task(work)


def _failure(errors: object) -> Exception:
    """Say what became of a subscription that the server failed."""
    error = refused(errors, 400)
    return Lost(error) if error.status in TRANSIENT else error


def closed(socket: ClientConnection) -> Exception:
    """Say why the socket closed: 4400 to 4499 is the server's refusal; anything else means that it was lost."""
    code, reason = socket.close_code or 1006, socket.close_reason
    text = f"The platform closed the websocket ({code}{f', {reason}' if reason else ''})."
    if 4400 <= code < 4500:
        return MAPIException(code - 4000, text)
    return Lost(MAPIException(503, text, "Connection error. This may be transient."))
