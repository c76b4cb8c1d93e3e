"""What connections have in common: TLS, which hosts are this machine, and what no log may hold."""

from __future__ import annotations

import functools
import ipaddress
import logging
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl

__all__ = ["is_loopback", "keep_headers_out_of_logs", "tls"]


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


def keep_headers_out_of_logs() -> None:
    """Drop the DEBUG records of HTTP/2's header compression: they hold every header, the key among them."""
    for name in ("hpack.hpack", "hpack.table"):
        logging.getLogger(name).addFilter(_is_no_detail)


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
