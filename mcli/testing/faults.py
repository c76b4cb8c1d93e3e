"""Faults on demand: what a network and a server do wrong, when a test says so."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Faults"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

_FIRST_FIELD = re.compile(r"\{\s*(\w+)")
_SERVICE_RESTART = 1012


@dataclass
class _Fault:
    """What is to happen to the next requests."""

    operation: str | None
    """Only to those whose root field is this one; None for any."""
    times: int
    status: int | None = None
    message: str = ""
    lost: bool = False
    """Whether the request is carried out and its answer lost."""
    seconds: float = 0.0
    """How long it is held up."""


class Faults:
    """What goes wrong with the requests to a platform; nothing, until a test asks for it.

    `local_platform()` gives a platform with `faults`. From any thread.

    >>> import mcli
    >>> from mcli.testing import local_platform
    >>> with local_platform() as platform:
    ...     platform.faults.fail_next("getClusters", 503)
    ...     len(mcli.get_clusters())  # a query is tried again
    1
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self._sockets: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._refuses_keys = False

    def fail_next(
        self,
        operation: str | None = None,
        status: int = 503,
        *,
        times: int = 1,
        message: str = "Planned fault.",
    ) -> None:
        """Answer the next requests with an error in place of carrying them out.

        Args:
            operation: Root field of the requests, e.g. `createRun`; None for any request.
            status: HTTP status, and code of the GraphQL error.
            times: How many requests.
            message: What the error says.
        """
        self._plan(_Fault(operation, times, status=status, message=message))

    def lose_next_answer(self, operation: str | None = None, *, times: int = 1) -> None:
        """Carry out the next requests, and cut the connection before their answers are whole.

        Args:
            operation: Root field of the requests; None for any request.
            times: How many requests.
        """
        self._plan(_Fault(operation, times, lost=True))

    def delay_next(self, seconds: float, operation: str | None = None, *, times: int = 1) -> None:
        """Hold the next requests up before they are carried out.

        Args:
            seconds: For how long.
            operation: Root field of the requests; None for any request.
            times: How many requests.
        """
        self._plan(_Fault(operation, times, seconds=seconds))

    def drop_sockets(self) -> None:
        """Close all websockets, as a server does that is restarted."""
        with self._lock:
            sockets = list(self._sockets.values())
        for loop, dropped in sockets:
            loop.call_soon_threadsafe(dropped.set)

    def expire_keys(self, *, expired: bool = True) -> None:
        """Refuse every key with 401 from now on, or, with `expired=False`, no more.

        Args:
            expired: Whether keys are refused.
        """
        self._refuses_keys = expired

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._faults.clear()
        self._refuses_keys = False

    def _plan(self, fault: _Fault) -> None:
        if fault.times < 1:
            raise ValueError(f"times must be 1 or more, not {fault.times}")
        with self._lock:
            self._faults.append(fault)

    def _take(self, body: bytes) -> _Fault | None:
        """Return the fault that a request is to meet."""
        operation = _root_field(body)
        with self._lock:
            if self._refuses_keys:
                return _Fault(None, 1, status=401, message="The API key has expired.")
            for fault in self._faults:
                if fault.operation in {None, operation}:
                    fault.times -= 1
                    self._faults = [each for each in self._faults if each.times]
                    return fault
        return None

    def around(self, app: App) -> App:
        """Return an ASGI application that does what another does, with these faults."""

        async def faulty(scope: Any, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self._http(app, scope, receive, send)
            elif scope["type"] == "websocket":
                await self._websocket(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return faulty

    async def _http(self, app: App, scope: Any, receive: Receive, send: Send) -> None:
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())
        fault = self._take(b"".join(message.get("body", b"") for message in received))
        pending = iter(received)

        async def again() -> Message:
            return next(pending, None) or await receive()

        if fault is None:
            await app(scope, again, send)
        elif fault.status is not None:
            await _answer(send, fault.status, fault.message)
        elif fault.lost:
            await app(scope, again, _nowhere)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9999")]}
            )
            await send({"type": "http.response.body", "body": b'{"data":', "more_body": True})
        else:
            await asyncio.sleep(fault.seconds)
            await app(scope, again, send)

    async def _websocket(self, app: App, scope: Any, receive: Receive, send: Send) -> None:
        dropped = asyncio.Event()
        self._sockets[id(dropped)] = (asyncio.get_running_loop(), dropped)
        serving = asyncio.ensure_future(app(scope, receive, send))
        dropping = asyncio.ensure_future(dropped.wait())
        try:
            await asyncio.wait({serving, dropping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                await send({"type": "websocket.close", "code": _SERVICE_RESTART})
            await serving
        finally:
            dropping.cancel()
            del self._sockets[id(dropped)]


async def _answer(send: Send, status: int, message: str) -> None:
    body = json.dumps({"errors": [{"message": message, "extensions": {"code": status}}]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _nowhere(message: Message) -> None:
    """Send a message to nobody."""


def _root_field(body: bytes) -> str | None:
    try:
        query = str(json.loads(body)["query"])
    except (ValueError, LookupError, TypeError):
        return None
    found = _FIRST_FIELD.search(query)
    return found[1] if found else None
