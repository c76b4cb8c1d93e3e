"""The check of the contract notices each kind of wrong answer."""

from typing import Any

import pytest
from graphql import build_schema

from tests.contract.conformance import problems

SCHEMA = build_schema("""
scalar DateTime
enum Status { RUNNING }
type Run { name: String! status: Status gpus: Int createdAt: DateTime! tags: [String!]! }
type Query { runs: [Run!]! run: Run }
""")
ALL = "{ runs { name other: status gpus createdAt ...T } } fragment T on Run { tags __typename }"
RUN = {
    "name": "a",
    "other": "RUNNING",
    "gpus": None,
    "createdAt": "2024-06-04T00:35:56.123Z",
    "tags": ["x"],
    "__typename": "Run",
}
ERROR = {"message": "no", "extensions": {"code": 404}, "path": ["run"]}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"runs": [RUN]}},
        {"data": {"runs": []}},
        {"errors": [{"message": "no", "extensions": {"code": 400}}]},
        {"errors": [ERROR], "data": None},
    ],
)
def test_right_answer(answer: dict[str, Any]) -> None:
    """Nothing is found where all is right."""
    assert [] == problems(SCHEMA, ALL, 200, answer)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"data": {"runs": None}}, "data.runs is null"),
        ({"data": {"runs": {}}}, "data.runs[0] is null"),
        ({"data": {"runs": [RUN | {"name": None}]}}, "data.runs[0].name is null"),
        ({"data": {"runs": [RUN | {"name": 5}]}}, "not String"),
        ({"data": {"runs": [RUN | {"other": "LOST"}]}}, "not Status"),
        ({"data": {"runs": [RUN | {"gpus": 2**31}]}}, "not Int"),
        ({"data": {"runs": [RUN | {"gpus": True}]}}, "not Int"),
        ({"data": {"runs": [RUN | {"createdAt": "2024-06-04"}]}}, "not DateTime"),
        ({"data": {"runs": [RUN | {"tags": [None]}]}}, "tags[0] is null"),
        ({"data": {"runs": [RUN | {"more": 1}]}}, "data.runs[0] has"),
        ({"data": {}}, "data has []"),
        ({}, "the keys []"),
        ({"errors": []}, "empty list"),
        ({"errors": [ERROR | {"extensions": {"code": 500}}], "data": None}, "code 500"),
        ({"errors": [ERROR | {"extensions": {"code": "404"}}]}, "code '404'"),
        ({"errors": [ERROR | {"message": ""}]}, "no message"),
        ({"errors": [{"message": "no", "extensions": {"code": 404}}], "data": None}, "no path"),
    ],
)
def test_wrong_answer(answer: dict[str, Any], word: str) -> None:
    """Each wrong answer is found, and told with the place."""
    assert word in problems(SCHEMA, ALL, 200, answer)[0]


def test_wrong_status() -> None:
    """An answer with another status, or without JSON, is found."""
    assert ["status 500 with oops"] == problems(SCHEMA, ALL, 500, "oops")
