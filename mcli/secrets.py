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

from mcli._arguments import member, names_of
from mcli._core.operations import mutation, query
from mcli._core.transport import mapi
from mcli.exceptions import MAPIException
from mcli.pages import ObjectList
from mcli.secret_types import Secret, SecretType, from_wire

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
        raise TypeError(f"a Secret is needed, not {type(secret).__name__}")
    sent = CreateSecretInput.model_validate(secret.to_wire())
    return _created(mapi(), sent)


async def _created(client: Mapi, sent: CreateSecretInput) -> Secret:
    created = (await client.create_secret(sent)).create_secret
    if not created:
        raise MAPIException(500, "The platform answered without the secret that it was to create.")
    return _secret_of(created[0])


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
        secrets: Only these, as `Secret` objects or names; an empty list gives none.
        secret_types: Only these kinds, as members or names of `SecretType`.

    Raises:
        ValueError: A text names no kind of secret.
        MAPIException: The platform could not be asked.

    >>> import mcli
    >>> mcli.get_secrets(secret_types=["databricks", "s3"])
    []
    """
    names = None if secrets is None else names_of(secrets, "secret")
    kinds = _kinds(secret_types)
    return _read(mapi(), names, kinds)


async def _read(client: Mapi, names: list[str] | None, kinds: Sequence[SecretType]) -> ObjectList[Secret]:
    if names is not None and not names:
        return _secrets([])
    found = _secrets((await client.get_secrets(_select(names, kinds))).get_secrets)
    # Some kinds share a type on the wire, and one stands for the types that are unknown.
    return ObjectList([each for each in found if not kinds or each.secret_type in kinds], Secret)


@mutation
def delete_secrets(
    secrets: Iterable[str | Named] | None = None,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Secret]]:
    """Delete secrets. Runs that have them keep them until they end.

    Args:
        secrets: Which ones, as `Secret` objects or names; an empty list deletes none.

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
            "delete_secrets needs the secrets to delete; for all of them: delete_secrets(get_secrets())"
        )
    names = names_of(secrets, "secret")
    return _deleted(mapi(), names)


async def _deleted(client: Mapi, names: list[str]) -> ObjectList[Secret]:
    if not names:
        return _secrets([])  # on the wire an empty list of names selects every secret
    return _secrets((await client.delete_secrets(_select(names))).delete_secrets)


def _kinds(secret_types: Iterable[str | SecretType] | None) -> list[SecretType]:
    if isinstance(secret_types, str):
        raise TypeError("secret_types is a list, not a text")
    return [_kind(each) for each in secret_types or ()]


def _kind(secret_type: str | SecretType) -> SecretType:
    try:
        return SecretType(secret_type)
    except ValueError:
        return member(SecretType, secret_type, "secret_types")  # says what it may be


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
    return from_wire(fields.name, fields.type_, fields.metadata, fields.created_at, fields.id)
