"""Requests in the caller's own thread: without the event loop, and without other threads but to look a name up.

Queries that somebody waits for go this way. The connections are httpcore's, by the interface of httpx's transports,
over a network that waits no longer than the caller does, however slowly bytes come.
"""

from __future__ import annotations

import atexit
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpcore

from mcli._core.library import httpx
from mcli._core.limits import time_left
from mcli._core.network import KEEP_ALIVE, TIMEOUT, tls
from mcli._core.process import take_resources
from mcli._core.proxies import proxy_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine, Generator, Iterable, Mapping

    from mcli._core.proxies import Proxy

__all__ = ["Endpoint", "run"]

T = TypeVar("T")

TO_CONNECT = 10.0
"""Seconds in which a connection must come about, whatever number of addresses the host has."""
MUCH = 64 << 10
"""Bytes of a request that are not gathered any longer before they are sent."""
KEPT = 32
"""Connections that are kept for their next request."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose requests block: it never waits for an event loop, so that one step is all of it."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise AssertionError("a call in the caller's thread waits for an event loop")


class Endpoint:
    """The connections to one endpoint, for threads that wait for its answers: each carries one request at a time."""

    def __init__(self, url: str, http: httpx.BaseTransport | None) -> None:
        self.url = url
        self.proxy = None if http is not None else proxy_for(url)
        self._parsed: httpx.URL | None = None
        self._context = tls() if urlsplit(url).scheme == "https" else None
        self._http = http
        self._free: deque[tuple[float, httpx.BaseTransport]] = deque()

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request and wait for all of its answer; nothing in it suspends."""
        if self._parsed is None:
            self._parsed = httpx.URL(self.url)
        extensions = {"timeout": TIMEOUT.as_dict()}
        request = httpx.Request("POST", self._parsed, headers=headers, content=content, extensions=extensions)
        if self._http is not None:
            return _answer(self._http, request)
        connection = self._take()
        try:
            response = _answer(connection, request)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return response

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the caller does."""
        time.sleep(time_left(seconds))  # noqa: ASYNC251 - there is no event loop

    def _take(self) -> httpx.BaseTransport:
        try:
            return self._free.pop()[1]
        except IndexError:
            return _Connection(self._context, self.proxy)

    def _keep(self, connection: httpx.BaseTransport) -> None:
        """Keep a connection for the next request, and close those that nobody has used for long."""
        now = time.monotonic()
        self._free.append((now, connection))
        with suppress(IndexError):  # another thread may have taken it
            while self._free[0][0] < now - KEEP_ALIVE or len(self._free) > KEPT:
                self._free.popleft()[1].close()

    def close(self) -> None:
        """Close the connections that wait for a request."""
        with suppress(IndexError):
            while True:
                self._free.pop()[1].close()


atexit.register(take_resources)


def _answer(transport: httpx.BaseTransport, request: httpx.Request) -> httpx.Response:
    time_left(1)
    response = transport.handle_request(request)
    try:
        response.read()
    finally:
        response.close()
    return response


@contextmanager
def _as_httpx_says() -> Generator[None]:
    """Raise httpx's exceptions in place of httpcore's, which have the same names."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    ) as e:
        kind: type[httpx.TransportError] = getattr(httpx, type(e).__name__)
        raise kind(str(e)) from e


class _Connection(httpx.BaseTransport):
    """One connection, which opens with the first request."""

    def __init__(self, context: ssl.SSLContext | None, proxy: Proxy | None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            proxy=None if proxy is None else _for_httpcore(proxy.for_httpx()),
            max_connections=1,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=_Network(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        with _as_httpx_says():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.content,
                    extensions=request.extensions,
                )
            )
            content = answer.read()
            answer.close()
        return httpx.Response(
            answer.status, headers=answer.headers, content=content, extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


def _for_httpcore(proxy: httpx.Proxy) -> httpcore.Proxy:
    url = proxy.url
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target="/"),
        auth=proxy.raw_auth,
        headers=proxy.headers.raw,
        ssl_context=proxy.ssl_context,
    )


class _Network(httpcore.SyncBackend):
    """A network that waits no longer than the caller does."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        end = time.monotonic() + (TO_CONNECT if timeout is None else timeout)
        failure: Exception = httpcore.ConnectTimeout("timed out")
        for address in _resolve(host, port):
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                with _no_longer_than_the_caller():
                    return _Stream(
                        super().connect_tcp(address, port, time_left(left), local_address, socket_options)
                    )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                failure = e
        raise failure


class _Stream(httpcore.NetworkStream):
    """An open connection that waits for each piece no longer than the caller does.

    What is written is sent when it is much, or when an answer is waited for: head and body of a request in one packet.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._written = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._send(timeout)
        with _no_longer_than_the_caller():
            return self._stream.read(max_bytes, _left_of(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._written += buffer
        if len(self._written) > MUCH:
            self._send(timeout)

    def _send(self, timeout: float | None) -> None:
        if self._written:
            written, self._written = self._written, b""
            with _no_longer_than_the_caller():
                self._stream.write(written, _left_of(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._send(timeout)
        with _no_longer_than_the_caller():
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left_of(timeout)))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left_of(timeout: float | None) -> float:
    return time_left(TIMEOUT.read or TO_CONNECT if timeout is None else timeout)


@contextmanager
def _no_longer_than_the_caller() -> Generator[None]:
    """Tell the end of the caller's time from a connection that is too slow by itself."""
    try:
        yield
    except httpcore.TimeoutException:
        time_left(1)
        raise


def _resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    Names are looked up in a thread: a slow name server keeps neither the caller's time limit nor Ctrl-C waiting.
    """
    with suppress(OSError):
        return _addresses(host, port, socket.AI_NUMERICHOST)
    found: list[list[str] | Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.append(_addresses(host, port))
        except Exception as e:  # noqa: BLE001 - raised where it is waited for
            found.append(e)
        done.set()

    try:
        threading.Thread(target=look_up, name="mcli-resolve", daemon=True).start()
    except RuntimeError:  # the interpreter is ending and starts no more threads
        look_up()
    if not done.wait(time_left(TO_CONNECT)):
        time_left(1)
        raise httpcore.ConnectTimeout(f"no name server said where {host} is")
    addresses = found[0]
    if isinstance(addresses, OSError):
        raise httpcore.ConnectError(str(addresses)) from addresses
    if isinstance(addresses, Exception):
        raise addresses
    return addresses


def _addresses(host: str, port: int, flags: int = 0) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [str(address[0]) for *_, address in found]
