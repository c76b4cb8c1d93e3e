"""Secrets: encrypted where they are stored, checked when they are made, files and variables in a run."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from mcli.platform.errors import RequestError

__all__ = ["StoredSecret", "Vault", "check", "mount", "mount_points"]

KINDS = {
    "mountedSecret": "MOUNTED",
    "envVarSecret": "ENV_VAR",
    "dockerRegistrySecret": "DOCKER_REGISTRY",
    "s3Secret": "S3",
    "sshSecret": "SSH",
    "gitSSHSecret": "GIT_SSH",
    "sftpSSHSecret": "SFTP_SSH",
    "gcpSecret": "GCP",
    "ociSecret": "OCI",
    "databricksSecret": "DATABRICKS",
}
"""Keys of `CreateSecretInput`, and the type that a secret of each has."""

SIZE = 1 << 20  # bytes, the limit of Kubernetes

_SINGLE = {"GIT_SSH", "SFTP_SSH", "DATABRICKS"}
"""Types of which a user has one: their variables have fixed names."""

_HUGGING_FACE = ("HUGGING_FACE_HUB_TOKEN", "HF_TOKEN")
_WITH_PATH = {"MOUNTED", "SSH", "GIT_SSH", "SFTP_SSH", "GCP"}
"""Types whose one file is named by `SECRET_PATH_<NAME>`."""

_PATHS = {
    "SFTP_SSH": {"COMPOSER_SFTP_KEY_FILE": "secret"},
    "GCP": {"GOOGLE_APPLICATION_CREDENTIALS": "secret"},
    "S3": {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"},
    "OCI": {
        "OCI_CONFIG_FILE": "config",
        "OCI_CLI_CONFIG_FILE": "config",
        "OCI_CLI_KEY_FILE": "key_file",
    },
}
"""Variables that name a file of the secret."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class StoredSecret:
    """A secret with its value in clear."""

    id: str
    name: str
    type: str
    """As on the wire: `ENV_VAR`, `MOUNTED` …"""
    metadata: Mapping[str, Any]
    value: str | Mapping[str, Any] = field(repr=False)
    created_at: datetime


class Vault:
    """Encrypts what is stored, under a key in a file of mode 0600 that is made at the first use."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def __repr__(self) -> str:
        return f"Vault({str(self._key_file)!r})"

    def encrypt(self, clear: bytes) -> bytes:
        """Encrypt and authenticate."""
        return self._cipher().encrypt(clear)

    def decrypt(self, token: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            RequestError: 500 if the key is another, or the text was changed.
        """
        try:
            return self._cipher().decrypt(token)
        except InvalidToken:
            message = f"A stored secret cannot be read with the key in {self._key_file}. Create it anew."
            raise RequestError(500, message) from None

    def _cipher(self) -> Fernet:
        if not self._key_file.exists():
            self._make_key()
        try:
            return Fernet(self._key_file.read_bytes())
        except ValueError:
            raise RequestError(
                500, f"{self._key_file} does not hold a key, so secrets cannot be read."
            ) from None

    def _make_key(self) -> None:
        self._key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._key_file.with_name(f"{self._key_file.name}.{os.getpid()}")
        _write(draft, Fernet.generate_key(), 0o600)
        try:
            os.link(draft, self._key_file)  # whole or not at all; another's key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()


def check(secret_input: Mapping[str, Any], existing: Sequence[StoredSecret]) -> dict[str, Any]:
    """Return `name`, `type`, `metadata` and `value` of a `CreateSecretInput`, if it may be stored.

    Args:
        secret_input: What the user sent.
        existing: The secrets that the user has.

    Raises:
        RequestError: 400 for what is malformed or over 1 MiB, 409 for a name, variable or mount path that is taken,
            or a second secret of a type that allows one.
    """
    given = [key for key in KINDS if secret_input.get(key) is not None]
    if len(given) != 1:
        raise RequestError(
            400,
            f"A secret must be of exactly one kind, not of {len(given)}: {', '.join(given) or 'none given'}.",
        )
    body, kind = secret_input[given[0]], KINDS[given[0]]
    name, metadata = str(body["name"]), dict(body.get("metadata") or {})
    _check_form(name, metadata, body["value"])
    _check_unique(name, kind, metadata, existing)
    return {"name": name, "type": kind, "metadata": metadata, "value": body["value"]}


def _check_form(name: str, metadata: Mapping[str, Any], value: object) -> None:
    if len(name) > 253 or not _NAME.fullmatch(name):
        rule = (
            "of a-z, 0-9, '-' and '.', begin and end with a letter or digit, and have at most 253 characters"
        )
        raise RequestError(400, f"name of a secret must be {rule}, not {name[:300]!r}.")
    if "key" in metadata and not _KEY.fullmatch(metadata["key"]):
        rule = "be of letters, digits and '_', and not begin with a digit"
        raise RequestError(400, f"key of secret {name!r} must {rule}, not {metadata['key'][:300]!r}.")
    place = _place(metadata)
    if place is not None and (not place.startswith("/") or ".." in place.split("/") or "\0" in place):
        raise RequestError(
            400, f"Mount path of secret {name!r} must be absolute, without '..', not {place!r}."
        )
    if (size := len(json.dumps(value, ensure_ascii=False).encode())) > SIZE:
        raise RequestError(400, f"value of secret {name!r} must have at most {SIZE} bytes, not {size}.")


def _check_unique(
    name: str, kind: str, metadata: Mapping[str, Any], existing: Sequence[StoredSecret]
) -> None:
    for other in existing:
        if other.name == name:
            raise RequestError(
                409, f"Secret {name!r} exists already. Delete it first, or choose another name."
            )
        if kind in _SINGLE and other.type == kind:
            raise RequestError(409, f"Only one {kind} secret is allowed, and {other.name!r} is one.")
        if "key" in metadata and other.metadata.get("key") == metadata["key"]:
            raise RequestError(409, f"Variable {metadata['key']} is set by secret {other.name!r} already.")
        if (place := _place(metadata)) is not None and place == _place(other.metadata):
            raise RequestError(409, f"Mount path {place} is used by secret {other.name!r} already.")


def _place(metadata: Mapping[str, Any]) -> str | None:
    place = metadata.get("mountPath") or metadata.get("mountDirectory")
    return None if place is None else str(place).rstrip("/") or "/"


def mount(secrets: Iterable[StoredSecret], folder: Path) -> dict[str, str]:
    """Write the files of secrets to `folder/<name>/`, mode 0400, and return the variables of a run with them.

    The variables hold the real paths. Of two secrets that set the same one, the younger wins.
    """
    variables: dict[str, str] = {}
    for secret in sorted(secrets, key=lambda secret: (secret.created_at, secret.name)):
        home = folder / secret.name
        if files := _files(secret):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            (home / name).unlink(missing_ok=True)
            _write(home / name, text.encode(), 0o400)
        variables |= _variables(secret, home)
    return variables


def mount_points(secrets: Iterable[StoredSecret], folder: Path) -> dict[str, str]:
    """Return for each mount path that the user knows the folder where `mount` has put the files."""
    places = {_place(secret.metadata): str(folder / secret.name) for secret in secrets}
    return {place: real for place, real in places.items() if place is not None}


def _files(secret: StoredSecret) -> dict[str, str]:
    match secret.type, secret.value:
        case (("MOUNTED" | "GCP"), str(text)):
            return {"secret": text}
        case (("SSH" | "GIT_SSH" | "SFTP_SSH"), str(text)):
            return {"secret": text if text.endswith("\n") else f"{text}\n"}  # OpenSSH insists on it
        case "S3", {"config": config, "credentials": credentials}:
            return {"config": config, "credentials": credentials}
        case "OCI", {"config": config, "keyFile": key_file}:
            return {"config": config, "key_file": key_file}
    return {}


def _variables(secret: StoredSecret, home: Path) -> dict[str, str]:
    variables = {key: str(home / file) for key, file in _PATHS.get(secret.type, {}).items()}
    if secret.type in _WITH_PATH:
        variables[f"SECRET_PATH_{re.sub(r'[^A-Z0-9]', '_', secret.name.upper())}"] = str(home / "secret")
    match secret.type, secret.value:
        case "ENV_VAR", str(text):
            key = secret.metadata["key"]
            variables |= dict.fromkeys(_HUGGING_FACE if key in _HUGGING_FACE else [key], text)
        case "GIT_SSH", _:
            options = "-o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new"
            variables["GIT_SSH_COMMAND"] = f"ssh -i {shlex.quote(str(home / 'secret'))} {options}"
        case "SFTP_SSH", _:
            # the wire carries no host keys: those that the user has accepted are the best there are.
            variables["COMPOSER_SFTP_KNOWN_HOSTS_FILE"] = str(Path("~/.ssh/known_hosts").expanduser())
        case "S3", {"profile": str(profile)} if profile:
            variables["AWS_PROFILE"] = profile
        case "DATABRICKS", {"host": host, "token": token}:
            variables |= {"DATABRICKS_HOST": str(host), "DATABRICKS_TOKEN": str(token)}
    return variables


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
