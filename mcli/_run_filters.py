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

from mcli._arguments import members, names_of, time_text
from mcli.enums import RunType
from mcli.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mcli._arguments import Named

__all__ = ["named", "page_request"]


def named(names: list[str]) -> RunFilters:
    """Select runs by their names."""
    return RunFilters(name=StringFilter(in_=names))


def page_request(
    *,
    names: list[str] | None,
    cluster_names: Iterable[str | Named] | None,
    before: str | datetime | None,
    after: str | datetime | None,
    gpu_types: Iterable[str] | None,
    gpu_nums: Iterable[int] | None,
    statuses: Iterable[str | RunStatus] | None,
    user_emails: Iterable[str] | None,
    run_types: Iterable[str | RunType] | None,
    include_deleted: bool,
    ended_before: str | datetime | None,
    ended_after: str | datetime | None,
    limit: int | None,
) -> GetRunsPaginatedInput:
    """Return the request for the first page; what was not asked for is not in it.

    Raises:
        ValueError: A status, type or time is none, or the limit is no size of a page.
        TypeError: A list is none.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit={limit!r} is no number of runs: 1 or more, or None for the latest 100")
    clusters = None if cluster_names is None else names_of(cluster_names, "cluster")
    asked: dict[str, Any] = {
        "name": None if names is None else StringFilter(in_=names),
        "created_at": _span(before, after, "before", "after"),
        "ended_at": _span(ended_before, ended_after, "ended_before", "ended_after"),
        "status": statuses and _statuses(statuses),
        "cluster_name": clusters and StringFilter(in_=clusters),
        "gpu_type": gpu_types and StringFilter(in_=[str(each) for each in _listed(gpu_types, "gpu_types")]),
        "gpu_num": gpu_nums and IntFilter(in_=list(gpu_nums)),
        "run_type": run_types and _types(run_types),
    }
    request = GetRunsPaginatedInput(
        filters=RunFilters(**{name: value for name, value in asked.items() if value}),
        include_deleted=include_deleted,
        limit=limit,
    )
    if user_emails:
        request.entity = EntityInput(emails=_listed(user_emails, "user_emails"))
    return request


def _statuses(statuses: Iterable[str | RunStatus]) -> RunStatusFilter:
    return RunStatusFilter(
        in_=[enums.RunStatus(each.name) for each in members(RunStatus, statuses, "statuses")]
    )


def _types(run_types: Iterable[str | RunType]) -> RunTypeFilter:
    return RunTypeFilter(in_=[enums.RunType(each.name) for each in members(RunType, run_types, "run_types")])


def _span(
    before: str | datetime | None, after: str | datetime | None, before_name: str, after_name: str
) -> DateTimeFilter | None:
    ends = {}
    if after is not None:
        ends["gte"] = time_text(after, after_name)
    if before is not None:
        ends["lt"] = time_text(before, before_name)
    return DateTimeFilter(**ends) if ends else None


def _listed(values: Iterable[str], what: str) -> list[str]:
    if isinstance(values, str):
        raise TypeError(f"{what} is a list, not a text")
    return list(values)
