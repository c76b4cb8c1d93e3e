"""Which requests may reach the platform at all.

Whoever answers here executes commands on this machine, so a web page that the user visits must not get through: a page
can send requests to any address, but it cannot forge `Host` and `Origin`. Both must name a host that the platform is
meant to be reached by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcli.platform.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["LOOPBACK", "Access"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Access:
    """The hosts that requests may be sent to, and by whose pages.

    >>> Access(["login-1"]).check({"host": "login-1:8443"})
    >>> Access().check({"host": "localhost", "origin": "http://localhost.evil.example"})
    Traceback (most recent call last):
    mcli.platform.errors.RequestError: Web pages of 'http://localhost.evil.example' may not use the platform.
    """

    def __init__(self, more_hosts: Iterable[str] = ()) -> None:
        self.hosts: frozenset[str] = LOOPBACK.union(host.lower() for host in more_hosts)

    def check(self, headers: Mapping[str, str]) -> None:
        """Let a request with these headers pass.

        Raises:
            RequestError: 403, it is for another host, or a page of another host has sent it.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if _host(f"//{host}") not in self.hosts:
            reached = ", ".join(sorted(self.hosts))
            raise RequestError(403, f"The platform is reached as {reached}, not as {host[:100]!r}.")
        if origin is not None and _host(origin) not in self.hosts:
            raise RequestError(403, f"Web pages of {origin[:100]!r} may not use the platform.")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
