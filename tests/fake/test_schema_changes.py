"""A change of the schema changes what the fake refuses and answers, without an edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import find
from mcli_mapi import operations

from tests.fake import Answers, InvalidRequestError, Request, read_schema
from tests.fake.requests import read_request

SCHEMA = (Path(__file__).parents[2] / "schema" / "mapi.graphql").read_text("utf-8")


def changed(before: str, after: str) -> str:
    """Return the schema with one change."""
    assert before in SCHEMA
    return SCHEMA.replace(before, after, 1)


def asked(schema: str, document: str, **variables: Any) -> Request:
    """Return a request that fits the schema."""
    return read_request(read_schema(schema), {"query": document, "variables": variables})


def test_a_new_required_input_field_is_missed() -> None:
    """An input that lacks a field which the schema now requires is refused by the name of the field."""
    schema = changed("input WatchRunStatusInput {", "input WatchRunStatusInput { realm: String!")
    with pytest.raises(InvalidRequestError, match="realm"):
        asked(schema, operations.WATCH_RUN_STATUS_GQL, watchRunStatusInput={"name": "a"})


def test_a_removed_field_is_refused() -> None:
    """An operation that selects what the schema no longer has is refused by the name of the field."""
    schema = changed("  isMultiTenant: Boolean!\n", "")
    with pytest.raises(InvalidRequestError, match="isMultiTenant"):
        asked(schema, operations.GET_CLUSTERS_GQL, getClustersData={})


def test_a_new_enum_value_is_answered() -> None:
    """A value that the schema now has is among the answers, and is decoded like any newer one."""
    schema = changed("enum SecretType {", "enum SecretType { SIGNED")
    request = asked(schema, operations.GET_SECRETS_GQL, getSecretsData={})
    found = find(Answers(read_schema(schema)).to(request), lambda data: '"SIGNED"' in json.dumps(data))
    assert "SIGNED" == found["getSecrets"][0]["type"]


def test_a_field_that_may_now_be_null_is_answered_with_null() -> None:
    """A field that lost its `!` is null in some answers."""
    schema = changed("type User {\n  id: ID!\n  name: String!", "type User {\n  id: ID!\n  name: String")
    request = asked(schema, operations.GET_USERS_GQL, getUsersData={})
    found = find(
        Answers(read_schema(schema)).to(request), lambda data: None in [u["name"] for u in data["getUsers"]]
    )
    assert None is found["getUsers"][0]["name"]


def test_a_new_scalar_is_answered() -> None:
    """A scalar that nobody here has heard of is any JSON value."""
    schema = changed("type User {", "scalar Badge\ntype User { badge: Badge!")
    document = "query Q($a: GetUsersInput!) { getUsers(getUsersData: $a) { badge } }"
    found = find(
        Answers(read_schema(schema)).to(asked(schema, document, a={})), lambda data: bool(data["getUsers"])
    )
    assert found["getUsers"][0]["badge"] is not None


@pytest.mark.parametrize(
    ("document", "variables", "complaint"),
    [
        ("{", {}, "no operation"),
        ("query A { getUsers { id } }", {}, "getUsersData"),
        (operations.GET_USERS_GQL, {"getUsersData": {}, "more": 1}, "more"),
        (operations.GET_USERS_GQL, {"getUsersData": {"filter": {}}}, "filter"),
        (operations.GET_RUNS_PAGINATED_GQL, {"getRunsPaginatedData": {"limit": "5"}}, "Int"),
        (
            operations.GET_RUNS_PAGINATED_GQL,
            {"getRunsPaginatedData": {"filters": {"createdAt": {"gte": "yesterday"}}}},
            "DateTime",
        ),
        (
            operations.GET_RUNS_PAGINATED_GQL,
            {"getRunsPaginatedData": {"filters": {"status": {"in": ["DONE"]}}}},
            "DONE",
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(
    document: str, variables: dict[str, Any], complaint: str
) -> None:
    """A request that the schema does not allow fails the test, with a message that says why."""
    with pytest.raises(InvalidRequestError, match=complaint):
        asked(SCHEMA, document, **variables)
