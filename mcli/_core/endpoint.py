"""The connections to one endpoint, for calls on the event loop."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
import time
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcli._core import loop
from mcli._core.library import httpx
from mcli._core.network import KEEP_ALIVE, TIMEOUT, is_loopback, keep_headers_out_of_logs, no_tls, tls
from mcli._core.proxies import proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Endpoint"]

# httpx imports these at the first request, which is made on the loop's thread. They are imported here, in the caller's:
# a process that forks meanwhile would leave its child half-imported modules, and locks that nobody releases.
_NEEDED = ("anyio._backends._asyncio", "encodings.idna", "h11", "httpcore._async.http11", "sniffio")
_NEEDED_FOR_HTTP2 = ("httpcore._async.http2",)
CONNECTIONS = 100
"""Requests to an endpoint that may be under way at once, each over a connection of its own."""
CONNECTIONS_TO_LOOPBACK = 200


class Endpoint:
    """The connections to one endpoint: each carries one request at a time, and is then kept for the next one.

    A pool of httpcore looks at all its connections for each request; so here each connection is a pool of one. With
    HTTP/2 one connection carries all requests.
    """

    def __init__(self, url: str, http: httpx.AsyncBaseTransport | None) -> None:
        parts = urlsplit(url)
        for name in _NEEDED:
            importlib.import_module(name)
        self.url = url
        self.proxy = None if http is not None else proxy_for(url)
        self._parsed: httpx.URL | None = None
        self._is_secure = parts.scheme == "https"
        self._http2 = self._is_secure and importlib.util.find_spec("h2") is not None
        self._shared = http or (self._http2_transport() if self._http2 else None)
        self._free: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        self._turns = asyncio.Semaphore(
            CONNECTIONS_TO_LOOPBACK if is_loopback(parts.hostname or "") else CONNECTIONS
        )

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request and wait for all of its answer."""
        await loop.hand_over()
        if self._parsed is None:
            self._parsed = httpx.URL(self.url)
        extensions = {"timeout": TIMEOUT.as_dict()}
        request = httpx.Request("POST", self._parsed, headers=headers, content=content, extensions=extensions)
        if self._shared is not None:
            return await _answer(self._shared, request)
        async with self._turns:
            transport = self._take()
            try:
                response = await _answer(transport, request)
            except BaseException:
                asyncio.get_running_loop().create_task(transport.aclose())
                raise
            self._free.append((time.monotonic(), transport))
            return response

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def _take(self) -> httpx.AsyncBaseTransport:
        """Return the connection that was used last, and close those that nobody has used for long."""
        oldest = time.monotonic() - KEEP_ALIVE
        while self._free and self._free[0][0] < oldest:
            _, expired = self._free.popleft()
            asyncio.get_running_loop().create_task(expired.aclose())
        return self._free.pop()[1] if self._free else self._transport()

    def _http2_transport(self) -> httpx.AsyncBaseTransport:
        for name in _NEEDED_FOR_HTTP2:
            importlib.import_module(name)
        keep_headers_out_of_logs()
        return self._transport(connections=None)

    def _transport(self, connections: int | None = 1) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(
            verify=tls(http2=self._http2) if self._is_secure else no_tls(),
            http2=self._http2,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEP_ALIVE),
            proxy=None if self.proxy is None else self.proxy.for_httpx(),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections that wait for a request."""
        transports = [each for _, each in self._free] + ([self._shared] if self._shared else [])
        self._free.clear()
        await asyncio.gather(*(each.aclose() for each in transports))


async def _answer(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    response = await transport.handle_async_request(request)
    try:
        await response.aread()
    finally:
        if not response.is_closed:
            await response.aclose()
    return response


class InThread(httpx.AsyncBaseTransport):
    """What carries requests by blocking, for calls on the event loop: each request has a thread."""

    def __init__(self, http: httpx.BaseTransport) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        running = asyncio.get_running_loop()
        answer: asyncio.Future[httpx.Response] = running.create_future()

        def settle(response: httpx.Response | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if response is not None:
                answer.set_result(response)
            elif error is not None:
                answer.set_exception(error)

        def carry() -> None:
            try:
                found = self._http.handle_request(request)
                found.read()
            except Exception as e:  # noqa: BLE001 - whoever waits for the answer has it
                running.call_soon_threadsafe(settle, None, e)
            else:
                running.call_soon_threadsafe(settle, found, None)

        threading.Thread(target=carry, name="mcli-http", daemon=True).start()
        return await answer

    async def aclose(self) -> None:
        """Close nothing: the caller owns what carries the requests."""
