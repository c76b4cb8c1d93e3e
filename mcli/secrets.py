"""Secrets of the platform: storing, listing and deleting them. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi import enums
from mcli_mapi.input_types import (
    CreateSecretInput,
    GetSecretsInput,
    SecretFilters,
    SecretTypeFilter,
    StringFilter,
)

from mcli._arguments import listed, member, names_of
from mcli._core.operations import mutation, query
from mcli._core.paging import the_one
from mcli._core.transport import mapi
from mcli._spelling import kind_of
from mcli.pages import ObjectList
from mcli.secret_types import Secret, SecretType, secret_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import SecretFields

    from mcli._arguments import Named

__all__ = ["create_secret", "delete_secrets", "get_secrets"]


@mutation
def create_secret(
    secret: Secret, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Secret]:
    """Store a secret, which all runs of its owner have from then on.

    The platform never gives the value back, and a secret never changes: delete it and store another.

    Args:
        secret: One of the classes of `mcli.secret_types`, e.g. `MCLIEnvVarSecret`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The secret as the platform knows it, without its value.

    Raises:
        ValidationError: A part of the secret is missing.
        MAPIException: A secret of this name is there (409), or the platform could not be asked.
        OutcomeUnknown: The connection failed after the request was sent.

    >>> import mcli
    >>> secret = mcli.MCLIEnvVarSecret(name="stage", key="STAGE", value="not-a-real-value")
    >>> mcli.create_secret(secret).key
    'STAGE'
    """
    if not isinstance(secret, Secret):
        raise TypeError(f"secret must be a Secret, e.g. an MCLIEnvVarSecret, not {kind_of(secret)}")
    sent = CreateSecretInput.model_validate(secret.to_wire())
    return the_one(
        _created(mapi(), sent), (500, "The platform answered without the secret that it was to create.")
    )


async def _created(client: Mapi, sent: CreateSecretInput) -> ObjectList[Secret]:
    return _secrets((await client.create_secret(sent)).create_secret)


@query
def get_secrets(
    secrets: Iterable[str | Named] | None = None,
    secret_types: Iterable[str | SecretType] | None = None,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Secret]]:
    """List secrets, without their values.

    Args:
        secrets: Only these, as `Secret` objects or names.
        secret_types: Only these kinds, as members or names of `SecretType`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The secrets. An empty list as a filter selects nothing, and nothing is sent.

    Raises:
        ValueError: A text names no kind of secret.
        MAPIException: The platform could not be asked.

    >>> import mcli
    >>> mcli.get_secrets(secret_types=["databricks", "s3"])
    []
    """
    names = None if secrets is None else names_of(secrets, "secret")
    kinds = None if secret_types is None else _kinds(secret_types)
    return _read(mapi(), names, kinds)


async def _read(
    client: Mapi, names: list[str] | None, kinds: Sequence[SecretType] | None
) -> ObjectList[Secret]:
    if [] in (names, kinds):
        return _secrets([])
    found = _secrets((await client.get_secrets(_select(names, kinds or ()))).get_secrets)
    # some kinds share a type on the wire, and one stands for the types that are unknown
    return ObjectList([each for each in found if kinds is None or each.secret_type in kinds], Secret)


@mutation
def delete_secrets(
    secrets: Iterable[str | Named] | None = None,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Secret]]:
    """Delete secrets. Runs that have them keep them until they end.

    Args:
        secrets: Which ones, as `Secret` objects or names; an empty list deletes nothing.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The secrets that were deleted.

    Raises:
        ValueError: Nothing was given. To delete them all, say so: `delete_secrets(get_secrets())`.
        MAPIException: One of them is not there (404), or the platform could not be asked.

    >>> import mcli
    >>> secret = mcli.create_secret(mcli.HuggingFaceSecret("hugging-face", token="not-a-real-token"))
    >>> [each.name for each in mcli.delete_secrets([secret])]
    ['hugging-face']
    """
    if secrets is None:
        raise ValueError(
            "secrets must say which secrets to delete; for all of them: delete_secrets(get_secrets())"
        )
    names = names_of(secrets, "secret")
    return _deleted(mapi(), names)


async def _deleted(client: Mapi, names: list[str]) -> ObjectList[Secret]:
    # on the wire an empty list of names selects every secret
    return _secrets((await client.delete_secrets(_select(names))).delete_secrets if names else [])


def _kinds(secret_types: Iterable[str | SecretType]) -> list[SecretType]:
    found = enumerate(listed("secret_types", secret_types))
    return [_kind(f"secret_types[{at}]", each) for at, each in found]


def _kind(parameter: str, secret_type: str | SecretType) -> SecretType:
    try:
        return SecretType(secret_type)
    except ValueError:
        return member(SecretType, secret_type, parameter)  # says what it may be


def _select(names: list[str] | None, kinds: Sequence[SecretType] = ()) -> GetSecretsInput:
    filters = SecretFilters()
    if names is not None:
        filters.name = StringFilter(in_=names)
    if kinds and SecretType.generic not in kinds:
        types = dict.fromkeys(kind.wire for kind in kinds)
        filters.type_ = SecretTypeFilter(in_=[enums.SecretType(each) for each in types])
    return GetSecretsInput(filters=filters)


def _secrets(found: Iterable[SecretFields]) -> ObjectList[Secret]:
    return ObjectList([_secret_of(each) for each in found], Secret)


def _secret_of(fields: SecretFields) -> Secret:
    return secret_of(fields.name, fields.type_, fields.metadata, fields.created_at, fields.id)
