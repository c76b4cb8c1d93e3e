"""Subscriptions over one websocket, for as long as they live, whatever happens to the socket.

The socket opens with the first subscription and closes soon after the last one. It speaks `graphql-transport-ws` or
`graphql-ws`, as the server picks. When it drops, every subscription comes back by itself, with its own backoff; what
it asks for then is made anew, so a log goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from mcli._core.answers import refused
from mcli._core.failures import root_cause, unverified
from mcli._core.link import UNREADABLE, VERBS, Behind, Connection, Inbox, Link, Lost, closed
from mcli._core.network import tls
from mcli._core.proxies import proxy_for
from mcli._core.retry import TRANSIENT
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from websockets.http11 import Response

__all__ = ["GraphQLSocket"]

CONNECT_TIMEOUT = 10.0
"""Seconds in which the handshake, and then the acknowledgement, must come."""
LARGEST_MESSAGE = 64 << 20
DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)
"""Seconds before each try to come back; after the last one the subscription fails."""
DELAYS_AT_FIRST = DELAYS[:3]
"""The same for a subscription that never was connected: a dead endpoint is told as such within a second."""
SILENCE = 20.0
"""Seconds without a byte, half of them after a ping, that a connection is given; then it counts as lost."""
STABLE = 10.0
"""Seconds after which a connection counts as a good one, even if nothing came over it."""

# websockets logs whole messages at DEBUG, and the first one holds the key. A logger outside the hierarchy is one
# that no configuration of the application turns up.
_SILENT = logging.Logger("mcli.websockets", logging.CRITICAL)


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
        """Return the seconds to wait before the next try, None to give up."""
        if self._connected_at is not None and time.monotonic() - self._connected_at > STABLE:
            self._used = 0
        delays = DELAYS_AT_FIRST if self._connected_at is None else DELAYS
        if self._used == len(delays):
            return None
        self._used += 1
        return delays[self._used - 1]


class GraphQLSocket:
    """The subscriptions of one endpoint and one user.

    Args:
        endpoint: The HTTP endpoint; the websocket is at the same place.
        greeting: Gives the payload of `connection_init`, anew for each connection.
        silence: Seconds without a byte after which a connection counts as lost.

    Raises:
        MCLIConfigError: The certificates or the proxy that the environment names cannot be used.
    """

    def __init__(
        self, endpoint: str, greeting: Callable[[], Mapping[str, str]], *, silence: float = SILENCE
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy_for(endpoint)
        if endpoint.startswith("https:"):
            tls()  # fail at the call, not in the stream
        self._greeting = greeting
        self._silence = silence
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None

    async def subscribe(
        self,
        document: str,
        variables: Callable[[], Mapping[str, Any]],
        *,
        limit: int | None = None,
        plain: bool = False,
    ) -> AsyncGenerator[list[Any], None]:
        """Yield the results of a subscription, in batches of all that came, until the server completes it.

        A result is its `data`, or `Unread`.

        Args:
            document: Text of the operation.
            variables: Gives its variables, anew each time that the subscription is started.
            limit: Bytes that may wait for the consumer; beyond them the subscription pauses and is started again.
                None: no limit, for what cannot be started again without loss.
            plain: Whether results come as JSON gives them, each an `Unread`.

        Raises:
            MAPIException: The server refused, or the connection dropped and did not come back.
        """
        delays = _Delays()
        while True:
            try:
                link = await self._connected()
                delays.connected()
                inbox = Inbox(limit, plain=plain)
                serial = link.subscribe({"query": document, "variables": variables()}, inbox)
                try:
                    while batch := await inbox.take():
                        delays.received()
                        yield batch
                    return
                finally:
                    link.leave(serial)
            except Behind:
                continue
            except Lost as lost:
                delay = delays.next()
                if delay is None:
                    raise lost.error from None
            await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311 - spreads, hides nothing

    async def _connected(self) -> Link:
        """Return the open connection; however many ask for one, one is opened."""
        if self._link is not None and self._link.is_open:
            return self._link
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[Link]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()

    async def _open(self) -> Link:
        """Open a socket and greet the server, or say why that failed: `Lost` if it may work later."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                socket = await self._connect()
        except InvalidStatus as e:
            raise _refused(self._endpoint, e.response) from None
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as e:
            raise self._unreached(e) from None
        except (InvalidURI, ImportError, ValueError) as e:
            raise MAPIException(400, f"Cannot open a websocket at {self._endpoint}: {e}.") from None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._introduce(socket)
        except BaseException as e:  # noqa: BLE001 - whatever it is, the socket is closed
            await socket.close()
            raise self._not_acknowledged(socket, e) from None
        # A server that picks none is taken for one that knows the older only, as the contract says.
        return Link(socket, VERBS.get(socket.subprotocol or "", VERBS["graphql-ws"]), self._silence)

    async def _connect(self) -> Connection:
        url = "ws" + self._endpoint.removeprefix("http")
        socket = await connect(
            url,
            ssl=tls() if url.startswith("wss:") else None,
            proxy=None if self._proxy is None else self._proxy.url,
            subprotocols=[Subprotocol(name) for name in VERBS],
            max_size=LARGEST_MESSAGE,
            open_timeout=None,
            close_timeout=1,
            ping_interval=None,  # its pings give up on connections that are merely slow
            create_connection=Connection,
            logger=_SILENT,
        )
        assert isinstance(socket, Connection)  # noqa: S101 - what create_connection says, and its type does not
        return socket

    def _unreached(self, error: Exception) -> Exception:
        if (untrusted := unverified(error, self._endpoint)) is not None:
            return untrusted
        by = "" if self._proxy is None else f" by {self._proxy}"
        what = f"no answer within {CONNECT_TIMEOUT:g} s" if type(error) is TimeoutError else root_cause(error)
        text = f"Cannot open a websocket at {self._endpoint}{by}: {what}."
        return Lost(MAPIException(503, text))

    def _not_acknowledged(self, socket: Connection, error: BaseException) -> BaseException:
        if isinstance(error, ConnectionClosed):
            return closed(socket)
        if isinstance(error, TimeoutError):
            text = f"{self._endpoint} did not acknowledge the websocket within {CONNECT_TIMEOUT:g} s."
            return Lost(MAPIException(504, text))
        if isinstance(error, UNREADABLE):
            return MAPIException(500, f"{self._endpoint} does not speak GraphQL over websockets.")
        return error

    async def _introduce(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"type": "connection_init", "payload": dict(self._greeting())}))
        while (message := json.loads(await socket.recv()))["type"] != "connection_ack":
            if message["type"] == "ping":
                await socket.send('{"type": "pong"}')
            elif message["type"] == "connection_error":
                raise refused(message.get("payload"), 401)

    async def aclose(self) -> None:
        """Close the socket; subscriptions that are left come back on a new one."""
        if self._opening is not None:
            self._opening.cancel()
        if self._link is not None:
            await self._link.aclose()


def _refused(endpoint: str, response: Response) -> Exception:
    """Classify an answer to the handshake that is not an upgrade, in the server's own words if it has any."""
    status, body = response.status_code, bytes(response.body or b"")
    try:
        errors = json.loads(body)["errors"]
    except (*UNREADABLE, IndexError):
        words = body.decode(errors="replace").strip() if _is_text(response) else ""
        error = MAPIException(status, f"{endpoint} refused to open a websocket{words and f': {words[:500]}'}")
    else:
        error = refused(errors, status)
    return Lost(error) if status in TRANSIENT or status >= 500 else error


def _is_text(response: Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/plain")
