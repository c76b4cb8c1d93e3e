"""What holds for every operation that we send, whatever the platform answers."""

from __future__ import annotations

import re
import time
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcli_mapi.input_types
import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from mcli_mapi import operations
from pydantic import BaseModel

from mcli._core import loop
from mcli._core.limits import deadline
from mcli._core.transport import mapi
from mcli._run_values import runs_of  # noqa: F401 - with it runs are made while an answer is read
from mcli._spelling import snake_case
from mcli.exceptions import MAPIException
from mcli.run import Run
from tests.fake import SCHEMA, Answers, Fake, Replies, Reply, Request, Variables, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcli_mapi.base_model import Result

ROOT = Path(__file__).parents[2]
LENIENT = tomllib.loads((ROOT / "codegen" / "mapi.toml").read_text())["lenient"]

OPERATIONS = {
    definition.name.value: definition
    for name, text in vars(operations).items()
    if name.endswith("_GQL")
    for definition in parse(text).definitions
    if isinstance(definition, OperationDefinitionNode) and definition.name
}
CALLS = sorted(name for name, each in OPERATIONS.items() if each.operation.value != "subscription")

few = settings(max_examples=settings().max_examples // 10)
"""There are many operations, and each has its own examples."""

answers = Answers(SCHEMA, lenient=LENIENT)
replies = Replies(answers)
variables = Variables(SCHEMA)
fake = Fake()


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    with connected(fake):
        yield


def call(name: str, sent: dict[str, Any], answer: Callable[[Request], Reply]) -> Result:
    """Send an operation of the generated client with these variables, once."""
    types = {
        each.variable.name.value: re.sub(r"\W", "", _type_name(each.type))
        for each in OPERATIONS[name].variable_definitions
    }
    given = {
        snake_case(key): value and getattr(mcli_mapi.input_types, types[key]).model_validate(value)
        for key, value in sent.items()
    }
    token = deadline.set(time.monotonic())  # over, so nothing is sent again
    try:
        pending = loop.submit(getattr(mapi(), snake_case(name))(**given))
    finally:
        deadline.reset(token)
    result: Result = fake.result(pending, answer)
    return result


def _type_name(node: Any) -> str:
    return node.name.value if hasattr(node, "name") else _type_name(node.type)


def carries(value: object, wire: Any) -> bool:
    """Tell whether a decoded value holds all that the wire held."""
    if isinstance(value, BaseModel):
        named = {field.validation_alias: name for name, field in type(value).model_fields.items()}
        return all(
            carries(getattr(value, named.get(key) or snake_case(key)), each) for key, each in wire.items()
        )
    if isinstance(value, datetime):
        return value == datetime.fromisoformat(wire)
    if isinstance(value, Run):  # made while it was read: test_adapters.py looks at all that it has
        return bool(value.name == wire["name"])
    if isinstance(value, list) and value and isinstance(value[0], BaseModel | Run):
        return len(value) == len(wire) and all(map(carries, value, wire))
    return bool(value == wire)


@pytest.mark.parametrize("name", CALLS)
@few
@given(data=st.data())
def test_every_valid_answer_is_decoded(name: str, data: st.DataObject) -> None:
    """Whatever the schema lets the platform answer is decoded, and nothing of it is lost."""
    replied: list[Reply] = []

    def answer(request: Request) -> Reply:
        replied.append(data.draw(replies.data(request)))
        return replied[-1]

    sent = data.draw(variables.of(OPERATIONS[name]))
    try:
        result = call(name, sent, answer)
    except MAPIException as error:
        if not (lacks_resumptions(replied[-1].body) and "without a resumption" in str(error)):
            raise
    else:
        assert carries(result, replied[-1].body["data"])


def lacks_resumptions(wire: Any) -> bool:
    """Tell whether a run has no resumption, of which it has at least one: official clients fail there too."""
    if isinstance(wire, list):
        return any(map(lacks_resumptions, wire))
    if isinstance(wire, dict):
        return wire.get("resumptions") == [] or any(map(lacks_resumptions, wire.values()))
    return False


@pytest.mark.parametrize("name", CALLS)
@few
@given(data=st.data())
def test_every_valid_input_arrives(name: str, data: st.DataObject) -> None:
    """Whatever the schema lets us send arrives as it was given, and what was not given is not sent."""
    sent = data.draw(variables.of(OPERATIONS[name]))
    fake.requests.clear()
    with pytest.raises(MAPIException, match="enough"):
        call(name, sent, lambda request: Reply.of({"errors": [{"message": "enough"}]}))
    assert [sent] == [request.variables for request in fake.requests]


@pytest.mark.parametrize("name", CALLS)
@few
@given(data=st.data(), kind=st.sampled_from(["errors", "garbage", "broken"]))
def test_every_other_answer_is_told_as_such(name: str, data: st.DataObject, kind: str) -> None:
    """What is no data, or data that the schema does not allow, is read or becomes a `MAPIException` that says so."""
    told = ""
    try:
        sent = data.draw(variables.of(OPERATIONS[name]))
        call(name, sent, lambda request: data.draw(getattr(replies, kind)(request)))
    except MAPIException as error:
        told = str(error)
    assert re.match(r"Error [45]\d\d: .+", told) or (kind == "broken" and not told)
