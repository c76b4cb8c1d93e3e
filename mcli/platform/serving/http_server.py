"""What speaks HTTP and websockets for the platform's application: uvicorn, for one way in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

__all__ = ["HttpServer"]

_OPTIONS: dict[str, Any] = {
    "http": "h11",
    "ws": "websockets-sansio",
    "loop": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "ws_max_size": 1 << 20,  # bytes, which are kept before a key was checked
    "ws_ping_interval": None,  # on loopback the system tells at once who has gone
    "ws_per_message_deflate": False,
    "timeout_keep_alive": 75,
    "timeout_graceful_shutdown": 1,
}
_OUTSIDE: dict[str, Any] = {"ws_ping_interval": 20.0, "ws_ping_timeout": 20.0}
"""Over a network somebody may vanish without a word."""


class HttpServer(uvicorn.Server):
    """Serves an application on some sockets until `should_exit` is set.

    Raises:
        OSError: A certificate or its key cannot be used.
    """

    def __init__(
        self, application: Any, listeners: Sequence[socket.socket], encryption: dict[str, str] | None = None
    ) -> None:
        options: dict[str, Any] = _OPTIONS if encryption is None else {**_OPTIONS, **_OUTSIDE, **encryption}
        config = uvicorn.Config(application, **options)
        try:
            config.load()
        except OSError as error:
            raise OSError(
                f"The certificate {config.ssl_certfile} or its key cannot be used: {error}"
            ) from None
        super().__init__(config)
        self._listeners = list(listeners)
        self.accepting: asyncio.Event = asyncio.Event()
        """Set when requests are accepted."""

    async def run_to_end(self) -> None:
        """Serve, and return when the last answer was given."""
        await self.serve(self._listeners)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()
