"""The connections to one endpoint, and what is known of it."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING

import httpx

from mcli._core.network import is_loopback, keep_headers_out_of_logs, tls

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TIMEOUT", "Endpoint"]

CONNECTIONS_PER_POOL = 8
"""httpcore looks at every connection of a pool for every request, so many small pools beat a large one."""
POOLS = 8
TIMEOUT = httpx.Timeout(60, connect=10, pool=None)
"""Seconds without a byte after which a connection counts as lost, also where the caller waits for ever."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: fewer than the 5 after which common servers close theirs."""


class Endpoint:
    """The connections to one endpoint, and what is known of it."""

    def __init__(self, url: str, http: httpx.AsyncBaseTransport | None) -> None:
        self.url = url
        self.remembers_keys: bool | None = None
        self._http = http
        self._pools: list[_Pool] = []

    async def post(self, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        pool = self._least_busy()
        pool.busy += 1
        try:
            response = await pool.client.post(self.url, content=content, headers=headers)
        except asyncio.CancelledError:
            self._retire(pool)
            raise
        finally:
            pool.busy -= 1
            if pool.retired and not pool.busy:
                await pool.client.aclose()
        if response.headers.get("accept-idempotency-key") == "true":
            self.remembers_keys = True
        elif response.status_code == httpx.codes.OK:
            self.remembers_keys = self.remembers_keys or False
        return response

    def _least_busy(self) -> _Pool:
        """Prefer the first pool, so that calls in a row share one connection."""
        least = min(self._pools, key=lambda pool: pool.busy, default=None)
        if least is None or (least.busy >= CONNECTIONS_PER_POOL and len(self._pools) < POOLS):
            least = _Pool(self._client())
            self._pools.append(least)
        return next((p for p in self._pools if p.busy < CONNECTIONS_PER_POOL), least)

    def _retire(self, pool: _Pool) -> None:
        """Use a pool for no further request: httpcore may keep the connection of one that was cancelled, for ever."""
        if pool in self._pools and self._http is None:
            self._pools.remove(pool)
            pool.retired = True

    def _client(self) -> httpx.AsyncClient:
        url = httpx.URL(self.url)
        http2 = url.scheme == "https" and importlib.util.find_spec("h2") is not None
        if http2:
            keep_headers_out_of_logs()
        return httpx.AsyncClient(
            transport=self._http,
            verify=tls() if url.scheme == "https" else False,
            http2=http2,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=CONNECTIONS_PER_POOL, keepalive_expiry=KEEP_ALIVE),
            trust_env=not is_loopback(url.host),  # no proxy reaches this machine's loopback
        )

    async def aclose(self) -> None:
        await asyncio.gather(*(pool.client.aclose() for pool in self._pools))


class _Pool:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.busy = 0
        self.retired = False
