"""Which runs a request is about: filters, whose they are, pages."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import format_bound
from mcli.platform.errors import RequestError
from mcli.platform.state import records
from mcli.platform.state.records import Run
from mcli.platform.state.search import Question, find
from mcli.platform.state.users import User, all_users

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["Page", "changeable", "is_taken", "matching", "named", "page", "wanted"]

PAGE = 100
LARGEST_PAGE = 10_000

_COLUMNS = {
    "status": "status",
    "clusterName": "cluster",
    "gpuType": "gpu_type",
    "gpuNum": "gpus",
    "runType": "run_type",
}
_TIMES = {"createdAt": "created_at", "endedAt": "ended_at"}
_CURSOR = re.compile(r"run:(?P<created_at>[-:.0-9TZ]{24})/(?P<sequence>[0-9]{1,18})")


@dataclass(frozen=True)
class Page:
    """Some of the runs that match, newest first."""

    runs: list[Run]
    cursor: str | None
    """Where the next page starts; None at the end."""


def wanted(data: Mapping[str, Any], field: str) -> list[Any] | None:
    """Return the values that the filter of a request lets through in a field; None when all are."""
    among: list[Any] | None = ((data.get("filters") or {}).get(field) or {}).get("in")
    return among


def matching(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> list[Run]:
    """Load all runs that a `GetRunsInput` is about, newest first."""
    return records.read_all(find(db, _question(db, user, data)))


def page(db: sqlite3.Connection, user: User, data: Mapping[str, Any], run_types: Sequence[str] = ()) -> Page:
    """Load one page of the runs that a `GetRunsPaginatedInput` is about.

    A page starts after the last run of the one before it, so runs that are created meanwhile move nothing.

    Args:
        db: What is stored.
        user: Who asks.
        data: The request.
        run_types: The only types that are meant; any if there are none.

    Raises:
        RequestError: 400 for a limit that is out of range, or a cursor of somebody else.
    """
    limit = PAGE if data.get("limit") is None else int(data["limit"])
    if not 1 <= limit <= LARGEST_PAGE:
        raise RequestError(400, f"limit must be from 1 to {LARGEST_PAGE}, not {limit}.")
    question = _question(db, user, data)
    if run_types:
        question.among["run_type"] = run_types
    if data.get("cursor"):
        question.after = _read_cursor(data["cursor"])
    rows = find(db, question, limit + 1)
    runs = records.read_all(rows[:limit])
    return Page(runs, _cursor(rows[limit - 1]) if len(rows) > limit else None)


def changeable(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> list[Run]:
    """Load the runs that a mutation is about, newest first.

    Raises:
        RequestError: 404 for a name that is not there, 403 for a run of somebody else.
    """
    runs = matching(db, user, data)
    found = {run.name for run in runs}
    for name in wanted(data, "name") or ():
        if name not in found:
            raise not_found(name)
    for run in runs:
        if run.owner != user.id and not user.is_admin:
            raise RequestError(403, f"Run {run.name!r} belongs to somebody else.")
    return runs


def named(db: sqlite3.Connection, name: str, *, deleted: bool = False) -> Run:
    """Load the run with this name.

    Args:
        db: What is stored.
        name: The whole name.
        deleted: Whether a deleted run will do as well.

    Raises:
        RequestError: 404 when there is no such run.
    """
    rows = find(db, Question(names=[name], deleted=deleted))
    if not rows:
        raise not_found(name)
    return records.read(rows[0])


def not_found(name: str) -> RequestError:
    """Return the error that says that there is no such run."""
    return RequestError(404, f"Run {name!r} not found, or deleted.")


def is_taken(db: sqlite3.Connection, name: str) -> bool:
    """Return whether a run has or had this name, in any letter case."""
    return db.execute("SELECT 1 FROM runs WHERE name = ?", (name,)).fetchone() is not None


def _question(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> Question:
    filters = data.get("filters") or {}
    among: dict[str, Sequence[Any]] = {
        column: values for key, column in _COLUMNS.items() if (values := wanted(data, key)) is not None
    }
    spans = {column: _span(filters[key]) for key, column in _TIMES.items() if filters.get(key)}
    owners, names = _owners(db, user, data), wanted(data, "name")
    return Question(owners, names, among, spans, deleted=bool(data.get("includeDeleted")))


def _span(wanted: Mapping[str, datetime | None]) -> tuple[str | None, str | None]:
    begin, end = wanted.get("gte"), wanted.get("lt")
    return (None if begin is None else format_bound(begin)), (None if end is None else format_bound(end))


def _owners(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> list[str] | None:
    """Return whose runs are meant; None for everybody's in the organization.

    One's own, unless the request names people or runs: runs are shared in the organization.
    """
    entity = {key: value for key, value in (data.get("entity") or {}).items() if value}
    if not entity:
        return None if wanted(data, "name") else [user.id]
    return [
        other.id
        for other in all_users(db)
        if other.id in entity.get("userIds", ())
        or other.email in entity.get("emails", ())
        or (not entity.keys() & {"userIds", "emails"} and other.organization in entity["organizationIds"])
    ]


def _cursor(row: sqlite3.Row) -> str:
    return base64.urlsafe_b64encode(f"run:{row['created_at']}/{row['sequence']}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    with suppress(ValueError):
        if found := _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor).decode()):
            return found["created_at"], int(found["sequence"])
    raise RequestError(400, f"cursor must be one that this platform gave, not {cursor[:100]!r}.")
