"""Storing, listing and deleting secrets."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mcli
from mcli import MAPIException, OutcomeUnknown, SecretType
from mcli.exceptions import ValidationError
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

VALUE = "value-that-nobody-may-see"
SECRET = mcli.MCLIEnvVarSecret(name="wandb", key="WANDB_API_KEY", value=VALUE)


def secret(name: str = "wandb", kind: str = "ENV_VAR", **fields: Any) -> dict[str, Any]:
    """Return a secret as the platform sends it."""
    return {
        "id": f"id-of-{name}",
        "name": name,
        "type": kind,
        "metadata": {"key": name.upper()},
        "createdAt": "2026-01-01T00:00:00.000Z",
    } | fields


def created(*secrets: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"createSecret": list(secrets)}}


def found(*secrets: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"getSecrets": list(secrets)}}


def deleted(*secrets: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"deleteSecrets": list(secrets)}}


# Creating


def test_a_secret_is_sent_as_its_kind(connect: Connect) -> None:
    """A request to store a secret has it under the name of its kind."""
    connect(answer=(script := wire.Script(created(secret()))))
    mcli.create_secret(SECRET)
    sent = {"envVarSecret": {"name": "wandb", "metadata": {"key": "WANDB_API_KEY"}, "value": VALUE}}
    assert {"createSecretData": sent} == script.calls[0].variables


def test_a_stored_secret_comes_back_without_its_value(connect: Connect) -> None:
    """The result of storing a secret is what the platform knows of it, which is not the value."""
    connect(answer=wire.Script(created(secret(metadata={"key": "K"}))))
    stored = mcli.create_secret(SECRET)
    assert ("wandb", SecretType.environment, "K", None) == (
        stored.name,
        stored.secret_type,
        getattr(stored, "key", ""),
        getattr(stored, "value", ""),
    )


def test_what_is_no_secret_is_refused() -> None:
    """A dictionary in place of a secret is a TypeError at the call."""
    plain: Any = {"name": "a"}
    with pytest.raises(TypeError, match=r"secret must be a Secret, .* not a dict"):
        mcli.create_secret(plain)


def test_an_incomplete_secret_is_refused_at_the_call(connect: Connect) -> None:
    """A secret without its value is refused by the call that makes the future, and nothing is sent."""
    connect(answer=(script := wire.Script(created(secret()))))
    with pytest.raises(ValidationError, match="Secret 'wandb': 'value' is missing"):
        mcli.create_secret(mcli.MCLIEnvVarSecret(name="wandb", key="K"), future=True)
    assert [] == script.calls


def test_a_name_that_is_taken_is_told(connect: Connect) -> None:
    """The platform's refusal of a name comes out as 409."""
    connect(answer=wire.Script(wire.error(409, "Secret 'wandb' exists")))
    with pytest.raises(MAPIException, match="Error 409: Secret 'wandb' exists"):
        mcli.create_secret(SECRET)


def test_an_answer_without_the_secret_is_an_error(connect: Connect) -> None:
    """An empty list in answer to a creation is said to be the platform's fault."""
    connect(answer=wire.Script(created()))
    with pytest.raises(MAPIException, match="Error 500: The platform answered without the secret"):
        mcli.create_secret(SECRET)


def test_no_value_is_told(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """A value is in no log and no traceback, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    lost, asked = httpx.ReadError("reset"), {"data": {"__typename": "Query"}}
    connect(answer=wire.Script(lost, asked, wire.error(400, "No"), created(secret())))
    told = []
    for kind in (OutcomeUnknown, MAPIException):
        with pytest.raises(kind) as raised:
            mcli.create_secret(SECRET)
        told += traceback.format_exception(raised.value)
    told += [repr(mcli.create_secret(SECRET)), str(SECRET), caplog.text]
    assert [] == [text for text in told if VALUE in text]


# Listing


def test_all_secrets_are_asked_for_without_a_filter(connect: Connect) -> None:
    """Without arguments the filters are there, and empty."""
    connect(answer=(script := wire.Script(found(secret("b"), secret("a")))))
    assert ["b", "a"] == [each.name for each in mcli.get_secrets()]
    assert {"getSecretsData": {"filters": {}}} == script.calls[0].variables


def test_secrets_are_asked_for_by_name(connect: Connect) -> None:
    """Secrets and names of secrets filter alike, each once."""
    connect(answer=(script := wire.Script(found())))
    mcli.get_secrets([SECRET, "a", "wandb"])
    assert {"name": {"in": ["wandb", "a"]}} == script.calls[0].variables["getSecretsData"]["filters"]


@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        (["s3_credentials"], ["S3"]),
        (["S3", SecretType.s3], ["S3"]),
        ([SecretType.hugging_face, "environment"], ["ENV_VAR"]),
        (["git", "sftp", "ssh"], ["GIT_SSH", "SFTP_SSH", "SSH"]),
    ],
)
def test_kinds_are_asked_for_by_the_wires_name(connect: Connect, kinds: Any, sent: list[str]) -> None:
    """A filter by kind takes members and names, also old ones, and sends each of the wire's types once."""
    connect(answer=(script := wire.Script(found())))
    mcli.get_secrets(secret_types=kinds)
    assert {"type": {"in": sent}} == script.calls[0].variables["getSecretsData"]["filters"]


@pytest.mark.parametrize(
    ("kind", "names"), [("hugging_face", ["old", "new"]), ("environment", ["plain"]), ("generic", ["odd"])]
)
def test_kinds_that_share_a_type_are_told_apart(connect: Connect, kind: str, names: list[str]) -> None:
    """A filter by kind leaves out what the platform cannot tell apart."""
    answer = found(
        secret("plain", metadata={"key": "K"}),
        secret("old", metadata={"key": "HUGGING_FACE_HUB_TOKEN"}),
        secret("new", metadata={"key": "HF_TOKEN"}),
        secret("odd", "OF_THE_FUTURE", metadata=None),
    )
    connect(answer=wire.Script(answer))
    assert names == [each.name for each in mcli.get_secrets(secret_types=[kind])]


def test_an_unknown_kind_is_kept(connect: Connect) -> None:
    """A secret of a newer platform's kind is read as generic."""
    connect(answer=wire.Script(found(secret("odd", "OF_THE_FUTURE", metadata=["?"]))))
    assert SecretType.generic is mcli.get_secrets()[0].secret_type


def test_a_kind_that_is_none_is_refused() -> None:
    """A filter by what is no kind of secret is a ValueError that lists the kinds."""
    with pytest.raises(ValueError, match=r"secret_types\[0\] must be a SecretType, not 'x'.*docker_registry"):
        mcli.get_secrets(secret_types=["x"])


def test_one_kind_is_no_list_of_kinds() -> None:
    """A text in place of a list of kinds is a TypeError."""
    with pytest.raises(TypeError, match="secret_types must be a list"):
        mcli.get_secrets(secret_types="s3")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            "2026-01-02T03:04:05.5+05:30",
            datetime(2026, 1, 2, 3, 4, 5, 500_000, timezone(timedelta(hours=5.5))),
        ),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, UTC)),
    ],
)
def test_the_time_of_storing_is_read_in_any_form(connect: Connect, text: str, moment: datetime) -> None:
    """A time is read with a fraction of any length or none, and with any offset."""
    connect(answer=wire.Script(found(secret(createdAt=text))))
    assert moment == mcli.get_secrets()[0].created_at


# Deleting


def test_secrets_are_deleted_by_name(connect: Connect) -> None:
    """Secrets to delete are named, and come back."""
    connect(answer=(script := wire.Script(deleted(secret()))))
    assert ["wandb"] == [each.name for each in mcli.delete_secrets([SECRET])]
    assert {"getSecretsData": {"filters": {"name": {"in": ["wandb"]}}}} == script.calls[0].variables


def test_nothing_is_deleted_unless_it_is_named(connect: Connect) -> None:
    """A deletion of nothing in particular is refused, for it would delete all."""
    connect(answer=(script := wire.Script(deleted(secret()))))
    with pytest.raises(ValueError, match=r"delete_secrets\(get_secrets\(\)\)"):
        mcli.delete_secrets()
    assert [] == script.calls


@pytest.mark.parametrize("call", [mcli.get_secrets, mcli.delete_secrets])
def test_an_empty_list_asks_for_nothing(connect: Connect, call: Any) -> None:
    """An empty list of secrets gives an empty list, and nothing is sent."""
    connect(answer=(script := wire.Script(found(secret()))))
    assert ([], []) == (call([]), script.calls)


def test_a_secret_that_is_not_there_is_told(connect: Connect) -> None:
    """The platform's 404 for a missing secret comes out of the future."""
    connect(answer=wire.Script(wire.error(404, "Secret 'x' not found")))
    with pytest.raises(MAPIException, match="Error 404: Secret 'x' not found"):
        mcli.delete_secrets(["x"], future=True).result(wire.PATIENCE)
