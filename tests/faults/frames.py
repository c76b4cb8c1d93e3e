"""Websocket frames (RFC 6455), as far as a proxy has to know them."""

from __future__ import annotations

import asyncio
import os
import struct
from dataclasses import dataclass

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@dataclass(frozen=True)
class Frame:
    """A whole frame; what clients send is masked."""

    opcode: int
    payload: bytes
    masked: bool = False
    final: bool = True

    def encode(self) -> bytes:
        """Return the bytes that travel."""
        size, mask_bit = len(self.payload), 0x80 if self.masked else 0
        first = self.opcode | (0x80 if self.final else 0)
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        if not self.masked:
            return head + self.payload
        key = os.urandom(4)
        return head + key + _mask(self.payload, key)


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Read the next frame; None at the end of the stream."""
    try:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await reader.readexactly(8))
        masked = bool(second & 0x80)
        key = await reader.readexactly(4) if masked else b""
        payload = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Frame(first & 0x0F, _mask(payload, key) if masked else payload, masked, bool(first & 0x80))


def _mask(data: bytes, key: bytes) -> bytes:
    repeated = key * (len(data) // 4 + 1)
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated[: len(data)], "big")).to_bytes(
        len(data), "big"
    )
