"""What HTTP and websockets have in common: TLS, and which hosts are this machine."""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl

__all__ = ["is_loopback", "tls"]


@functools.cache
def tls() -> ssl.SSLContext:
    """Return the TLS context of this process, made once: reading the certificates costs 30 ms of CPU."""
    return httpx.create_ssl_context()


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, which no proxy reaches.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("example.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
