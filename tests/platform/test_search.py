"""Runs are found by an index, in an amount of work that does not grow with their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.state import records, selection
from mcli.platform.state.search import Question, find
from mcli.platform.state.store import Transaction, migrate
from mcli.platform.state.users import User, all_users
from mcli.platform.submission import runs
from tests.platform.many import copy_runs, steps
from tests.platform.quiet import Quiet

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY = 1_000, 20_000
NEWEST = {"limit": 10}

Ask = Callable[[sqlite3.Connection, User], object]


def filtered(**filters: Any) -> Ask:
    return lambda db, user: selection.page(db, user, {"filters": filters, **NEWEST})


def updated(db: sqlite3.Connection, user: User) -> None:
    (run,) = selection.changeable(db, user, {"filters": {"name": {"in": ["copy-7"]}}})
    runs.update_metadata(Transaction(db, "2024-06-04T00:00:00.000Z"), run, {"a": 1})


ASKED: dict[str, Ask] = {
    "get by name": filtered(name={"in": ["copy-7"]}),
    "get one": lambda db, user: selection.named(db, "copy-7"),
    "page": filtered(),
    "deleted too": lambda db, user: selection.page(db, user, {"includeDeleted": True, **NEWEST}),
    "update": updated,
    "of another": lambda db, user: selection.page(
        db, user, {"entity": {"emails": ["bob@localhost"]}, **NEWEST}
    ),
    "of two": lambda db, user: selection.page(
        db, user, {"entity": {"emails": ["ann@localhost", "bob@localhost"]}, **NEWEST}
    ),
    "rare status": filtered(status={"in": ["PENDING", "RUNNING"]}),
    "frequent statuses": filtered(status={"in": ["COMPLETED", "FAILED"]}),
    "no such card": filtered(gpuType={"in": ["h100_80gb"]}, status={"in": ["COMPLETED"]}),
    "card": filtered(gpuType={"in": ["NONE", "t4"]}),
    "no such count": filtered(gpuNum={"in": [8, 16]}),
    "cluster": filtered(clusterName={"in": ["local"]}),
    "run type": filtered(runType={"in": ["INTERACTIVE"]}),
    "since": lambda db, user: find(db, Question([user.id], spans={"created_at": ("2024-01-01", None)}), 10),
    "until": lambda db, user: find(
        db, Question([user.id], spans={"created_at": (None, "2023-11-14T23")}), 10
    ),
    "ended since": lambda db, user: find(
        db, Question([user.id], spans={"ended_at": ("2024-01-01", None)}), 10
    ),
    "alive": lambda db, user: records.with_status(db, records.LIVE),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[sqlite3.Connection]]:
    """A store with few runs, and one with twenty times as many."""
    with ExitStack() as opened:
        yield [_filled(tmp_path_factory.mktemp("store"), count, opened) for count in (FEW, MANY)]


def _filled(folder: Path, count: int, opened: ExitStack) -> sqlite3.Connection:
    quiet = Quiet(folder)
    quiet.create()
    quiet.close()
    copy_runs(folder / "db", count)
    db = opened.enter_context(closing(sqlite3.connect(folder / "db", isolation_level=None)))
    db.row_factory = sqlite3.Row
    return db


@pytest.mark.parametrize("asked", ASKED)
def test_work_does_not_grow(stores: list[sqlite3.Connection], asked: str) -> None:
    """SQLite takes at most twice the steps among twenty times the runs."""
    few, many = (steps(db, lambda db=db: ASKED[asked](db, all_users(db)[0])) for db in stores)  # type: ignore[misc]
    assert 0 < many <= 2 * few


VALUES: dict[str, list[Any]] = {
    "status": ["PENDING", "COMPLETED", "FAILED"],
    "run_type": ["TRAINING", "INTERACTIVE"],
    "cluster": ["local", "other"],
    "gpu_type": ["None", "a100_80gb", "A100_80GB"],
    "gpus": [0, 8],
}
MOMENTS = ["2024-01-01", "2024-01-02", "2024-01-03"]
moments = st.none() | st.sampled_from(MOMENTS)
rows = st.fixed_dictionaries(
    {column: st.sampled_from(values) for column, values in VALUES.items()}
    | {"owner": st.sampled_from(["ann", "bob"]), "is_deleted": st.sampled_from([0, 1])}
    | {"created_at": st.sampled_from(MOMENTS), "ended_at": moments}
)
questions = st.builds(
    Question,
    owners=st.none() | st.lists(st.sampled_from(["ann", "bob", "eve"]), max_size=3),
    names=st.none() | st.lists(st.sampled_from(["run-0", "run-1", "RUN-1", "run-9", "none"]), max_size=4),
    among=st.fixed_dictionaries(
        {},
        optional={column: st.lists(st.sampled_from(values), max_size=4) for column, values in VALUES.items()},
    ),
    spans=st.fixed_dictionaries(
        {}, optional={column: st.tuples(moments, moments) for column in ("created_at", "ended_at")}
    ),
    deleted=st.booleans(),
    after=st.none() | st.tuples(st.sampled_from(MOMENTS), st.integers(0, 12)),
).filter(lambda question: question.owners is not None or question.names is not None)


def is_meant(row: dict[str, Any], question: Question) -> bool:
    """Say in the plainest words whether a question is about a run."""
    low = {**row, "gpu_type": row["gpu_type"].lower()}
    return (
        (question.names is None or row["name"] in question.names)
        and (question.owners is None or row["owner"] in question.owners)
        and (question.deleted or not row["is_deleted"])
        and all(
            low[column] in [each.lower() if column == "gpu_type" else each for each in values]
            for column, values in question.among.items()
        )
        and all(_is_within(row[column], *span) for column, span in question.spans.items())
        and (question.after is None or (row["created_at"], row["sequence"]) < question.after)
    )


def _is_within(moment: str | None, begin: str | None, end: str | None) -> bool:
    if begin is None and end is None:
        return True
    return moment is not None and (begin is None or moment >= begin) and (end is None or moment < end)


@given(st.lists(rows, min_size=3, max_size=12), questions, st.integers(1, 5))
def test_what_is_found_is_what_is_meant(known: list[dict[str, Any]], question: Question, limit: int) -> None:
    """Whatever index is used, the runs that are meant are found, newest first, and a limit gives the first of them."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.row_factory = sqlite3.Row
        migrate(db)
        db.executemany(
            "INSERT INTO users VALUES (?, ?, ?, 'local', 0)", [(each, each, each) for each in ("ann", "bob")]
        )
        for number, row in enumerate(known):
            row |= {"sequence": number, "id": str(number), "name": f"run-{number}", "document": ""}
            marks = ", ".join(f":{column}" for column in row)
            db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({marks})", row)
        meant = sorted(
            ((row["created_at"], row["sequence"]) for row in known if is_meant(row, question)), reverse=True
        )
        found = [(row["created_at"], row["sequence"]) for row in find(db, question)]
        assert (meant, meant[:limit]) == (found, found[:limit])
        assert found[:limit] == [(row["created_at"], row["sequence"]) for row in find(db, question, limit)]
