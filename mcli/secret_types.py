"""The kinds of secrets. Their values are sent once, and never come back."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, cast

from mcli._spelling import is_text, kind_of
from mcli.exceptions import ValidationError

__all__ = [
    "HuggingFaceSecret",
    "MCLIDatabricksSecret",
    "MCLIDockerRegistrySecret",
    "MCLIEnvVarSecret",
    "MCLIGCPSecret",
    "MCLIGitSSHSecret",
    "MCLIMountedSecret",
    "MCLIOCISecret",
    "MCLIS3Secret",
    "MCLISFTPSSHSecret",
    "MCLISSHSecret",
    "Secret",
    "SecretType",
    "secret_of",
]

HF_TOKEN = "HF_TOKEN"  # noqa: S105 - a name, not a token
_HUGGING_FACE_KEYS = {HF_TOKEN, "HUGGING_FACE_HUB_TOKEN"}
"""What the variable of a Hugging Face secret is called, now and in older clients."""


class SecretType(StrEnum):
    """Kinds of secrets.

    >>> SecretType("S3") is SecretType("s3_credentials") is SecretType.s3
    True
    """

    docker_registry = "docker_registry"
    environment = "environment"
    hugging_face = "hugging_face"
    mounted = "mounted"
    git = "git"
    ssh = "ssh"
    sftp = "sftp"
    s3 = "s3"
    gcp = "gcp"
    oci = "oci"
    databricks = "databricks"
    generic = "generic"
    """A kind that this version does not know."""

    @classmethod
    def _missing_(cls, value: object) -> SecretType | None:
        name = str(value).lower()
        return cls.__members__.get("s3" if name == "s3_credentials" else name)

    @property
    def wire(self) -> str:
        """The platform's name of the kind, e.g. to filter by; environment and hugging_face share one."""
        return _WIRE_TYPES[self]


_WIRE_TYPES = {
    SecretType.docker_registry: "DOCKER_REGISTRY",
    SecretType.environment: "ENV_VAR",
    SecretType.hugging_face: "ENV_VAR",
    SecretType.mounted: "MOUNTED",
    SecretType.git: "GIT_SSH",
    SecretType.ssh: "SSH",
    SecretType.sftp: "SFTP_SSH",
    SecretType.s3: "S3",
    SecretType.gcp: "GCP",
    SecretType.oci: "OCI",
    SecretType.databricks: "DATABRICKS",
    SecretType.generic: "GENERIC",
}

_hidden = functools.partial(field, default=None, repr=False)
"""A field of what the platform keeps under lock and key."""


@functools.total_ordering
@dataclass(eq=False)
class Secret:
    """A secret of the platform. Secrets sort by name; no repr shows a value.

    >>> import mcli
    >>> stored = mcli.create_secret(mcli.MCLIMountedSecret(name="notes", value="not-a-real-value"))
    >>> isinstance(stored, mcli.Secret), stored.name
    (True, 'notes')
    """

    name: str
    """Name, for people and for `delete_secrets`."""
    secret_type: SecretType = SecretType.generic
    """Its kind. It does not have to be given."""
    created_at: datetime | None = field(default=None, kw_only=True)
    """When the platform stored it."""
    id: str | None = field(default=None, kw_only=True)
    """The platform's own name for it."""

    _input: ClassVar[str] = ""
    """Name of the kind in a create request."""
    metadata_keys: ClassVar[Mapping[str, str]] = {}
    """What is not secret, and so read back: its names on the wire, by field."""

    def __post_init__(self) -> None:
        kind = type(self).secret_type
        try:
            given = SecretType(self.secret_type)
        except ValueError:
            known = ", ".join(SecretType)
            raise ValidationError(f"secret_type must be one of {known}, not {self.secret_type!r}") from None
        if given is not kind:
            raise ValidationError(f"secret_type of a {type(self).__name__} must be '{kind}', not '{given}'")
        self.secret_type = given

    # By hand, because tools print the fields of dataclasses whose comparison is generated.
    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(self) is type(other) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # a value that changes, as of any dataclass

    def __lt__(self, other: object) -> bool:
        return self.name < other.name if isinstance(other, Secret) else NotImplemented

    def to_wire(self) -> dict[str, Any]:
        """Return the secret as `createSecret` takes it, with its value.

        Raises:
            ValidationError: The kind cannot be created, or a part of the value is missing.
        """
        if not self._input:
            raise ValidationError(f"Secret '{self.name}': a secret of the type 'generic' cannot be created")
        metadata = self._metadata()
        content = {"metadata": metadata, "value": self._value()} if metadata else {"value": self._value()}
        return {self._input: {"name": self._required("name"), **content}}

    def _metadata(self) -> dict[str, str]:
        return {key: self._required(name) for name, key in self.metadata_keys.items()}

    def _value(self) -> str | dict[str, str | None]:
        return self._required("value")

    def _required(self, name: str) -> str:
        value = getattr(self, name)
        if value is None or value == "":
            raise ValidationError(f"Secret {self.name!r}: {name!r} is missing")
        return self._text(name, value)

    def _optional(self, name: str) -> str | None:
        value = getattr(self, name)
        return None if value is None else self._text(name, value)

    def _text(self, name: str, value: object) -> str:
        if not is_text(value):
            raise ValidationError(f"Secret {self.name!r}: {name!r} must be a text, not {kind_of(value)}")
        return str.__str__(cast("str", value))


@dataclass(eq=False)
class MCLIEnvVarSecret(Secret):
    """An environment variable of runs.

    >>> MCLIEnvVarSecret(name="wandb", key="WANDB_API_KEY", value="not-a-real-key").key
    'WANDB_API_KEY'
    """

    secret_type: SecretType = SecretType.environment
    key: str | None = None
    """Name of the variable."""
    value: str | None = _hidden()
    """Its value."""

    _input = "envVarSecret"
    metadata_keys: ClassVar[Mapping[str, str]] = {"key": "key"}


@dataclass(eq=False)
class HuggingFaceSecret(Secret):
    """A token for Hugging Face, which runs find as `HF_TOKEN`.

    >>> HuggingFaceSecret(name="hub", token="not-a-real-token").secret_type
    <SecretType.hugging_face: 'hugging_face'>
    """

    secret_type: SecretType = SecretType.hugging_face
    token: str | None = _hidden()
    """The token."""

    _input = "envVarSecret"

    def _metadata(self) -> dict[str, str]:
        return {"key": HF_TOKEN}

    def _value(self) -> str:
        return self._required("token")


@dataclass(eq=False)
class _FileSecret(Secret):
    """A file of runs."""

    mount_path: str | None = None
    """Absolute path of the file in a run, `/secrets/<name>` when not given."""
    value: str | None = _hidden()
    """Text of the file."""

    metadata_keys: ClassVar[Mapping[str, str]] = {"mount_path": "mountPath"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mount_path = self.mount_path or f"/secrets/{self.name}"


@dataclass(eq=False)
class MCLIMountedSecret(_FileSecret):
    """A file of runs.

    >>> MCLIMountedSecret(name="licence", value="not a real licence").mount_path
    '/secrets/licence'
    """

    secret_type: SecretType = SecretType.mounted

    _input = "mountedSecret"


@dataclass(eq=False)
class MCLISSHSecret(_FileSecret):
    """A private SSH key.

    >>> MCLISSHSecret(name="ssh", value="not-a-real-key").mount_path
    '/secrets/ssh'
    """

    secret_type: SecretType = SecretType.ssh

    _input = "sshSecret"


@dataclass(eq=False)
class MCLIGitSSHSecret(_FileSecret):
    """A private SSH key that git uses in runs.

    >>> MCLIGitSSHSecret(name="git", value="not-a-real-key").mount_path
    '/secrets/git'
    """

    secret_type: SecretType = SecretType.git

    _input = "gitSSHSecret"


@dataclass(eq=False)
class MCLISFTPSSHSecret(_FileSecret):
    """A private SSH key for SFTP.

    >>> MCLISFTPSSHSecret(name="sftp", value="not-a-real-key").mount_path
    '/secrets/sftp'
    """

    secret_type: SecretType = SecretType.sftp
    known_hosts: str | None = None
    """Kept with the secret in Python only; the platform does not take it."""

    _input = "sftpSSHSecret"


@dataclass(eq=False)
class MCLIGCPSecret(_FileSecret):
    """A credentials file for Google Cloud.

    >>> MCLIGCPSecret(name="gcp", value="{}").mount_path
    '/secrets/gcp'
    """

    secret_type: SecretType = SecretType.gcp

    _input = "gcpSecret"


@dataclass(eq=False)
class _DirectorySecret(Secret):
    """A directory of runs."""

    mount_directory: str | None = None
    """Absolute path of the directory in a run, `/secrets/<name>` when not given."""

    metadata_keys: ClassVar[Mapping[str, str]] = {"mount_directory": "mountDirectory"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mount_directory = self.mount_directory or f"/secrets/{self.name}"


@dataclass(eq=False)
class MCLIS3Secret(_DirectorySecret):
    """Credentials for S3.

    >>> MCLIS3Secret(name="aws", config="[default]", credentials="not-real-ones").mount_directory
    '/secrets/aws'
    """

    secret_type: SecretType = SecretType.s3
    config: str | None = _hidden()
    """Text of the config file."""
    credentials: str | None = _hidden()
    """Text of the credentials file."""
    profile: str | None = _hidden()
    """Name of the profile that runs use. It does not have to be given."""

    _input = "s3Secret"

    def _value(self) -> dict[str, str | None]:
        files = {"config": self._required("config"), "credentials": self._required("credentials")}
        return {**files, "profile": self._optional("profile")} if self.profile else {**files}


@dataclass(eq=False)
class MCLIOCISecret(_DirectorySecret):
    """Credentials for Oracle Cloud.

    >>> MCLIOCISecret(name="oci", config="[DEFAULT]", key_file="not-a-real-key").mount_directory
    '/secrets/oci'
    """

    secret_type: SecretType = SecretType.oci
    config: str | None = _hidden()
    """Text of the config file."""
    key_file: str | None = _hidden()
    """Text of the PEM key file."""

    _input = "ociSecret"

    def _value(self) -> dict[str, str | None]:
        return {"config": self._required("config"), "keyFile": self._required("key_file")}


@dataclass(eq=False)
class MCLIDockerRegistrySecret(Secret):
    """An account at a registry of Docker images.

    >>> MCLIDockerRegistrySecret(name="hub", username="me", password="not-a-real-one").secret_type
    <SecretType.docker_registry: 'docker_registry'>
    """

    secret_type: SecretType = SecretType.docker_registry
    username: str | None = _hidden()
    """Name of the account."""
    password: str | None = _hidden()
    """Its password."""
    email: str | None = _hidden()
    """Its address. It does not have to be given."""
    server: str | None = _hidden()
    """URL of the registry. It does not have to be given."""

    _input = "dockerRegistrySecret"

    def _value(self) -> dict[str, str | None]:
        account = {"username": self._required("username"), "password": self._required("password")}
        return {**account, "email": self._optional("email"), "server": self._optional("server")}


@dataclass(eq=False)
class MCLIDatabricksSecret(Secret):
    """A token for a Databricks workspace.

    >>> MCLIDatabricksSecret(name="dbx", host="https://example.com", token="not-a-real-token").secret_type
    <SecretType.databricks: 'databricks'>
    """

    secret_type: SecretType = SecretType.databricks
    host: str | None = _hidden()
    """URL of the workspace."""
    token: str | None = _hidden()
    """The token."""

    _input = "databricksSecret"

    def _value(self) -> dict[str, str | None]:
        return {"host": self._required("host"), "token": self._required("token")}


_CLASS_OF_WIRE_TYPE: dict[str, type[Secret]] = {
    kind.secret_type.wire: kind
    for kind in (
        MCLIEnvVarSecret,
        MCLIMountedSecret,
        MCLISSHSecret,
        MCLIGitSSHSecret,
        MCLISFTPSSHSecret,
        MCLIGCPSecret,
        MCLIS3Secret,
        MCLIOCISecret,
        MCLIDockerRegistrySecret,
        MCLIDatabricksSecret,
    )
}


def secret_of(
    name: str,
    type: str,  # noqa: A002 - the wire's word
    metadata: object = None,
    created_at: datetime | None = None,
    id: str | None = None,  # noqa: A002 - the wire's word
) -> Secret:
    """Return a secret as the platform tells of it, without its value; one of an unknown type is generic.

    >>> secret_of("hf", "ENV_VAR", {"key": "HF_TOKEN"}).secret_type
    <SecretType.hugging_face: 'hugging_face'>
    """
    known = metadata if isinstance(metadata, dict) else {}
    kind = _CLASS_OF_WIRE_TYPE.get(type, Secret)
    if kind is MCLIEnvVarSecret and known.get("key") in _HUGGING_FACE_KEYS:
        kind = HuggingFaceSecret
    told = {
        attribute: known[key]
        for attribute, key in kind.metadata_keys.items()
        if isinstance(known.get(key), str)
    }
    return kind(name, created_at=created_at, id=id, **told)
