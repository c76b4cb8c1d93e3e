"""What becomes of answers in the values that callers get."""

from __future__ import annotations

import dataclasses
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from mcli_mapi import operations

from mcli.exceptions import MAPIException
from tests.fake import SCHEMA, Answers, Fake, Replies, Reply, connected
from tests.fake.leaves import Leaf, example, pairs
from tests.properties.calls import CALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

fake = Fake()
replies = Replies(Answers(SCHEMA))
few = settings(max_examples=settings().max_examples // 10)

NOT_CARRIED = {
    "Finetune.createdById": "the page's Finetune knows its creator by address",
    "Finetune.isDeleted": "the page's Finetune has no place for it",
    "FinetuneDetails.dataPrepConfig": "internal to the platform",
}
"""Leaves that no documented attribute has, each with the reason."""

NOT_CALLED = {
    "CreateRunEvent": "no function of the page sends it",
    "GetRunDebugInfo": "no function of the page sends it",
    "GetRunLogs": "a subscription",
    "WatchRunStatus": "a subscription",
}
"""Operations that no call here sends."""


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    with connected(fake):
        yield


def view(value: object) -> object:
    """Return the documented attributes of a value, and of all that is in it."""
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value) if not each.name.startswith("_")]
        return {name: view(getattr(value, name)) for name in names}
    if isinstance(value, list | tuple):
        more = [value.has_next_page] if hasattr(value, "has_next_page") else []
        return [*map(view, value), *more]
    if isinstance(value, dict):
        return {key: view(each) for key, each in value.items()}
    return value.name if isinstance(value, Enum) else value


def seen(name: str, value: Callable[[Leaf], Any]) -> object:
    """Return what the caller of a function sees where the platform answers with these values."""
    return view(
        fake.result(CALLS[name](), lambda request: Reply.of({"data": example(SCHEMA, request, value)}))
    )


def usual(leaf: Leaf, turn: int = 0) -> Any:
    """Return the value of a leaf that is not looked at; at each turn another one, where there are several."""
    values = [one for one, _ in pairs(SCHEMA, leaf)]
    return {"cursor": None, "hasNextPage": False}.get(leaf.path[-1], values[turn % len(values)])


def sparse(leaf: Leaf) -> Any:
    """Return null for a leaf that may be null."""
    return None if leaf.is_nullable else usual(leaf)


WORLDS: list[Callable[[Leaf], Any]] = [usual, sparse, *(partial(usual, turn=turn) for turn in range(1, 12))]
"""Some leaves are told only beside a certain value of another, e.g. the metadata of some kinds of secrets."""


def leaves(name: str) -> list[Leaf]:
    """Return the leaves of what answers a call; those of pages are a matter of their own."""
    found: list[Leaf] = []

    def note(leaf: Leaf) -> Any:
        found.append(leaf)
        return usual(leaf)

    seen(name, note)
    return [leaf for leaf in found if leaf.path[-1] not in {"cursor", "hasNextPage"}]


def shows(name: str, leaf: Leaf) -> bool:
    """Tell whether the caller can tell two values of a leaf apart, in some answer."""
    return any(
        with_value(name, leaf, one, others) != with_value(name, leaf, other, others)
        for others in WORLDS
        for one, other in pairs(SCHEMA, leaf)
    )


def with_value(name: str, leaf: Leaf, value: Any, others: Callable[[Leaf], Any]) -> object:
    """Return what the caller sees where one leaf has this value."""
    return seen(name, lambda each: value if each == leaf else others(each))


@pytest.mark.filterwarnings("ignore:Unknown submission type")
@pytest.mark.parametrize("name", CALLS)
def test_no_selected_field_is_lost(name: str) -> None:
    """Each part of an answer reaches a documented attribute of what the call returns, or is known not to."""
    lost = {leaf.field for leaf in leaves(name) if not shows(name, leaf)}
    assert lost == {leaf.field for leaf in leaves(name) if leaf.field in NOT_CARRIED}


def test_every_operation_is_called() -> None:
    """There is a documented call for each operation, or a reason why not."""
    sent = set()
    for call in CALLS.values():
        fake.requests.clear()
        with pytest.raises(MAPIException):
            fake.result(call(), lambda _: Reply.of({"errors": [{"message": "enough"}]}))
        sent |= {request.name for request in fake.requests}
    written = {
        each.name.value
        for name, text in vars(operations).items()
        if name.endswith("_GQL")
        for each in parse(text).definitions
        if isinstance(each, OperationDefinitionNode) and each.name
    }
    assert written == sent | NOT_CALLED.keys()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
@few
@given(data=st.data(), kind=st.sampled_from(["data", "data", "errors", "garbage", "broken"]))
def test_a_call_gives_a_value_or_the_one_exception(name: str, data: st.DataObject, kind: str) -> None:
    """Whatever the platform answers, a call returns something that prints, or raises a `MAPIException`."""
    told = ""
    try:
        value = fake.result(CALLS[name](), lambda request: data.draw(getattr(replies, kind)(request)))
        assert isinstance(repr(value), str)
    except MAPIException as error:
        told = str(error)
    assert bool(told) or kind in {"data", "broken"}
