"""Users of the platform. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.input_types import EntityInput, GetUsersInput, StringFilter, UserFilters

from mcli._arguments import texts
from mcli._core.operations import query
from mcli._core.transport import mapi
from mcli.exceptions import MAPIException
from mcli.pages import ObjectList

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import UserFields

__all__ = ["Organization", "User", "get_current_user", "get_users"]


@dataclass
class Organization:
    """An organization, which users belong to."""

    id: str
    """Unique identifier of the organization."""
    name: str
    is_databricks_internal: bool = False
    """Whether it is one of the operator's own."""


@dataclass
class User:
    """A user of the platform.

    >>> import mcli
    >>> mcli.get_users()[0].organizations[0].name
    'local'
    """

    id: str
    """Unique identifier of the user."""
    name: str
    email: str
    """The address that `Run.created_by` has, and that `get_runs(user_emails=…)` takes."""
    organizations: list[Organization] = field(default_factory=list)
    """The organizations that the user belongs to."""


@query
def get_current_user(
    *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, User]:
    """Read the user whom the API key belongs to.

    Args:
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The user.

    Raises:
        MAPIException: The key is wrong (401), or the platform could not be asked.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig("mine", image="bash", command="true", compute={"gpus": 0}))
    >>> run.created_by == mcli.get_current_user().email
    True
    """
    return _current(mapi(), GetUsersInput(filters=UserFilters()))


async def _current(client: Mapi, request: GetUsersInput) -> User:
    found = (await client.get_users(request)).get_users
    if len(found) != 1:
        raise MAPIException(500, f"The platform named {len(found)} users as the owner of one API key.")
    return _user(found[0])


@query
def get_users(
    user_ids: Iterable[str] | None = None,
    *,
    user_emails: Iterable[str] | None = None,
    organization_ids: Iterable[str] | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[User]]:
    """List the users of an organization, for its administrators.

    Every filter that is given must match; an empty list matches no user, and nothing is sent.

    Args:
        user_ids: Only users with these ids.
        user_emails: Only users with these addresses.
        organization_ids: Users of these organizations. Default: of your own.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The users.

    Raises:
        MAPIException: You are not an administrator (403), or the platform could not be asked.

    >>> import mcli
    >>> mcli.get_current_user() in mcli.get_users()
    True
    """
    filters = UserFilters()
    ids = None if user_ids is None else texts("user_ids", user_ids)
    emails = None if user_emails is None else texts("user_emails", user_emails)
    organizations = None if organization_ids is None else texts("organization_ids", organization_ids)
    if ids is not None:
        filters.id = StringFilter(in_=ids)
    if emails is not None:
        filters.email = StringFilter(in_=emails)
    request = GetUsersInput(filters=filters)
    if organizations is not None:
        request.entity = EntityInput(organization_ids=organizations)
    return _listed(mapi(), request, [] in (ids, emails, organizations))


async def _listed(client: Mapi, request: GetUsersInput, nobody: bool) -> ObjectList[User]:
    found = [] if nobody else (await client.get_all_users(request)).get_all_users
    return ObjectList([_user(each) for each in found], User)


def _user(fields: UserFields) -> User:
    of = [Organization(each.id, each.name, each.is_databricks_internal) for each in fields.organizations]
    return User(fields.id, fields.name, fields.email, of)
