"""Reading users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, User
from mcli.users import Organization
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

ADA = {
    "id": "u1",
    "name": "Ada",
    "email": "ada@example.com",
    "organizations": [{"id": "o1", "name": "Engines", "isDatabricksInternal": True}],
}
READ = User("u1", "Ada", "ada@example.com", [Organization("o1", "Engines", is_databricks_internal=True)])


def test_the_current_user_is_asked_for_without_a_filter(connect: Connect) -> None:
    """The owner of the key is who the platform names when nobody is asked for."""
    connect(answer=(script := wire.Script({"data": {"getUsers": [ADA]}})))
    assert READ == mcli.get_current_user()
    assert [("GetUsers", {"getUsersData": {"filters": {}}})] == [call[:2] for call in script.calls]


@pytest.mark.parametrize("users", [[], [ADA, ADA]], ids=len)
def test_a_key_has_one_owner(connect: Connect, users: list[Any]) -> None:
    """An answer with no user, or with several, is the platform's fault."""
    connect(answer=wire.Script({"data": {"getUsers": users}}))
    with pytest.raises(MAPIException, match=f"Error 500: The platform named {len(users)} users"):
        mcli.get_current_user()


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, {"filters": {}}),
        ({"user_ids": ["u1"]}, {"filters": {"id": {"in": ["u1"]}}}),
        ({"user_emails": ["a@x"]}, {"filters": {"email": {"in": ["a@x"]}}}),
        ({"organization_ids": ["o1"]}, {"filters": {}, "entity": {"organizationIds": ["o1"]}}),
    ],
    ids=str,
)
def test_users_are_asked_for(connect: Connect, arguments: Any, sent: object) -> None:
    """The filters that were given are sent, and no others."""
    connect(answer=(script := wire.Script({"data": {"getAllUsers": [ADA]}})))
    assert [READ] == mcli.get_users(**arguments)
    assert [("GetAllUsers", {"getAllUsersData": sent})] == [call[:2] for call in script.calls]


@pytest.mark.parametrize("arguments", [{"user_ids": []}, {"user_emails": []}], ids=str)
def test_an_empty_list_asks_for_nobody(connect: Connect, arguments: Any) -> None:
    """An empty list of users gives an empty list, and nothing is sent."""
    connect(answer=(script := wire.Script({"data": {"getAllUsers": [ADA]}})))
    assert ([], []) == (mcli.get_users(**arguments), script.calls)
