"""Finding runs by an index, newest first, however many there are.

A question is put as several, one for each owner and each value of the filter that lets the fewest runs through. Each
of these is a stretch of one index, in which the runs lie by age already; SQLite merges the stretches and stops when
the page is full. The other filters are compared on the way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

__all__ = ["Question", "find"]

_STRETCHES = 200
"""Stretches that are merged at most; SQLite's limit is 500."""

_COUNTED = 1000
"""Runs that are counted at most where filters are compared: those that let more through are alike."""

Condition = tuple[str, list[Any]]


@dataclass
class Question:
    """Which runs are meant: those of which all of this is true."""

    owners: Sequence[str] | None = None
    """None for anybody's, where there are `names`."""
    names: Sequence[str] | None = None
    among: dict[str, Sequence[Any]] = field(default_factory=dict)
    """The values that are let through of `status`, `run_type`, `cluster`, `gpu_type` and `gpus`."""
    spans: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """From when, and before when, for `created_at` and `ended_at`."""
    deleted: bool = False
    """Whether deleted runs are meant as well."""
    after: tuple[str, int] | None = None
    """`created_at` and `sequence` of the run after which a page starts."""


def find(db: sqlite3.Connection, question: Question, limit: int = -1) -> list[sqlite3.Row]:
    """Return the rows of `stored_runs` that are meant, newest first; all without a limit."""
    stretches = list(_stretches(db, question))
    if not stretches:
        return []
    together = " UNION ALL ".join(text for text, _ in stretches)
    statement = (
        "SELECT * FROM stored_runs WHERE sequence IN"  # noqa: S608 - values are parameters
        f" (SELECT sequence FROM ({together} ORDER BY created_at DESC, sequence DESC LIMIT ?))"
        " ORDER BY created_at DESC, sequence DESC"
    )
    return db.execute(statement, [*(value for _, values in stretches for value in values), limit]).fetchall()


def _stretches(db: sqlite3.Connection, question: Question) -> Iterator[Condition]:
    if question.names is not None:
        names = json.dumps(list(question.names))
        # the index of names is without letter case, names are with it
        named = "name IN (SELECT value FROM json_each(?)) AND name COLLATE BINARY IN (SELECT value FROM json_each(?))"
        flags = ("+is_deleted <= ?", [int(question.deleted)])
        yield _select("", (named, [names, names]), flags, *_owned(question), *_filters(question))
        return
    flags_of = (0, 1) if question.deleted else (0,)
    bases = [(owner, flag) for owner, flag in product(dict.fromkeys(question.owners or ()), flags_of)]
    column = _narrowest(db, question, bases)
    values = dict.fromkeys(question.among.get(column, (None,)))
    for base, value in product(bases, values):
        mine = _mine(base)
        if column in question.among:
            mine = (f"{mine[0]} AND {_compared(column)} = ?", [*mine[1], value])
        yield _select(f"INDEXED BY runs_by_{column}", mine, *_filters(question))


def _narrowest(db: sqlite3.Connection, question: Question, bases: list[tuple[str, int]]) -> str:
    """Return the column whose index has the fewest runs to look at."""
    counts = {"created_at": _COUNTED + 1}
    for column, values in question.among.items():
        if len(bases) * len(set(values)) <= _STRETCHES:
            counts[column] = sum(_count(db, column, base, _one_of(column, values)) for base in bases)
    if any(span := question.spans.get("ended_at", ())):
        counts["ended_at"] = sum(_count(db, "ended_at", base, _within("ended_at", *span)) for base in bases)
    return min(counts, key=lambda column: counts[column])


def _count(db: sqlite3.Connection, column: str, base: tuple[str, int], condition: Condition) -> int:
    text, values = _select(f"INDEXED BY runs_by_{column}", _mine(base), condition)
    count: int = db.execute(f"SELECT count(*) FROM ({text} LIMIT {_COUNTED})", values).fetchone()[0]  # noqa: S608 - ^
    return count


def _select(index: str, *conditions: Condition) -> Condition:
    where = " AND ".join(text for text, _ in conditions)
    values = [value for _, each in conditions for value in each]
    return f"SELECT sequence, created_at FROM runs {index} WHERE {where}", values  # noqa: S608 - ^


def _mine(base: tuple[str, int]) -> Condition:
    return "owner = ? AND is_deleted = ?", list(base)


def _owned(question: Question) -> Iterator[Condition]:
    if question.owners is not None:
        yield "+owner IN (SELECT value FROM json_each(?))", [json.dumps(list(question.owners))]


def _filters(question: Question) -> Iterator[Condition]:
    for column, values in question.among.items():
        yield _one_of(column, values)
    for column, span in question.spans.items():
        yield _within(column, *span)
    if question.after is not None:
        yield "created_at <= ? AND (created_at, sequence) < (?, ?)", [question.after[0], *question.after]


def _one_of(column: str, values: Sequence[Any]) -> Condition:
    text = f"{_compared(column)} IN (SELECT value FROM json_each(?))"  # noqa: S608 - ^
    return text, [json.dumps(list(values))]


def _within(column: str, begin: str | None, end: str | None) -> Condition:
    bounds = {f"{column} >= ?": begin, f"{column} < ?": end}
    given = {text: moment for text, moment in bounds.items() if moment is not None}
    return " AND ".join(given) or "1", list(given.values())


def _compared(column: str) -> str:
    """Return how a column is compared: the names of cards have no one spelling."""
    return f"{column} COLLATE NOCASE" if column == "gpu_type" else column
