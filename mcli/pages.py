"""Lists of objects, whole or in pages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Generic, Self, SupportsIndex, TypeVar, cast, overload

from mcli._arguments import whole

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

__all__ = ["ObjectList", "PaginatedObjectList"]

T = TypeVar("T")


class ObjectList(list[T], Generic[T]):
    """A list of objects of one type, which notebooks show as a table.

    It is a list in every respect. Slices, copies and sums keep the type.

    Args:
        data: The objects.
        obj_type: Their type.

    >>> from mcli import ObjectList, RunStatus
    >>> statuses = ObjectList([RunStatus.RUNNING, RunStatus.FAILED], RunStatus)
    >>> RunStatus.FAILED in statuses, statuses[:1]
    (True, [<RunStatus.RUNNING: 'RUNNING'>])
    """

    type: builtins.type[T]
    """Type of the objects."""

    def __init__(self, data: Iterable[T], obj_type: builtins.type[T]) -> None:
        super().__init__(data)
        self.type = obj_type

    @property
    def data(self) -> list[T]:
        """The objects as a plain list."""
        return list(self)

    @overload
    def __getitem__(self, at: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> ObjectList[T]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> T | ObjectList[T]:
        if isinstance(at, slice):
            return ObjectList(super().__getitem__(at), self.type)
        return super().__getitem__(at)

    def __add__(self, other: list[Any]) -> ObjectList[T]:  # type: ignore[override]  # of one type still
        return ObjectList([*self, *other], self.type)

    def __mul__(self, times: SupportsIndex) -> ObjectList[T]:
        return ObjectList(super().__mul__(times), self.type)

    def __rmul__(self, times: SupportsIndex) -> ObjectList[T]:
        return self * times

    def copy(self) -> ObjectList[T]:
        """Return a shallow copy."""
        return ObjectList(self, self.type)

    def __copy__(self) -> ObjectList[T]:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectList, (list(self), self.type)

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with one row for each object and one column for each of its fields.

        Times become `datetime64` in UTC, numbers that may be missing nullable numbers, enumerations categories.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as e:
            raise ImportError(
                "to_pandas needs pandas 2.2.1 or newer, which is not installed: pip install pandas"
            ) from e
        columns = _columns(self.type, self)
        rows = {name: [getattr(each, name, None) for each in self] for name in columns}
        return pd.DataFrame({name: _series(pd, values) for name, values in rows.items()}, columns=columns)

    def _repr_html_(self) -> str:
        """Show a table, with everything escaped that could be taken for HTML."""
        from mcli._display import objects_table

        show: Callable[..., str] | None = getattr(self.type, "_list_html", None)
        if show is not None:
            return show(self, has_more=getattr(self, "has_next_page", False))
        columns = _columns(self.type, self)
        return objects_table(columns, ([getattr(each, name, "") for name in columns] for each in self))


def _columns(of: Any, objects: Iterable[object]) -> list[str]:
    if dataclasses.is_dataclass(of):
        return [each.name for each in dataclasses.fields(of) if not each.name.startswith("_") and each.repr]
    return sorted({name for each in objects for name in vars(each) if not name.startswith("_")})


def _series(pd: Any, values: list[Any]) -> Any:
    from datetime import datetime
    from enum import Enum

    kinds = {type(each) for each in values if each is not None}
    if kinds and all(issubclass(kind, datetime) for kind in kinds):
        return pd.to_datetime(pd.Series(values), utc=True)
    if len(kinds) == 1 and issubclass(kind := next(iter(kinds)), Enum):
        texts = [None if each is None else str(each.value) for each in values]
        return pd.Series(pd.Categorical(texts, [str(member.value) for member in kind], ordered=True))
    for plain, dtype in ((bool, "boolean"), (int, "Int64"), (float, "Float64"), (str, "string")):
        if kinds == {plain}:
            return pd.Series(values, dtype=dtype)
    return pd.Series(values, dtype="object")


class PaginatedObjectList(ObjectList[T]):
    """One page of a list that the platform gives in pages.

    Args:
        data: The objects of this page.
        obj: Their type.
        query_function: Fetches a page; it takes what `pagination_function` gives as keywords.
        pagination_function: Takes the wanted size of the next page, or None for the same as before, and gives the
            arguments of `query_function` for it, or None where this page is the last.

    >>> from mcli import PaginatedObjectList
    >>> def fetch(start):
    ...     end = start + 2
    ...     return PaginatedObjectList(range(start, end), int, fetch, lambda limit: {"start": end} if end < 6 else None)
    >>> page = fetch(0)
    >>> page, page.next_page()
    ([0, 1], [2, 3])
    >>> list(page.iter_all())
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        data: Iterable[T],
        obj: builtins.type[T],
        query_function: Callable[..., PaginatedObjectList[T]],
        pagination_function: Callable[[int | None], Mapping[str, Any] | None],
    ) -> None:
        super().__init__(data, obj)
        self._query = query_function
        self._pagination = pagination_function

    def __reduce__(self) -> tuple[Any, ...]:
        return PaginatedObjectList, (list(self), self.type, self._query, self._pagination)

    def copy(self) -> Self:
        """Return a shallow copy that knows its next page."""
        return cast("Self", PaginatedObjectList(self, self.type, self._query, self._pagination))

    @property
    def has_next_page(self) -> bool:
        """Whether there is a page after this one."""
        return self._pagination(None) is not None

    def next_page(self, limit: int | None = None) -> PaginatedObjectList[T]:
        """Return the next page, by the same filters.

        Args:
            limit: How many objects the next page, and those after it, have at most. Default: as before.

        Raises:
            StopIteration: This page is the last.
            MAPIException: The request failed.
            TimeoutError: It took longer than the `timeout` of the call that gave the first page.
        """
        arguments = self._pagination(None if limit is None else whole("limit", limit, least=1))
        if arguments is None:
            raise StopIteration
        return self._query(**arguments)

    def iter_all(self) -> Iterator[T]:
        """Iterate over the objects of this page and of all later ones, fetching a page when it is reached."""
        page = self
        while True:
            yield from page
            if not page.has_next_page:
                return
            page = cast("Self", page.next_page())
