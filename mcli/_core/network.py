"""What connections have in common: TLS, which hosts are this machine, and what no log may hold."""

from __future__ import annotations

import functools
import ipaddress
import logging
import os
from typing import TYPE_CHECKING

from mcli._core.library import httpx
from mcli.exceptions import MCLIConfigError

if TYPE_CHECKING:
    import ssl

__all__ = ["KEEP_ALIVE", "TIMEOUT", "is_loopback", "keep_headers_out_of_logs", "no_tls", "tls", "trusted"]

TIMEOUT = httpx.Timeout(60, connect=10, pool=None)
"""Seconds without a byte after which a connection counts as lost, also where the caller waits for ever."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: fewer than the 5 after which common servers close theirs."""
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name the certificates to trust; the first that is set counts."""


def tls(*, http2: bool = False) -> ssl.SSLContext:
    """Return the TLS context of this process, made once: reading the certificates costs 30 ms of CPU.

    HTTP/2 has one of its own, because connections write into a context what they offer to speak.

    Raises:
        MCLIConfigError: The certificates that the environment names cannot be read.
    """
    return _tls(*map(os.environ.get, _CERTIFICATES), http2=http2)


@functools.cache
def _tls(*_: str | None, http2: bool) -> ssl.SSLContext:  # noqa: ARG001 - what the context is made of, and for
    try:
        return httpx.create_ssl_context()
    except OSError as e:
        variable = next((name for name in (*_CERTIFICATES, "SSLKEYLOGFILE") if os.environ.get(name)), "")
        named = f"{variable}={os.environ[variable]!r}" if variable else "The certificates"
        problem = e.strerror if isinstance(e, FileNotFoundError | PermissionError | IsADirectoryError) else e
        raise MCLIConfigError(
            f"{named} cannot be used for TLS: {problem}. SSL_CERT_FILE must name a file of certificates in PEM."
        ) from None


@functools.cache
def no_tls() -> ssl.SSLContext:
    """Return the TLS context of connections that use none: httpx would make one for each."""
    return httpx.create_ssl_context(verify=False)


def trusted() -> str:
    """Say which certificates are trusted, and how to trust others."""
    variable = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
    if variable is None:
        return "If the certificate is of your own authority, let SSL_CERT_FILE name the authority's, in PEM."
    return f"Trusted are the certificates of {variable}={os.environ[variable]!r}."


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
