"""Lists of objects, whole or in pages."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, ObjectList, PaginatedObjectList, RunStatus
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect

THREE = ObjectList([RunStatus.RUNNING, RunStatus.FAILED, RunStatus.QUEUED], RunStatus)


def pages(*sizes: int) -> wire.Script:
    """Answer with pages of these sizes, one after the other."""
    answers, first = [], 0
    for number, size in enumerate(sizes):
        runs = [wire.run(f"run-{each}") for each in range(first, first + size)]
        answers.append(wire.page(*runs, cursor=str(number) if number + 1 < len(sizes) else None))
        first += size
    return wire.Script(*answers)


def names(runs: Any) -> list[str]:
    return [run.name for run in runs]


# A list in every respect


def test_an_object_list_is_a_list() -> None:
    """Membership, equality, order and search are those of a list."""
    plain = list(THREE)
    assert plain == THREE
    assert RunStatus.FAILED in THREE
    assert (plain[::-1], 1, 1) == (
        list(reversed(THREE)),
        THREE.index(RunStatus.FAILED),
        THREE.count(RunStatus.FAILED),
    )
    assert (repr(plain), plain) == (repr(THREE), THREE.data)


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    ObjectList.copy,
    lambda each: pickle.loads(pickle.dumps(each)),
    lambda each: each[:],
    lambda each: each + [],  # noqa: RUF005  # the sum is meant
    lambda each: each * 1,
]


@pytest.mark.parametrize("made", COPIES)
def test_copies_keep_the_type(made: Callable[[Any], Any]) -> None:
    """Copies, slices, sums and products are object lists of the same type."""
    other = made(THREE)
    assert (THREE, ObjectList, RunStatus) == (other, type(other), other.type)
    assert other is not THREE


@dataclass
class Thing:
    name: str
    size: int | None
    status: RunStatus
    created_at: datetime | None
    _hidden: str = "hidden"


THINGS = ObjectList(
    [
        Thing("<b>&", 1, RunStatus.RUNNING, datetime(2026, 1, 1, tzinfo=UTC)),
        Thing("b", None, RunStatus.FAILED, None),
    ],
    Thing,
)


def test_html_is_escaped() -> None:
    """A notebook shows a row for each object, and takes nothing in it for HTML."""
    table = THINGS._repr_html_()
    assert "<td>&lt;b&gt;&amp;</td>" in table
    assert (3, False) == (table.count("<tr>"), "<th>hidden" in table)


def test_pandas_has_columns_of_types() -> None:
    """A data frame has a row for each object, times and nullable numbers of their kind, and an ordered status."""
    frame = THINGS.to_pandas()
    expected = {"name": "string", "size": "Int64", "status": "category", "created_at": "datetime64[ns, UTC]"}
    kinds = {str(name): str(dtype).replace("[us,", "[ns,") for name, dtype in frame.dtypes.items()}
    assert expected == kinds
    assert [True, False] == list(frame["status"] < "FAILED")


def test_pandas_of_nothing_has_the_columns() -> None:
    """An empty list gives an empty frame that still has its columns."""
    assert ["name", "size", "status", "created_at"] == list(ObjectList([], Thing).to_pandas().columns)


# Pages


def test_next_page_keeps_the_filters(connect: Connect) -> None:
    """The next page is asked for with the cursor, by the same filters and limit."""
    asked = pages(2, 1)
    connect(answer=asked)
    first = mcli.get_runs(statuses=["running"], limit=2)
    assert (["run-0", "run-1"], ["run-2"]) == (names(first), names(first.next_page()))
    one, two = (call.variables["getRunsPaginatedData"] for call in asked.calls)
    assert one | {"cursor": "0"} == two


def test_after_the_last_page_comes_stop_iteration(connect: Connect) -> None:
    """A page that is the last knows it, and `next_page` raises StopIteration."""
    asked = pages(1)
    connect(answer=asked)
    only = mcli.get_runs()
    assert not only.has_next_page
    with pytest.raises(StopIteration):
        only.next_page()
    assert 1 == len(asked.calls)


def test_a_new_limit_stays(connect: Connect) -> None:
    """A limit given to `next_page` counts for the pages after it as well."""
    asked = pages(1, 2, 2)
    connect(answer=asked)
    mcli.get_runs(limit=1).next_page(limit=2).next_page()
    assert [1, 2, 2] == [call.variables["getRunsPaginatedData"]["limit"] for call in asked.calls]


def test_iterating_over_all_fetches_when_needed(connect: Connect) -> None:
    """`iter_all` gives every run, and asks for a page when it is reached."""
    asked = pages(2, 2, 1)
    connect(answer=asked)
    everything = mcli.get_runs(limit=2).iter_all()
    assert ["run-0", "run-1"] == names([next(everything), next(everything)])
    assert 1 == len(asked.calls)
    assert ["run-2", "run-3", "run-4"] == names(everything)


def test_pages_that_do_not_end_are_an_error(connect: Connect) -> None:
    """A cursor that does not move is an error, not a loop."""
    connect(answer=wire.Script(wire.page(wire.run(), cursor="same")))
    with pytest.raises(MAPIException, match="pages do not end"):
        list(mcli.get_runs().iter_all())


def test_a_malformed_run_of_a_later_page_is_named(connect: Connect) -> None:
    """An error in a later page is an error of that page; the first one stays as it is."""
    broken = wire.page(wire.run("run-b", createdAt=None))
    connect(answer=wire.Script(wire.page(wire.run(), cursor="0"), broken))
    first = mcli.get_runs()
    with pytest.raises(MAPIException, match="run-b"):
        first.next_page()
    assert ["run-a"] == names(first)


def test_runs_by_name_are_all_fetched(connect: Connect) -> None:
    """Runs that are named come in one list, however many pages it takes."""
    asked = pages(2, 2, 1)
    connect(answer=asked)
    found = mcli.get_runs([f"run-{number}" for number in range(5)])
    assert [f"run-{number}" for number in range(5)] == names(found)
    assert (3, False) == (len(asked.calls), found.has_next_page)


EMPTY: dict[str, Callable[[], Any]] = {
    **{
        f"get_runs {name}": partial(mcli.get_runs, **{name: ()})
        for name in ("runs", "cluster_names", "gpu_types", "gpu_nums", "statuses", "user_emails", "run_types")
    },
    **{
        f"get_finetuning_runs {name}": partial(mcli.get_finetuning_runs, **{name: iter(())})
        for name in ("finetuning_runs", "statuses", "user_emails")
    },
    "get_secrets secrets": lambda: mcli.get_secrets([]),
    "get_secrets secret_types": lambda: mcli.get_secrets(secret_types=[]),
    "get_clusters clusters": lambda: mcli.get_clusters([]),
    "get_users user_ids": lambda: mcli.get_users([]),
    "get_users user_emails": lambda: mcli.get_users(user_emails=[]),
    "get_users organization_ids": lambda: mcli.get_users(organization_ids=[]),
}


@pytest.mark.parametrize("call", EMPTY.values(), ids=EMPTY)
def test_an_empty_filter_selects_nothing(connect: Connect, call: Callable[[], Any]) -> None:
    """An empty list in any filter gives nothing and sends nothing: on the wire it would select everything."""
    asked = pages(1)
    connect(answer=asked)
    assert ([], []) == (call(), asked.calls)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "x", True])
def test_a_limit_is_a_number_of_objects(connect: Connect, limit: Any) -> None:
    """A limit that is not a whole number from 1 is refused by the first page and by later ones."""
    connect(answer=pages(1, 1))
    first = mcli.get_runs(limit=1)
    for call in (mcli.get_runs, first.next_page):
        with pytest.raises((TypeError, ValueError), match=r"^limit must be"):
            call(limit=limit)


def test_a_limit_of_the_default_size_is_a_limit(connect: Connect) -> None:
    """A limit that is given is the most that comes back, also where it is the number that is the default."""
    connect(answer=pages(100, 1))
    found = mcli.get_runs([f"run-{number}" for number in range(101)], limit=100)
    assert (100, True) == (len(found), found.has_next_page)


def test_a_page_that_was_stored_goes_on(connect: Connect) -> None:
    """A page pickles, and what comes back fetches the next one."""
    connect(answer=pages(1, 1))
    stored = pickle.loads(pickle.dumps(mcli.get_runs(limit=1)))
    assert (PaginatedObjectList, ["run-1"]) == (type(stored), names(stored.next_page()))


def test_a_later_page_is_retried(connect: Connect) -> None:
    """`next_page` is retried as every query."""
    connect(
        answer=wire.Script(
            wire.page(wire.run(), cursor="0"), wire.error(503, "down"), wire.page(wire.run("run-b"))
        )
    )
    assert ["run-b"] == names(mcli.get_runs().next_page())
