"""Which proxy stands between this machine and an endpoint, by the environment; for HTTP and websockets alike."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mcli._core.library import httpx
from mcli._core.network import is_loopback, tls
from mcli.exceptions import MCLIConfigError

__all__ = ["Proxy", "proxy_for"]

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True)
class Proxy:
    """A proxy, and where it was found."""

    url: str
    """With its scheme, and with a user's name and password, if it takes those."""
    source: str
    """The variable that names it."""

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, for which HTTP and websockets need a package each."""
        return self.url.startswith("socks")

    def for_httpx(self) -> httpx.Proxy:
        """Return it as httpx takes it."""
        return httpx.Proxy(self.url, ssl_context=tls() if self.url.startswith("https:") else None)

    def __str__(self) -> str:
        return f"the proxy {_without_user(urlsplit(self.url))} of {self.source}"

    def __repr__(self) -> str:
        return f"<{self}>"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy on the way to an endpoint: HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY.

    Each counts in small letters first. NO_PROXY lists hosts that are reached without one: names (with all below them),
    addresses and networks, with or without a port, or `*`.

    Raises:
        MCLIConfigError: The variable does not name a proxy that can be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = urllib.request.getproxies()  # of the environment; else what macOS and Windows are set to
    for scheme in (parts.scheme, "all"):
        if address := found.get(scheme, "").strip():
            if is_loopback(host) or _is_excepted(host, parts.port, found.get("no", "")):
                return None
            return _checked(address, _variable(scheme))
    return None


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "the system's settings")


def _checked(address: str, source: str) -> Proxy:
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise MCLIConfigError(f"{source} must be the URL of a proxy, like http://host:8080.") from None
    shown = _without_user(parts)
    if parts.scheme not in _SCHEMES or not host or not url.isprintable() or " " in url:
        raise MCLIConfigError(
            f"{source} must be the URL of a proxy, with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}, like "
            f"http://host:8080, not {shown!r}."
        )
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise MCLIConfigError(
            f"{source} names the SOCKS proxy {shown}, for which a package is not installed: "
            "pip install 'httpx[socks]' python-socks"
        )
    return Proxy(parts._replace(path="", query="", fragment="").geturl(), source)


def _without_user(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_excepted(host: str, port: int | None, exceptions: str) -> bool:
    return any(_covers(each.strip().lower(), host.lower(), port) for each in exceptions.split(","))


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Tell whether an entry of NO_PROXY covers a host.

    >>> [_covers(each, "api.example.com", 443) for each in ("*", ".example.com", "example.com:443", "ample.com")]
    [True, True, True, False]
    >>> [_covers(each, "10.1.2.3", None) for each in ("10.0.0.0/8", "10.1.2.3", "10.1.2.4")]
    [True, True, False]
    """
    if entry in {"", "*"}:
        return entry == "*"
    name, _, wanted = entry.rpartition(":")
    if name and wanted.isdigit() and (name.endswith("]") or ":" not in name):
        if port is not None and int(wanted) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        entry = entry.removeprefix("*").removeprefix(".")
        return host == entry or host.endswith(f".{entry}")
