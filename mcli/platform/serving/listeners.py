"""Where the platform listens.

On loopback always, by plain HTTP, and on the same port after a restart: runs that outlive a server know no other place.
"""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["listen", "loopback", "network", "port_of"]

log: logging.Logger = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port, or on any free one for 0.

    Raises:
        OSError: The port is taken, or the address is not one of this machine; the message names both.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named asyncio sets TCP_NODELAY, without which each answer takes 50 ms more
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"Cannot listen on {host} port {port}: {error.strerror or error}"
        ) from None
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket listens on."""
    port: int = listener.getsockname()[1]
    return port


@contextmanager
def loopback(remembered: Path, port: int, *, runs_live: bool) -> Generator[list[socket.socket]]:
    """Listen on loopback while a `with` block lasts.

    Args:
        remembered: File that holds the ports of the last server.
        port: Where to listen; 0 for where the last server did, else for any free port.
        runs_live: Whether runs of the last server go on, so that all of its ports must be kept.

    Yields:
        The sockets; the first is the one to announce.

    Raises:
        OSError: The given port is taken.
    """
    last = _read_ports(remembered)
    listeners = [listen(_LOOPBACK, port)] if port else []
    try:
        for earlier in last if runs_live else last[: 0 if port else 1]:
            if earlier not in map(port_of, listeners):
                listeners += _try(earlier, runs_live=runs_live)
        if not listeners:
            listeners.append(listen(_LOOPBACK, 0))
        remembered.write_text("\n".join(str(port_of(each)) for each in listeners))
        yield listeners
    finally:
        for each in listeners:
            each.close()


@contextmanager
def network(host: str, remembered: Path, port: int) -> Generator[list[socket.socket]]:
    """Listen on an address that other machines reach while a `with` block lasts; on none for an empty `host`.

    Args:
        host: The address.
        remembered: File that holds the port of the last server.
        port: Where to listen; 0 for where the last server did, else for any free port.

    Raises:
        OSError: The port is taken, or the address is not one of this machine.
    """
    if not host:
        yield []
        return
    with listen(host, port or next(iter(_read_ports(remembered)), 0)) as listener:
        remembered.write_text(str(port_of(listener)))
        yield [listener]


def _read_ports(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except (OSError, ValueError):
        return []


def _try(port: int, *, runs_live: bool) -> list[socket.socket]:
    try:
        return [listen(_LOOPBACK, port)]
    except (OSError, OverflowError) as error:
        if runs_live:
            log.warning("Runs that were started earlier cannot reach the platform: %s", error)
        return []
