"""Secrets: stored encrypted, given to the runs of their owner, never told."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcli.platform import Platform
from tests.platform.caller import Caller

CREATE = """
mutation CreateSecret($createSecretData: CreateSecretInput!) {
  createSecret(createSecretData: $createSecretData) { name type metadata createdAt }
}
"""
GET = """
query GetSecrets($getSecretsData: GetSecretsInput!) {
  getSecrets(getSecretsData: $getSecretsData) { id name type metadata createdAt }
}
"""
DELETE = """
mutation DeleteSecrets($getSecretsData: GetSecretsInput!) {
  deleteSecrets(getSecretsData: $getSecretsData) { name type metadata createdAt }
}
"""
VARIABLE = {"envVarSecret": {"name": "token", "metadata": {"key": "TOKEN"}, "value": "hidden-value"}}
FILE = {
    "mountedSecret": {"name": "a-file", "metadata": {"mountPath": "/secrets/a-file"}, "value": "hidden\n"}
}


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Caller]:
    """Somebody with a platform of his own."""
    with Platform(tmp_path / "data", grace=1) as platform:
        caller = Caller(platform)
        yield caller
        caller.close()


def listed(caller: Caller, **filters: object) -> list[str]:
    return [secret["name"] for secret in caller.send(GET, getSecretsData={"filters": filters})]


def test_secrets_reach_a_run(owner: Caller) -> None:
    """A run has its owner's secrets as variables and as files."""
    for secret in (VARIABLE, FILE):
        owner.send(CREATE, createSecretData=secret)
    name = owner.finish('echo "$TOKEN"; cat "$SECRET_PATH_A_FILE" /secrets/a-file/secret')["name"]
    lines = owner.logs(name).decode().splitlines()
    assert ["hidden-value", "hidden", "hidden"] == [line for line in lines if not line.startswith("[mcli]")]


def test_values_are_not_on_the_disk(owner: Caller) -> None:
    """No file of the platform holds the value of a secret, after a run neither."""
    owner.send(CREATE, createSecretData=VARIABLE)
    owner.finish("true")
    # not rglob, which fails on a folder that the run's clean-up removes meanwhile
    files = [Path(folder) / name for folder, _, names in os.walk(owner.platform.data_dir) for name in names]
    assert [] == [path for path in files if b"hidden-value" in content(path)]


def content(path: Path) -> bytes:
    """Return what is in a file; nothing, when the run's clean-up has removed it meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_secrets_are_listed_by_name_and_type(owner: Caller) -> None:
    """Secrets can be filtered by name and by type, and are deleted by the same filters."""
    for secret in (VARIABLE, FILE):
        owner.send(CREATE, createSecretData=secret)
    assert ["token", "a-file"] == listed(owner)
    assert ["a-file"] == listed(owner, type={"in": ["MOUNTED"]})
    owner.send(DELETE, getSecretsData={"filters": {"name": {"in": ["token"]}}})
    assert ["a-file"] == listed(owner)


def test_second_secret_of_a_name(owner: Caller) -> None:
    """A name that is taken is an error 409."""
    owner.send(CREATE, createSecretData=VARIABLE)
    assert 409 == owner.error(CREATE, createSecretData=VARIABLE)[0]


def test_delete_of_a_missing_secret(owner: Caller) -> None:
    """Deleting a secret that is not there is an error 404 that names it."""
    code, message = owner.error(DELETE, getSecretsData={"filters": {"name": {"in": ["nothing"]}}})
    assert (404, True) == (code, "'nothing'" in message)


def test_secrets_are_ones_own(owner: Caller) -> None:
    """Nobody sees another's secrets, and their names are free for others."""
    owner.send(CREATE, createSecretData=VARIABLE)
    other = Caller(owner.platform, owner.platform.add_user("ann", "ann@example.com"))
    assert [] == listed(other)
    other.send(CREATE, createSecretData=VARIABLE)
    other.close()


def test_key_of_the_vault_is_private(owner: Caller) -> None:
    """The key under which secrets are encrypted has mode 0600."""
    owner.send(CREATE, createSecretData=VARIABLE)
    assert 0o600 == (owner.platform.data_dir / "vault.key").stat().st_mode & 0o777
