"""Subscriptions over one websocket, for as long as they live, whatever happens to the socket.

The socket opens with the first subscription and closes soon after the last one. It speaks `graphql-transport-ws` or
`graphql-ws`, as the server picks. When it drops, every subscription comes back by itself, with its own backoff; what
it asks for then is made anew, so a log goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from mcli._network import is_loopback, tls
from mcli.exceptions import MAPIException, from_graphql

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

__all__ = ["GraphQLSocket"]

CONNECT_TIMEOUT = 10.0
"""Seconds in which the handshake, and then the acknowledgement, must come."""
LINGER = 0.5
"""Seconds that a socket without subscriptions stays open for the next one."""
LARGEST_MESSAGE = 64 << 20
DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)
"""Seconds before each attempt to come back; after the last one the subscription fails."""
DELAYS_AT_FIRST = DELAYS[:3]
"""The same for a subscription that never was connected: a dead endpoint is told as such within a second."""
SILENCE = 20.0
"""Seconds without a byte, half of them after a ping, that a connection is given; then it counts as lost."""
STABLE = 10.0
"""Seconds after which a connection counts as a good one, even if nothing came over it."""
TRANSIENT = {429, 502, 503, 504}
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What comes of reading a message that is not of the protocol."""


class _Verbs(NamedTuple):
    """What one subprotocol calls the messages."""

    start: str
    stop: str
    data: str


_VERBS = {
    "graphql-transport-ws": _Verbs("subscribe", "complete", "next"),
    "graphql-ws": _Verbs("start", "stop", "data"),
}

# websockets logs whole messages at DEBUG, and the first one holds the key. A logger outside the hierarchy is one
# that no configuration of the application turns up.
_SILENT = logging.Logger("mcli.websockets", logging.CRITICAL)


class _Lost(Exception):  # noqa: N818  # no error, but what happened
    """The socket dropped, or could not be opened: the subscription may come back."""

    def __init__(self, error: MAPIException) -> None:
        super().__init__(str(error))
        self.error = error


class _Behind(Exception):  # noqa: N818  # no error either
    """The subscription was ended because its consumer fell behind: it goes on once that has caught up."""


_END = object()


class _Inbox:
    """What one subscription has received and not yet handed on."""

    def __init__(self, limit: int | None) -> None:
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


class _Delays:
    """The backoff of one subscription; it begins anew after progress."""

    def __init__(self) -> None:
        self._used = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        self._connected_at = time.monotonic()

    def received(self) -> None:
        self._used = 0

    def next(self) -> float | None:
        """Return the seconds to wait before the next attempt, None to give up."""
        if self._connected_at is not None and time.monotonic() - self._connected_at > STABLE:
            self._used = 0
        delays = DELAYS_AT_FIRST if self._connected_at is None else DELAYS
        if self._used == len(delays):
            return None
        self._used += 1
        return delays[self._used - 1]


class _Connection(ClientConnection):
    """A connection that counts what it hears, also inside a message: a slow one is not a dead one."""

    heard = 0

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        super().data_received(data)


class _Link:
    """One open socket and the subscriptions on it."""

    def __init__(self, socket: _Connection, verbs: _Verbs, silence: float) -> None:
        self._socket, self._verbs = socket, verbs
        self._inboxes: dict[str, _Inbox] = {}
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._reader = asyncio.create_task(self._read())
        self._spawn(self._listen_for_silence(silence / 2))
        self._unused = asyncio.get_running_loop().call_later(LINGER, self._close_if_unused)

    @property
    def is_open(self) -> bool:
        return not (self._closing or self._reader.done())

    def subscribe(self, payload: Mapping[str, Any], inbox: _Inbox) -> str:
        """Start a subscription and return its id."""
        self._unused.cancel()
        self._serial += 1
        serial = str(self._serial)
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
            async for raw in self._socket:
                self._receive(json.loads(raw), len(raw))
            end = _closed(self._socket)
        except ConnectionClosed:
            end = _closed(self._socket)
        except _UNREADABLE:
            end = _Lost(
                MAPIException(500, "The platform sent a message over the websocket that is no GraphQL.")
            )
            self._spawn(self._socket.close())
        inboxes, self._inboxes = self._inboxes, {}
        for inbox in inboxes.values():
            inbox.put(end)

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
            self._deliver(serial, inbox, payload, size)
        elif kind == "error":
            self._end(serial, _failure(payload))
        elif kind == "complete":
            self._end(serial, _END)

    def _deliver(self, serial: str, inbox: _Inbox, payload: Any, size: int) -> None:
        if not isinstance(payload, dict):
            self.leave(serial)
            inbox.put(MAPIException(500, "The platform sent a result over the websocket that is no object."))
        elif payload.get("errors"):
            self.leave(serial)
            inbox.put(_failure(payload["errors"]))
        elif inbox.put(payload, size):
            self.leave(serial)
            inbox.put(_Behind())

    def _end(self, serial: str, end: object) -> None:
        self._inboxes.pop(serial).put(end)
        self.leave(serial)

    def _say(self, **message: Any) -> None:
        self._spawn(self._send(**message))

    async def _send(self, **message: Any) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader tells every subscription
            await self._socket.send(json.dumps(message))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class GraphQLSocket:
    """The subscriptions of one endpoint and one user.

    Args:
        endpoint: The HTTP endpoint; the websocket is at the same place.
        greeting: Gives the payload of `connection_init`, anew for each connection.
        silence: Seconds without a byte after which a connection counts as lost.
    """

    def __init__(
        self, endpoint: str, greeting: Callable[[], Mapping[str, str]], *, silence: float = SILENCE
    ) -> None:
        self._endpoint = endpoint
        self._greeting = greeting
        self._silence = silence
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None

    async def subscribe(
        self, document: str, variables: Callable[[], Mapping[str, Any]], *, limit: int | None = None
    ) -> AsyncGenerator[list[Any], None]:
        """Yield the payloads of a subscription, in batches of all that came, until the server completes it.

        Args:
            document: Text of the operation.
            variables: Gives its variables, anew each time that the subscription is started.
            limit: Bytes that may wait for the consumer; beyond them the subscription pauses and is started again.
                None: no limit, for what cannot be started again without loss.

        Raises:
            MAPIException: The server refused, or the connection dropped and did not come back.
        """
        delays = _Delays()
        while True:
            try:
                link = await self._connected()
                delays.connected()
                inbox = _Inbox(limit)
                serial = link.subscribe({"query": document, "variables": variables()}, inbox)
                try:
                    while batch := await inbox.take():
                        delays.received()
                        yield batch
                    return
                finally:
                    link.leave(serial)
            except _Behind:
                continue
            except _Lost as lost:
                delay = delays.next()
                if delay is None:
                    raise lost.error from None
            await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311  # spreads, hides nothing

    async def _connected(self) -> _Link:
        """Return the open connection; however many ask for one, one is opened."""
        if self._link is not None and self._link.is_open:
            return self._link
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[_Link]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()

    async def _open(self) -> _Link:
        url = urlsplit("ws" + self._endpoint.removeprefix("http"))
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                socket = await connect(
                    url.geturl(),
                    ssl=tls() if url.scheme == "wss" else None,
                    proxy=None if is_loopback(url.hostname or "") else True,
                    subprotocols=[Subprotocol(name) for name in _VERBS],
                    max_size=LARGEST_MESSAGE,
                    open_timeout=None,
                    close_timeout=1,
                    ping_interval=None,  # its pings give up on connections that are merely slow
                    create_connection=_Connection,
                    logger=_SILENT,
                )
        except InvalidStatus as e:
            raise _refused(self._endpoint, e.response.status_code) from None
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError, TimeoutError) as e:
            raise _Lost(
                MAPIException(503, f"Cannot open a websocket at {self._endpoint}: {e or type(e).__name__}.")
            ) from None
        except InvalidURI as e:
            raise MAPIException(400, f"Cannot open a websocket at {self._endpoint}: {e}.") from None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._introduce(socket)
        except BaseException as e:
            await socket.close()
            if isinstance(e, ConnectionClosed):
                raise _closed(socket) from None
            if isinstance(e, TimeoutError):
                problem = f"{self._endpoint} did not acknowledge the websocket within {CONNECT_TIMEOUT:g} s."
                raise _Lost(MAPIException(504, problem)) from None
            if isinstance(e, _UNREADABLE):
                raise MAPIException(
                    500, f"{self._endpoint} does not speak GraphQL over websockets."
                ) from None
            raise
        # A server that picks none is taken for one that knows the older only, as the contract says.
        assert isinstance(socket, _Connection)  # noqa: S101  # what create_connection says, and its type does not
        return _Link(socket, _VERBS.get(socket.subprotocol or "", _VERBS["graphql-ws"]), self._silence)

    async def _introduce(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"type": "connection_init", "payload": dict(self._greeting())}))
        while (message := json.loads(await socket.recv()))["type"] != "connection_ack":
            if message["type"] == "ping":
                await socket.send('{"type": "pong"}')
            elif message["type"] == "connection_error":
                raise from_graphql(message.get("payload"), 401)

    async def aclose(self) -> None:
        """Close the socket; subscriptions that are left come back on a new one."""
        if self._opening is not None:
            self._opening.cancel()
        if self._link is not None:
            await self._link.aclose()


def _failure(errors: object) -> Exception:
    """Say what became of a subscription that the server failed."""
    error = from_graphql(errors, 400)
    return _Lost(error) if error.status in TRANSIENT else error


def _refused(endpoint: str, status: int) -> Exception:
    error = MAPIException(status, f"{endpoint} refused to open a websocket.")
    return _Lost(error) if status in TRANSIENT or status >= 500 else error


def _closed(socket: ClientConnection) -> Exception:
    """Say why the socket closed: a code from 4400 to 4499 is the server's refusal, all else a lost connection."""
    code, reason = socket.close_code or 1006, socket.close_reason
    text = f"The platform closed the websocket ({code}{f', {reason}' if reason else ''})."
    if 4400 <= code < 4500:
        return MAPIException(code - 4000, text)
    return _Lost(MAPIException(503, text, "Connection error. This may be transient."))
