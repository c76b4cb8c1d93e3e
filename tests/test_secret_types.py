"""The kinds of secrets."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from mcli_mapi.input_types import CreateSecretInput

from mcli.exceptions import ValidationError
from mcli.secret_types import (
    HuggingFaceSecret,
    MCLIDatabricksSecret,
    MCLIDockerRegistrySecret,
    MCLIEnvVarSecret,
    MCLIGCPSecret,
    MCLIGitSSHSecret,
    MCLIMountedSecret,
    MCLIOCISecret,
    MCLIS3Secret,
    MCLISFTPSSHSecret,
    MCLISSHSecret,
    Secret,
    SecretType,
    secret_of,
)

WIRE = [
    (
        MCLIMountedSecret(name="a", value="v", mount_path="/x"),
        {"mountedSecret": {"name": "a", "metadata": {"mountPath": "/x"}, "value": "v"}},
    ),
    (
        MCLIEnvVarSecret(name="a", secret_type=SecretType.environment, key="K", value="v"),
        {"envVarSecret": {"name": "a", "metadata": {"key": "K"}, "value": "v"}},
    ),
    (
        HuggingFaceSecret(name="a", token="v"),
        {"envVarSecret": {"name": "a", "metadata": {"key": "HF_TOKEN"}, "value": "v"}},
    ),
    (
        MCLIDockerRegistrySecret(name="a", username="u", password="p"),
        {
            "dockerRegistrySecret": {
                "name": "a",
                "value": {"username": "u", "password": "p", "email": None, "server": None},
            }
        },
    ),
    (
        MCLIS3Secret(name="a", secret_type=SecretType.s3, config="c", credentials="d"),
        {
            "s3Secret": {
                "name": "a",
                "metadata": {"mountDirectory": "/secrets/a"},
                "value": {"config": "c", "credentials": "d"},
            }
        },
    ),
    (
        MCLIS3Secret(name="a", config="c", credentials="d", profile="p", mount_directory="/x"),
        {
            "s3Secret": {
                "name": "a",
                "metadata": {"mountDirectory": "/x"},
                "value": {"config": "c", "credentials": "d", "profile": "p"},
            }
        },
    ),
    *(
        (
            kind(name="a", value="v"),
            {key: {"name": "a", "metadata": {"mountPath": "/secrets/a"}, "value": "v"}},
        )
        for kind, key in (
            (MCLISSHSecret, "sshSecret"),
            (MCLIGitSSHSecret, "gitSSHSecret"),
            (MCLIGCPSecret, "gcpSecret"),
        )
    ),
    (
        MCLISFTPSSHSecret(name="a", value="v", known_hosts="h"),
        {"sftpSSHSecret": {"name": "a", "metadata": {"mountPath": "/secrets/a"}, "value": "v"}},
    ),
    (
        MCLIOCISecret(name="a", config="c", key_file="k"),
        {
            "ociSecret": {
                "name": "a",
                "metadata": {"mountDirectory": "/secrets/a"},
                "value": {"config": "c", "keyFile": "k"},
            }
        },
    ),
    (
        MCLIDatabricksSecret(name="a", secret_type=SecretType.databricks, host="h", token="t"),
        {"databricksSecret": {"name": "a", "value": {"host": "h", "token": "t"}}},
    ),
]


@pytest.mark.parametrize(("secret", "wire"), WIRE, ids=lambda value: type(value).__name__)
def test_each_kind_has_its_form_on_the_wire(secret: Secret, wire: dict[str, Any]) -> None:
    """A secret is created with the input of its kind."""
    assert wire == secret.to_wire()


@pytest.mark.parametrize(("secret", "wire"), WIRE, ids=lambda value: type(value).__name__)
def test_the_schema_accepts_each_kind(secret: Secret, wire: dict[str, Any]) -> None:
    """The schema's input type takes what a secret sends."""
    assert wire == CreateSecretInput(**secret.to_wire()).model_dump(by_alias=True, exclude_unset=True)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("secret", [secret for secret, _ in WIRE], ids=lambda value: type(value).__name__)
def test_copies_are_equal(secret: Secret, duplicate: Any) -> None:
    """A copied or unpickled secret equals the original, its value included."""
    assert duplicate(secret) == secret
    assert duplicate(secret).to_wire() == secret.to_wire()


def test_secrets_with_other_values_differ() -> None:
    """Secrets that differ in their values only are not equal."""
    assert MCLIMountedSecret("a", value="v") != MCLIMountedSecret("a", value="w")


def test_secrets_sort_by_name() -> None:
    """Secrets of all kinds sort by their names, as names do."""
    secrets = [MCLIMountedSecret("b"), MCLIS3Secret("a"), MCLISSHSecret("c")]
    assert ["a", "b", "c"] == [secret.name for secret in sorted(secrets)]


@pytest.mark.parametrize(
    "secret",
    [
        MCLIEnvVarSecret("a", key="K"),
        MCLIEnvVarSecret("a", value="v"),
        MCLIMountedSecret("a"),
        MCLIS3Secret("a", config="c"),
        MCLIDockerRegistrySecret("a", username="u"),
        HuggingFaceSecret("a"),
        MCLIMountedSecret("", value="v"),
        MCLIMountedSecret("a", value=b"v"),  # type: ignore[arg-type]  # the mistake under test
        Secret("a"),
    ],
)
def test_incomplete_secrets_are_not_sent(secret: Secret) -> None:
    """A secret that lacks a part, or has no kind, is a ValidationError."""
    with pytest.raises(ValidationError, match="Secret '"):
        secret.to_wire()


def test_the_type_must_be_that_of_the_class() -> None:
    """A type that belongs to another class is a ValidationError."""
    with pytest.raises(ValidationError, match="secret_type of a MCLIS3Secret must be 's3', not 'ssh'"):
        MCLIS3Secret("a", secret_type=SecretType.ssh)


def test_the_type_must_be_one() -> None:
    """A type that does not exist is a ValidationError."""
    with pytest.raises(ValidationError, match=r"secret_type must be one of .*, not 'floppy'"):
        MCLIS3Secret("a", secret_type="floppy")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("text", ["s3", "S3", "s3_credentials", SecretType.s3])
def test_types_are_read_in_any_letter_case(text: str) -> None:
    """A type is found by its name in any letter case, s3 also by its old one."""
    assert SecretType.s3 is SecretType(text)


@pytest.mark.parametrize(
    ("wire_type", "metadata", "secret"),
    [
        ("MOUNTED", {"mountPath": "/x"}, MCLIMountedSecret("a", mount_path="/x")),
        ("ENV_VAR", {"key": "K"}, MCLIEnvVarSecret("a", key="K")),
        ("ENV_VAR", {"key": "HF_TOKEN"}, HuggingFaceSecret("a")),
        ("ENV_VAR", {"key": "HUGGING_FACE_HUB_TOKEN"}, HuggingFaceSecret("a")),
        ("ENV_VAR", None, MCLIEnvVarSecret("a")),
        ("DOCKER_REGISTRY", {}, MCLIDockerRegistrySecret("a")),
        ("S3", {"mountDirectory": "/x"}, MCLIS3Secret("a", mount_directory="/x")),
        ("S3", {"mountDirectory": None}, MCLIS3Secret("a")),
        ("SSH", {"mountPath": "/x"}, MCLISSHSecret("a", mount_path="/x")),
        ("GIT_SSH", {"mountPath": "/x"}, MCLIGitSSHSecret("a", mount_path="/x")),
        ("SFTP_SSH", {}, MCLISFTPSSHSecret("a")),
        ("GCP", {"mountPath": "/x"}, MCLIGCPSecret("a", mount_path="/x")),
        ("OCI", {"mountDirectory": "/x"}, MCLIOCISecret("a", mount_directory="/x")),
        ("DATABRICKS", {}, MCLIDatabricksSecret("a")),
        ("HOLOGRAM", {"x": 1}, Secret("a")),
    ],
)
def test_each_kind_is_read_back(wire_type: str, metadata: object, secret: Secret) -> None:
    """A secret of the platform has the class of its type; an unknown type is a generic secret."""
    assert secret == secret_of("a", wire_type, metadata)


def test_a_secret_says_when_it_was_stored() -> None:
    """Identity and time of a secret are kept."""
    moment = datetime(2024, 6, 4, tzinfo=UTC)
    secret = secret_of("a", "MOUNTED", {}, created_at=moment, id="1")
    assert (moment, "1") == (secret.created_at, secret.id)
