"""What `get_runs` was asked for, in the form of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcli_mapi import enums
from mcli_mapi.input_types import (
    DateTimeFilter,
    EntityInput,
    GetRunsPaginatedInput,
    IntFilter,
    RunFilters,
    RunStatusFilter,
    RunTypeFilter,
    StringFilter,
)

from mcli._arguments import flag, listed, members, names_of, texts, time_text, whole
from mcli.enums import RunType
from mcli.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from mcli._arguments import Named

__all__ = ["DEFAULT_LIMIT", "named", "page_request", "size_of_page"]


class _Default(int):
    """A default that can be told apart from the same number as an argument."""


DEFAULT_LIMIT: int = _Default(100)
"""The size of a page where none was given."""


def size_of_page(limit: int | None) -> int | None:
    """Return the limit that the caller gave, None where it was not given.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not whole, or less than 1.
    """
    return None if limit is None or isinstance(limit, _Default) else whole("limit", limit, least=1)


def named(names: list[str]) -> RunFilters:
    """Select runs by their names."""
    return RunFilters(name=StringFilter(in_=names))


def page_request(
    *,
    names: list[str] | None,
    before: str | date | None,
    after: str | date | None,
    statuses: Iterable[str | RunStatus] | None,
    user_emails: Iterable[str] | None,
    include_deleted: bool,
    limit: int | None,
    cluster_names: Iterable[str | Named] | None = None,
    gpu_types: Iterable[str] | None = None,
    gpu_nums: Iterable[int] | None = None,
    run_types: Iterable[str | RunType] | None = None,
    ended_before: str | date | None = None,
    ended_after: str | date | None = None,
) -> GetRunsPaginatedInput | None:
    """Return the request for the first page; what was not asked for is not in it.

    Returns:
        The request, or None where a filter is an empty list: that selects nothing, and on the wire it would select all.

    Raises:
        ValueError: A status, type, time or limit makes no sense.
        TypeError: An argument has a wrong type.
    """
    lists = {
        "name": names,
        "status": None if statuses is None else members(RunStatus, statuses, "statuses"),
        "cluster_name": None
        if cluster_names is None
        else names_of(cluster_names, "cluster", "cluster_names"),
        "gpu_type": None if gpu_types is None else texts("gpu_types", gpu_types),
        "gpu_num": None if gpu_nums is None else _numbers("gpu_nums", gpu_nums),
        "run_type": None if run_types is None else members(RunType, run_types, "run_types"),
    }
    emails = None if user_emails is None else texts("user_emails", user_emails)
    asked: dict[str, Any] = {
        **{name: _FILTERS[name](values) for name, values in lists.items() if values},
        "created_at": _span(before, after, "before", "after"),
        "ended_at": _span(ended_before, ended_after, "ended_before", "ended_after"),
    }
    request = GetRunsPaginatedInput(
        filters=RunFilters(**{name: value for name, value in asked.items() if value}),
        include_deleted=flag("include_deleted", include_deleted),
        limit=int(limit) if isinstance(limit, _Default) else size_of_page(limit),
    )
    if emails:
        request.entity = EntityInput(emails=emails)
    return None if [] in (*lists.values(), emails) else request


def _texts(values: list[str]) -> StringFilter:
    return StringFilter(in_=values)


_FILTERS: dict[str, Callable[[list[Any]], object]] = {
    "name": _texts,
    "cluster_name": _texts,
    "gpu_type": _texts,
    "gpu_num": lambda values: IntFilter(in_=values),
    "status": lambda values: RunStatusFilter(in_=[enums.RunStatus(each.name) for each in values]),
    "run_type": lambda values: RunTypeFilter(in_=[enums.RunType(each.name) for each in values]),
}


def _numbers(parameter: str, values: object) -> list[int]:
    found = enumerate(listed(parameter, values))
    return [whole(f"{parameter}[{at}]", each, unit="GPUs") for at, each in found]


def _span(
    before: str | date | None, after: str | date | None, before_name: str, after_name: str
) -> DateTimeFilter | None:
    ends = {}
    if after is not None:
        ends["gte"] = time_text(after, after_name)
    if before is not None:
        ends["lt"] = time_text(before, before_name)
    return DateTimeFilter(**ends) if ends else None
