"""A proxy between client and platform that does to each connection what a test asks for.

Websockets are carried frame by frame, so that a fault may count bytes, messages or chunks of a log. HTTP is carried
request by request. A proxy without faults carries everything as it is.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.faults.frames import CLOSE, TEXT, Frame, read_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from types import TracebackType


LIMIT = 1 << 26
"""Bytes of a line or a frame that are read at once."""
DATA = b'"next"'
"""What tells frames with data from others, at their beginning."""


@dataclass
class Head:
    """The first lines of a request or an answer."""

    raw: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, or nothing."""
        for line in self.raw.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return ""


class Wire:
    """One connection of the client, and the one to the platform that belongs to it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self._from_client, self._to_client = reader, writer
        self._from_server: asyncio.StreamReader | None = None
        self._to_server: asyncio.StreamWriter | None = None
        self.muted = False
        """Whether nothing passes any more, in either direction."""
        self.is_socket = False
        """Whether it is a websocket."""

    async def give(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self.muted:
            self._to_client.write(data)
            await self._to_client.drain()

    async def head(self) -> Head | None:
        """Read the head of the client's next request; None where there is none."""
        return await _head(self._from_client)

    async def body(self, head: Head) -> bytes:
        """Read the body that belongs to a head of the client's."""
        return await self._from_client.readexactly(int(head.header("content-length") or 0))

    async def ask(self, request: bytes) -> tuple[Head, bytes]:
        """Send a request on to the platform and read its answer."""
        reader, writer = await self._server()
        writer.write(request)
        head = await _head(reader)
        if head is None:
            raise ConnectionResetError("the platform closed the connection")
        if not self.proxy.remembers_keys:
            head.raw = _without_keys(head.raw)
        return head, await reader.readexactly(int(head.header("content-length") or 0))

    async def frames(self) -> AsyncIterator[Frame]:
        """Read what the platform sends over a websocket."""
        reader, _ = await self._server()
        while (frame := await read_frame(reader)) is not None:
            yield frame
        self._to_client.close()

    async def carry_up(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Send on what the client sends over a websocket, changed, and keep a record of it."""
        _, writer = await self._server()
        with suppress(ConnectionError):
            while (frame := await read_frame(self._from_client)) is not None:
                if frame.opcode == TEXT:
                    message = json.loads(frame.payload)
                    self.proxy.heard.append(message)
                    self.proxy.tell()
                    frame = Frame(TEXT, json.dumps(change(message)).encode(), masked=True)
                if not self.muted:
                    writer.write(frame.encode())
                    await writer.drain()
                elif frame.opcode == CLOSE:
                    return
        if writer.can_write_eof():
            writer.write_eof()

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._from_server is None or self._to_server is None:
            self._from_server, self._to_server = await asyncio.open_connection(
                *self.proxy.upstream, limit=LIMIT
            )
        return self._from_server, self._to_server

    def reset(self) -> None:
        """Tear the connection to the client down, as a machine does that has lost it."""
        raw = self._to_client.get_extra_info("socket")
        with suppress(OSError):  # it is closed already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._to_client.transport.abort()

    def half_close(self) -> None:
        """Send nothing more to the client, but go on to read from it."""
        self._to_client.write_eof()

    async def until_client_leaves(self) -> None:
        """Wait for the client to close the connection."""
        with suppress(ConnectionError):
            while await self._from_client.read(1 << 16):
                pass

    def close(self) -> None:
        """Close both connections."""
        for writer in (self._to_client, self._to_server):
            if writer is not None:
                writer.close()

    async def closed(self) -> None:
        """Wait until both connections are closed."""
        for writer in (self._to_client, self._to_server):
            if writer is not None:
                with suppress(ConnectionError):
                    await writer.wait_closed()

    def drop(self) -> None:
        """Reset the client's connection, and close the platform's."""
        self.reset()
        if self._to_server is not None:
            self._to_server.transport.abort()


class SocketFault:
    """What happens to a websocket: nothing, if not overridden."""

    async def carry(self, wire: Wire, head: Head) -> None:
        """Carry a websocket from its request on."""
        answer, _ = await wire.ask(head.raw)
        await wire.give(answer.raw)
        up = asyncio.create_task(wire.carry_up(self.change))
        try:
            await self.pump(wire)
            await up
        finally:
            up.cancel()

    async def pump(self, wire: Wire) -> None:
        """Carry what the platform sends, until that ends."""
        async for frame in wire.frames():
            await self.pass_on(wire, frame)

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        """Give one frame to the client."""
        await wire.give(frame.encode())
        if DATA in frame.payload[:80]:
            wire.proxy.data_passed()

    def change(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return what is sent on for a message of the client's."""
        return message


@dataclass(frozen=True)
class Request:
    """An HTTP request of the client's."""

    head: Head
    body: bytes

    @property
    def document(self) -> str:
        """The GraphQL document."""
        return str(json.loads(self.body)["query"])


@dataclass(frozen=True)
class RequestFault:
    """What happens to a request: nothing, if not overridden."""

    operation: str = ""
    """Name of the operation that it happens to; default: any."""

    async def carry(self, wire: Wire, request: Request) -> None:
        """Carry one request, and its answer."""
        head, body = await wire.ask(request.head.raw + request.body)
        await wire.give(head.raw + body)
        wire.proxy.data_passed()


@dataclass
class Proxy:
    """A proxy before the platform at an endpoint, on a thread of its own; `with` starts and stops it."""

    behind: str
    """Endpoint of the platform."""
    sockets: list[SocketFault] = field(default_factory=list)
    """What happens to the next websockets, in order; those after them are carried well."""
    requests: list[RequestFault] = field(default_factory=list)
    """What happens to the next HTTP requests that each of these is for, in order."""
    remembers_keys: bool = True
    """Whether the platform is one that knows `Idempotency-Key`, as far as the client can see."""
    endpoint: str = field(default="", init=False)
    """Where the client finds the platform, through this proxy."""
    heard: list[dict[str, Any]] = field(default_factory=list, init=False)
    """Every message of the client's over websockets."""
    asked: list[str] = field(default_factory=list, init=False)
    """The document of every request of the client's over HTTP that was answered."""
    hurt_at: float | None = field(default=None, init=False)
    """When the last fault was over."""
    healed_at: float | None = field(default=None, init=False)
    """When the first data got through after that."""
    opened: int = field(default=0, init=False)
    """Websockets that the client has opened."""

    def __post_init__(self) -> None:
        self._wires: set[Wire] = set()
        self._ready = threading.Event()
        self._heard_of = threading.Condition()

    @property
    def upstream(self) -> tuple[str, int]:
        """Host and port of the platform."""
        url = urlsplit(self.behind)
        return str(url.hostname), int(url.port or 80)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fault-proxy")
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def drop(self) -> None:
        """Reset every connection there is."""

        async def drop() -> None:
            self.hurt()
            for wire in list(self._wires):
                wire.drop()

        self._run(drop())

    @property
    def open_wires(self) -> int:
        """Connections of the client that are open."""
        return len(self._wires)

    @property
    def open_sockets(self) -> int:
        """Websockets of the client that are open."""
        return sum(wire.is_socket for wire in list(self._wires))

    def wait_until(self, so: Callable[[], bool], seconds: float = 10) -> bool:
        """Wait until something is so that depends on what passes here; tell whether it is."""
        with self._heard_of:
            return self._heard_of.wait_for(so, seconds)

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Return the client's messages of one type."""
        return [message for message in list(self.heard) if message["type"] == kind]

    def answered(self, operation: str) -> bool:
        """Tell whether a request of an operation was answered."""
        return any(operation in document for document in list(self.asked))

    def hurt(self) -> None:
        """Note that a fault is over: what gets through next, is recovery."""
        self.hurt_at, self.healed_at = time.monotonic(), None

    @property
    def seconds_to_recover(self) -> float:
        """Return the seconds from the last fault to the first data after it; 0 where there was none."""
        if self.hurt_at is None or self.healed_at is None:
            return 0.0
        return self.healed_at - self.hurt_at

    def data_passed(self) -> None:
        """Note that data got through to the client."""
        if self.hurt_at is not None and self.healed_at is None:
            self.healed_at = time.monotonic()

    def tell(self) -> None:
        """Wake who waits for something to pass."""
        with self._heard_of:
            self._heard_of.notify_all()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def accept() -> None:
            with suppress(BlockingIOError):
                task = asyncio.create_task(self._carry(listener.accept()[0]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            listener.setblocking(False)
            self._loop.add_reader(listener, accept)
            self.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}{urlsplit(self.behind).path}"
            self._ready.set()
            await self._end.wait()
            self._loop.remove_reader(listener)
        await asyncio.sleep(0)  # what was accepted last begins, and so can be ended
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wire in self._wires:
            wire.drop()

    async def _carry(self, connection: socket.socket) -> None:
        wire = Wire(self, *await asyncio.open_connection(sock=connection, limit=LIMIT))
        self._wires.add(wire)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await wire.head()
                if head is None:
                    return
                if head.header("upgrade").lower() == "websocket":
                    self.opened += 1
                    wire.is_socket = True
                    fault = self.sockets.pop(0) if self.sockets else SocketFault()
                    await fault.carry(wire, head)
                else:
                    await self._carry_requests(wire, head)
        finally:
            wire.close()
            await wire.closed()
            self._wires.discard(wire)
            self.tell()

    async def _carry_requests(self, wire: Wire, head: Head | None) -> None:
        while head is not None:
            request = Request(head, await wire.body(head))
            if not self.remembers_keys:
                head.raw = _without_keys(head.raw)
            fault = next((each for each in self.requests if each.operation in request.document), None)
            if fault is not None:
                self.requests.remove(fault)
            await (fault or RequestFault()).carry(wire, request)
            self.asked.append(request.document)
            self.tell()
            head = await wire.head()


async def _head(reader: asyncio.StreamReader) -> Head | None:
    try:
        return Head(await reader.readuntil(b"\r\n\r\n"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _without_keys(head: bytes) -> bytes:
    return re.sub(rb"idempotency-key", b"x-nothing", head, flags=re.IGNORECASE)
