"""Reading lists that the platform gives in pages, and the one object of a list of one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from mcli._core.limits import timeout_of_call
from mcli._core.operations import query
from mcli._core.transport import mapi
from mcli.exceptions import MAPIException
from mcli.pages import PaginatedObjectList

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence

    from mcli_mapi.client import Mapi

__all__ = ["Source", "next_page", "read_all", "read_nothing", "read_page", "the_one"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Reads one page of a list; a partial of a module's function, so that lists of pages pickle."""

    def __call__(
        self, client: Mapi, cursor: str | None, limit: int | None
    ) -> Coroutine[Any, Any, tuple[Sequence[T_co], str | None]]:
        """Return the objects of the page that begins at the cursor, and the cursor of the next, None at the end."""
        ...


async def read_page(
    client: Mapi, source: Source[T], obj: type[T], limit: int | None, cursor: str | None = None
) -> PaginatedObjectList[T]:
    """Read one page of a list, the first without a cursor."""
    items, following = await source(client, cursor, limit)
    return _page(items, source, obj, limit, _moved(cursor, following))


async def read_all(
    client: Mapi, source: Source[T], obj: type[T], limit: int | None
) -> PaginatedObjectList[T]:
    """Read a list to its end, as one page."""
    found: list[T] = []
    cursor = None
    while True:
        items, following = await source(client, cursor, limit)
        found += items
        if following is None:
            return _page(found, source, obj, limit, None)
        cursor = _moved(cursor, following)


def _page(
    items: Iterable[T], source: Source[T], obj: type[T], limit: int | None, following: str | None
) -> PaginatedObjectList[T]:
    read_next = partial(next_page, source, obj, timeout=timeout_of_call.get())
    return PaginatedObjectList(items, obj, read_next, partial(_next, following, limit))


def _next(cursor: str | None, limit: int | None, new_limit: int | None) -> Mapping[str, Any] | None:
    if cursor is None:
        return None
    return {"cursor": cursor, "limit": limit if new_limit is None else new_limit}


@query
def next_page(
    source: Source[T],
    obj: type[T],
    *,
    cursor: str | None,
    limit: int | None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, PaginatedObjectList[T]]:
    """Read a later page of a list."""
    return read_page(mapi(), source, obj, limit, cursor)


def _moved(cursor: str | None, following: str | None) -> str | None:
    if following is not None and cursor == following:
        raise MAPIException(500, "The platform's pages do not end: the next one is the same again.")
    return following


async def read_nothing(obj: type[T]) -> PaginatedObjectList[T]:
    """Return the list of what an empty filter selects; on the wire it would select everything."""
    return PaginatedObjectList([], obj, next_page, partial(_next, None, None))


async def the_one(found: Awaitable[Sequence[T]], missing: tuple[Any, ...]) -> T:
    """Return the one object that a change or a query of one gave.

    Args:
        found: Becomes a list of it.
        missing: Arguments of the exception, where there is none.

    Raises:
        MAPIException: There is none.
    """
    for each in await found:
        return each
    raise MAPIException(*missing)
