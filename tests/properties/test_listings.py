"""Pages joined are the whole list, on a platform that orders as the contract says: the newest first."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcli
from mcli import MAPIException
from tests.fake import SCHEMA, Fake, Reply, Request, connected
from tests.fake.leaves import Leaf, example, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

fake = Fake()
limits = st.integers(1, 7)


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    with connected(fake):
        yield


class Listing:
    """The runs of a platform, and the pages that were asked for."""

    def __init__(self, count: int, largest: int = 100) -> None:
        self.count = count
        self.largest = largest
        self.sizes: list[int] = []

    @property
    def names(self) -> list[str]:
        """All names, the newest first."""
        return [f"run-{number}" for number in reversed(range(self.count))]

    def page(self, request: Request) -> Reply:
        """Answer with the runs after the cursor; the last page has a cursor as well, but nothing follows it."""
        asked = request.variables["getRunsPaginatedData"]
        older = int(asked.get("cursor") or self.count)
        size = min(asked.get("limit") or 100, self.largest)
        self.sizes.append(size)
        assert len(self.sizes) < 50, "asked for ever"
        chosen = range(max(0, older - size), older)
        data = example(SCHEMA, request, _value)["getRunsPaginated"]
        (run,) = data["runs"]
        runs = [copy.deepcopy(run) | {"name": f"run-{number}"} for number in reversed(chosen)]
        more = {"cursor": str(chosen.start), "hasNextPage": chosen.start > 0}
        return Reply.of({"data": {"getRunsPaginated": data | {"runs": runs} | more}})


def _value(leaf: Leaf) -> Any:
    return pairs(SCHEMA, leaf)[0][0]


def first_page(listing: Listing, limit: int | None) -> mcli.PaginatedObjectList[mcli.Run]:
    """Return the first page of the runs."""
    return fake.result(mcli.get_runs(limit=limit, future=True), listing.page)


def following(
    listing: Listing, page: mcli.PaginatedObjectList[mcli.Run], limit: int | None
) -> mcli.PaginatedObjectList[mcli.Run]:
    """Return the page after a page, which the list asks for in a thread of its own."""
    return fake.blocking(lambda: page.next_page(limit), listing.page)


@given(
    count=st.integers(0, 12),
    limit=limits,
    wanted=st.lists(st.none() | limits),
    created=st.lists(st.integers(0, 3)),
)
def test_pages_joined_are_the_whole(
    count: int, limit: int, wanted: list[int | None], created: list[int]
) -> None:
    """Under every page size, also one that changes, no run is lost or repeated, whatever is created between pages."""
    listing = Listing(count)
    expected = listing.names
    page = first_page(listing, limit)
    found = [run.name for run in page]
    while page.has_next_page:
        size = wanted.pop() if wanted else None
        limit = size or limit
        listing.count += created.pop() if created else 0
        page = following(listing, page, size)
        found += [run.name for run in page]
        assert limit == listing.sizes[-1]
    assert expected == found


@given(count=st.integers(1, 12), limit=limits)
def test_there_is_no_page_after_the_last(count: int, limit: int) -> None:
    """The page that the platform calls the last is the last, whatever its cursor."""
    listing = Listing(count)
    page = first_page(listing, limit)
    while page.has_next_page:
        page = following(listing, page, None)
    with pytest.raises(StopIteration):
        page.next_page()


@given(count=st.integers(1, 12), limit=limits)
def test_all_runs_that_were_named_are_read(count: int, limit: int) -> None:
    """Runs that are asked for by name come in one list, however many pages they fill."""
    listing = Listing(count, largest=limit)
    found = fake.result(mcli.get_runs(listing.names, future=True), listing.page)
    assert (listing.names, False) == ([run.name for run in found], found.has_next_page)


@given(count=st.integers(1, 12), limit=limits)
def test_a_limit_is_the_most_that_comes_back(count: int, limit: int) -> None:
    """With a limit, runs that are asked for by name come in pages of that size."""
    listing = Listing(count)
    found = fake.result(mcli.get_runs(listing.names, limit=limit, future=True), listing.page)
    assert (listing.names[:limit], count > limit) == ([run.name for run in found], found.has_next_page)


def test_pages_that_do_not_move_are_an_error() -> None:
    """A platform whose cursor stays where it was is told as such, and not asked for ever."""
    listing = Listing(1)

    def stuck(request: Request) -> Reply:
        page = listing.page(request).body["data"]["getRunsPaginated"]
        return Reply.of({"data": {"getRunsPaginated": page | {"cursor": "1", "hasNextPage": True}}})

    with pytest.raises(MAPIException, match="do not end"):
        fake.result(mcli.get_runs(["a", "b"], future=True), stuck)
