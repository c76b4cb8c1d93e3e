"""Which runs a request is about: filters, whose they are, pages."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import format_bound
from mcli.platform.errors import RequestError
from mcli.platform.state import records
from mcli.platform.state.records import Run
from mcli.platform.state.users import User, all_users

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

__all__ = ["Page", "changeable", "is_taken", "matching", "named", "page", "wanted"]

PAGE = 100
LARGEST_PAGE = 10_000

_COLUMNS = {
    "name": "name",
    "status": "status",
    "clusterName": "cluster",
    "gpuType": "gpu_type",
    "gpuNum": "gpus",
    "runType": "run_type",
}
_TIMES = {"createdAt": "created_at", "endedAt": "ended_at"}


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
    condition, values = _condition(db, user, data)
    return _load(db, condition, values)


def page(db: sqlite3.Connection, user: User, data: Mapping[str, Any], run_types: Sequence[str] = ()) -> Page:
    """Load one page of the runs that a `GetRunsPaginatedInput` is about.

    A page starts after the last run of the one before it, so runs that are created meanwhile move nothing.
    """
    condition, values = _condition(db, user, data)
    limit = PAGE if data.get("limit") is None else int(data["limit"])
    if not 1 <= limit <= LARGEST_PAGE:
        raise RequestError(400, f"limit must be from 1 to {LARGEST_PAGE}, not {limit}.")
    if run_types:
        condition += f" AND run_type IN ({_marks(run_types)})"
        values += run_types
    if data.get("cursor"):
        condition += " AND sequence < ?"
        values.append(_read_cursor(data["cursor"]))
    rows = _rows(db, condition + " ORDER BY sequence DESC LIMIT ?", [*values, limit + 1])
    runs = [records.read(row["document"]) for row in rows[:limit]]
    return Page(runs, _cursor(rows[limit - 1]["sequence"]) if len(rows) > limit else None)


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
    rows = _rows(db, "name = ?", [name])
    if (
        not rows
        or (run := records.read(rows[0]["document"])).name != name
        or (run.is_deleted and not deleted)
    ):
        raise not_found(name)
    return run


def not_found(name: str) -> RequestError:
    """Return the error that says that there is no such run."""
    return RequestError(404, f"Run {name!r} not found, or deleted.")


def is_taken(db: sqlite3.Connection, name: str) -> bool:
    """Return whether a run has or had this name, in any letter case."""
    return db.execute("SELECT 1 FROM runs WHERE name = ?", (name,)).fetchone() is not None


def _condition(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> tuple[str, list[Any]]:
    filters = data.get("filters") or {}
    parts, values = ["1"], list[Any]()
    for key, column in _COLUMNS.items():
        if (among := wanted(data, key)) is not None:
            collation = "NOCASE" if key == "gpuType" else "BINARY"  # the names of cards have no one spelling
            parts.append(f"{column} COLLATE {collation} IN ({_marks(among)})")
            values += among
    for key, column in _TIMES.items():
        for operator, sign in (("gte", ">="), ("lt", "<")):
            if (moment := (filters.get(key) or {}).get(operator)) is not None:
                parts.append(f"{column} {sign} ?")
                values.append(format_bound(moment))
    if not data.get("includeDeleted"):
        parts.append("is_deleted = 0")
    owners = _owners(db, user, data)
    if owners is not None:
        parts.append(f"owner IN ({_marks(owners)})")
        values += owners
    return " AND ".join(parts), values


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


def _rows(db: sqlite3.Connection, condition: str, values: Sequence[Any]) -> list[sqlite3.Row]:
    statement = f"SELECT sequence, document FROM runs WHERE {condition}"  # noqa: S608 - values are parameters
    return db.execute(statement, values).fetchall()


def _load(db: sqlite3.Connection, condition: str, values: Sequence[Any]) -> list[Run]:
    return [records.read(row["document"]) for row in _rows(db, condition + " ORDER BY sequence DESC", values)]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(f"run:{sequence}".encode()).decode()


def _read_cursor(cursor: str) -> int:
    try:
        kind, _, number = base64.urlsafe_b64decode(cursor).decode().partition(":")
        if kind == "run":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise RequestError(400, f"Cursor {cursor[:100]!r} is not one of this platform.")
