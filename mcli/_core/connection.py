"""Where requests go, and as whom: from the environment, or as a `with` block says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from mcli import config
from mcli._core.process import drop_resources
from mcli._neighbours import warn_of_other_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from httpx import AsyncBaseTransport, BaseTransport

__all__ = ["Connection", "MAPIConnection", "current"]


class Connection(NamedTuple):
    """An endpoint, and the credentials for it."""

    endpoint: str
    """URL of the GraphQL endpoint, with its path."""
    authorization: Callable[[], str]
    """Gives the value of the header, anew for each request: token files change."""
    http: AsyncBaseTransport | BaseTransport | None = None
    """What carries HTTP in place of sockets, for tests."""


_selected: list[Connection] = []


def current() -> Connection:
    """Return the connection of the innermost `with` block, else the one that environment and file describe.

    Raises:
        MCLIConfigError: There are no credentials, or the endpoint is no URL.
    """
    warn_of_other_client()
    if _selected:
        return _selected[-1]
    if config.mode() is config.MCLIMode.LOCAL and not config.endpoint_is_given():
        from mcli._core.local import find_or_start

        return Connection(*find_or_start())
    config.authorization()  # without credentials, fail at the call, not in the future
    return Connection(config.endpoint(), config.authorization)


class MAPIConnection:
    """Select endpoint and key for the calls of a `with` block, in all threads of the process.

    What is not given comes from the environment and the configuration file, as without the block.

    Args:
        endpoint: URL of the GraphQL endpoint, with its path.
        api_key: Key to send; never shown in a repr.
        http: What carries HTTP in place of sockets, for tests: a transport of httpx, asynchronous or not.

    >>> with MAPIConnection("http://127.0.0.1:3001/graphql", api_key="not-a-real-key"):
    ...     MAPIConnection.get_current_connection().endpoint
    'http://127.0.0.1:3001/graphql'
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        http: AsyncBaseTransport | BaseTransport | None = None,
    ) -> None:
        self._endpoint, self._api_key, self._http = endpoint, api_key, http
        self._entered: list[Connection] = []

    def __enter__(self) -> Self:
        key = self._api_key
        authorization = config.authorization if key is None else lambda: key
        connection = Connection(self._endpoint or config.endpoint(), authorization, self._http)
        _selected.append(connection)
        self._entered.append(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _selected.remove(self._entered.pop())

    @staticmethod
    def get_current_connection() -> Connection:
        """Return what calls made now would use."""
        return current()

    @staticmethod
    def reset_connection() -> None:
        """Close the connections that are kept; later calls open new ones.

        Not needed after a change of key or endpoint: both are read for each call.
        """
        drop_resources()
