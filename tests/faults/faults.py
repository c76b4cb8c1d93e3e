"""The faults: what can happen to a websocket, and to a request over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.faults.frames import CLOSE, PING, TEXT, Frame
from tests.faults.proxy import DATA, Head, Request, RequestFault, SocketFault, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator


GARBAGE = b"\xff\x00\r\n\r\n" + bytes(range(256)) * 4
"""No frame, and no head of an answer."""


class Ending(Enum):
    """How a connection ends in the middle."""

    RESET = "reset"
    CLOSED = "closed"
    HALF_CLOSED = "half closed"
    SILENT = "silent"
    GARBAGE = "garbage"


async def end(wire: Wire, ending: Ending) -> None:
    """Let a connection end; what passes afterwards is recovery."""
    wire.proxy.hurt()
    match ending:
        case Ending.RESET:
            wire.reset()
        case Ending.CLOSED:
            wire.close()
        case Ending.HALF_CLOSED:
            wire.half_close()
        case Ending.GARBAGE:
            with suppress(ConnectionError):
                await wire.give(GARBAGE)
            wire.muted = True
        case Ending.SILENT:
            wire.muted = True


@dataclass
class Cut(SocketFault):
    """The websocket ends after so many bytes of what the platform sends, also inside a frame."""

    ending: Ending
    after: int = 0

    async def pump(self, wire: Wire) -> None:
        left = self.after
        async for frame in wire.frames():
            data = frame.encode()
            if len(data) < left:
                await self.pass_on(wire, frame)
                left -= len(data)
                continue
            await wire.give(data[:left])
            await end(wire, self.ending)
            return


@dataclass
class Closed(SocketFault):
    """The platform closes the websocket with a code, after so many of its messages."""

    code: int
    after: int = 2

    async def pump(self, wire: Wire) -> None:
        left = self.after
        async for frame in wire.frames():
            if left == 0:
                wire.proxy.hurt()
                await wire.give(Frame(CLOSE, struct.pack("!H", self.code) + b"by the fault proxy").encode())
                wire.muted = True
                return
            left -= 1
            await self.pass_on(wire, frame)


@dataclass
class Refused(SocketFault):
    """The upgrade is answered with an HTTP status."""

    status: int

    async def carry(self, wire: Wire, head: Head) -> None:
        wire.proxy.hurt()
        await wire.give(_answer(self.status, b"no"))


class NotAcknowledged(SocketFault):
    """`connection_init` is answered with `connection_error`."""

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        if b"connection_ack" in frame.payload:
            error = {"type": "connection_error", "payload": {"message": "no such key"}}
            frame = replace(frame, payload=json.dumps(error).encode())
            wire.proxy.hurt()
        await super().pass_on(wire, frame)


@dataclass
class Interrupted(SocketFault):
    """After so many messages comes one that is no GraphQL."""

    text: bytes
    after: int = 2

    async def pump(self, wire: Wire) -> None:
        left = self.after
        async for frame in wire.frames():
            if left == 0:
                wire.proxy.hurt()
                await wire.give(Frame(TEXT, self.text).encode())
            left -= 1
            await self.pass_on(wire, frame)


@dataclass
class Dripping(SocketFault):
    """What the platform sends comes in small pieces, with pauses; pings come between the frames."""

    piece: int
    pause: float
    """Seconds."""

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        data = frame.encode()
        for begin in range(0, len(data), self.piece):
            await wire.give(data[begin : begin + self.piece])
            await asyncio.sleep(self.pause)
        await wire.give(Frame(PING, b"").encode())


@dataclass
class Delayed(SocketFault):
    """Everything that the platform sends comes later."""

    seconds: float

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        await asyncio.sleep(self.seconds)
        await super().pass_on(wire, frame)


@dataclass
class Stormy(SocketFault):
    """Before the first status come others, as fast as they can be sent."""

    statuses: tuple[str, ...]
    sent: bool = field(default=False, init=False)

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        if DATA in frame.payload[:80] and not self.sent:
            self.sent = True
            message = json.loads(frame.payload)
            for status in self.statuses:
                message["payload"] = {"data": {"watchRunStatus": status}}
                await super().pass_on(wire, Frame(TEXT, json.dumps(message).encode()))
        await super().pass_on(wire, frame)


@dataclass
class ChangedChunks(SocketFault):
    """The pieces of a log come otherwise than the platform cut them."""

    whole: bytearray = field(default_factory=bytearray, init=False)
    start: int | None = field(default=None, init=False)

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        if DATA not in frame.payload[:80]:
            for more in self.rest():
                await super().pass_on(wire, more)
            await super().pass_on(wire, frame)
            return
        message = json.loads(frame.payload)
        chunk = message["payload"]["data"]["getRunLogsV2"]
        data = base64.b64decode(chunk["chunk"])
        if self.start is None:
            self.start = chunk["endOffset"] - len(data)
        self.whole += data
        self.serial = message["id"]
        for begin, after in self.pieces(len(self.whole) - len(data), len(self.whole)):
            await super().pass_on(wire, self.frame(begin, after))

    def pieces(self, begin: int, after: int) -> Iterator[tuple[int, int]]:
        """Yield what to send when the log has grown from `begin` to `after`, in bytes of `whole`."""
        yield begin, after

    def rest(self) -> Iterator[Frame]:
        """Yield what is still to be sent at the end."""
        yield from ()

    def frame(self, begin: int, after: int) -> Frame:
        """Return the message that holds a part of the log."""
        chunk = {
            "chunk": base64.b64encode(self.whole[begin:after]).decode(),
            "endOffset": (self.start or 0) + after,
        }
        payload = {"data": {"getRunLogsV2": chunk}}
        return Frame(TEXT, json.dumps({"type": "next", "id": self.serial, "payload": payload}).encode())


@dataclass
class Illegible(SocketFault):
    """A chunk of a log is no base64."""

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        text = frame.payload.replace(b'"chunk":"', b'"chunk":"%&')
        await super().pass_on(wire, replace(frame, payload=text))


class Duplicated(ChangedChunks):
    """Every chunk comes twice."""

    def pieces(self, begin: int, after: int) -> Iterator[tuple[int, int]]:
        yield begin, after
        yield begin, after


@dataclass
class Missing(SocketFault):
    """One chunk of a log does not come, and those after it do."""

    left: int = 3
    """Chunks that come before it."""

    async def pass_on(self, wire: Wire, frame: Frame) -> None:
        if DATA in frame.payload[:80]:
            self.left -= 1
            if self.left == -1:
                return
        await super().pass_on(wire, frame)


@dataclass
class Overlapping(ChangedChunks):
    """Every chunk repeats the end of the one before."""

    by: int = 1000

    def pieces(self, begin: int, after: int) -> Iterator[tuple[int, int]]:
        yield max(0, begin - self.by), after


@dataclass
class Bitten(ChangedChunks):
    """Chunks are small, so that characters are split."""

    size: int = 7

    def pieces(self, begin: int, after: int) -> Iterator[tuple[int, int]]:
        for at in range(begin, after, self.size):
            yield at, min(after, at + self.size)


@dataclass
class Heaped(ChangedChunks):
    """Chunks are joined to large ones."""

    size: int = 2 << 20
    sent: int = field(default=0, init=False)

    def pieces(self, begin: int, after: int) -> Iterator[tuple[int, int]]:
        if after - self.sent >= self.size:
            self.sent, begin = after, self.sent
            yield begin, after

    def rest(self) -> Iterator[Frame]:
        if self.sent < len(self.whole):
            self.sent, begin = len(self.whole), self.sent
            yield self.frame(begin, len(self.whole))


class OffsetIgnored(SocketFault):
    """The platform sends the log from its beginning, whatever offset is asked for."""

    def change(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["type"] == "subscribe":
            message["payload"]["variables"]["getRunLogsInput"]["offset"] = 0
        return message


@dataclass(frozen=True)
class Answered(RequestFault):
    """A request is answered with a status and a text, before or after the platform has carried it out."""

    status: int = 503
    body: bytes = b""
    headers: str = ""
    executed: bool = False

    async def carry(self, wire: Wire, request: Request) -> None:
        if self.executed:
            await wire.ask(request.head.raw + request.body)
        wire.proxy.hurt()
        await wire.give(_answer(self.status, self.body, self.headers))


@dataclass(frozen=True)
class Lost(RequestFault):
    """The connection ends before or after the platform has carried out a request, or within its answer."""

    ending: Ending = Ending.RESET
    executed: bool = False
    after: int = 0
    """Bytes of the answer that get through."""
    meanwhile: Callable[[], None] | None = None
    """What is done before the connection ends."""

    async def carry(self, wire: Wire, request: Request) -> None:
        if self.executed:
            head, body = await wire.ask(request.head.raw + request.body)
            await wire.give((head.raw + body)[: self.after])
        if self.meanwhile is not None:
            await asyncio.to_thread(self.meanwhile)
        await end(wire, self.ending)


@dataclass(frozen=True)
class Truncated(RequestFault):
    """The answer ends early, and says that this is all of it."""

    keep: int = 20

    async def carry(self, wire: Wire, request: Request) -> None:
        head, body = await wire.ask(request.head.raw + request.body)
        wire.proxy.hurt()
        size = f"content-length: {self.keep}".encode()
        await wire.give(re.sub(rb"content-length: \d+", size, head.raw) + body[: self.keep])


@dataclass(frozen=True)
class Slow(RequestFault):
    """The answer comes in small pieces, with pauses."""

    piece: int = 50
    pause: float = 0.01
    """Seconds."""

    async def carry(self, wire: Wire, request: Request) -> None:
        head, body = await wire.ask(request.head.raw + request.body)
        data = head.raw + body
        for begin in range(0, len(data), self.piece):
            await wire.give(data[begin : begin + self.piece])
            await asyncio.sleep(self.pause)


def _answer(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Hm\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body
