"""Secrets as they are stored: each user's own, their values encrypted."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import parse_time
from mcli.platform.errors import RequestError
from mcli.platform.state.selection import wanted
from mcli.platform.state.vault import StoredSecret, Vault, check

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from mcli.platform.state.store import Transaction
    from mcli.platform.state.users import User

__all__ = ["create", "delete", "matching", "of_owner"]


def of_owner(db: sqlite3.Connection, vault: Vault, owner: str) -> list[StoredSecret]:
    """Load the secrets of a user, oldest first, with their values in clear."""
    return [_read(row, json.loads(vault.decrypt(row["value"]))) for row in _rows(db, owner)]


def create(transaction: Transaction, vault: Vault, user: User, data: Mapping[str, Any]) -> dict[str, Any]:
    """Store the secret of a `CreateSecretInput` and return the `Secret` of the schema.

    Raises:
        RequestError: 400 or 409, see `vault.check`.
    """
    existing = [_read(row, "") for row in _rows(transaction.db, user.id)]
    secret = check(data, existing)
    row = (
        str(uuid.uuid4()),
        user.id,
        secret["name"],
        secret["type"],
        json.dumps(secret["metadata"]),
        vault.encrypt(json.dumps(secret["value"]).encode()),
        transaction.now,
    )
    statement = "INSERT INTO secrets (id, owner, name, type, metadata, value, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    transaction.db.execute(statement, row)
    return next(found for found in matching(transaction.db, user, {}) if found["name"] == secret["name"])


def matching(db: sqlite3.Connection, user: User, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the `Secret`s of the schema that a `GetSecretsInput` is about, oldest first."""
    names, types = wanted(data, "name"), wanted(data, "type")
    return [
        _to_wire(row)
        for row in _rows(db, user.id)
        if (names is None or row["name"] in names) and (types is None or row["type"] in types)
    ]


def delete(transaction: Transaction, user: User, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Delete the matching secrets and return them.

    Raises:
        RequestError: 404 for a name that is not there.
    """
    found = matching(transaction.db, user, data)
    names = {secret["name"] for secret in found}
    for name in wanted(data, "name") or ():
        if name not in names:
            raise RequestError(404, f"Secret {name!r} not found.")
    transaction.db.executemany("DELETE FROM secrets WHERE id = ?", [(secret["id"],) for secret in found])
    return found


def _rows(db: sqlite3.Connection, owner: str) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM secrets WHERE owner = ? ORDER BY sequence", (owner,)).fetchall()


def _read(row: sqlite3.Row, value: Any) -> StoredSecret:
    return StoredSecret(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        metadata=json.loads(row["metadata"]),
        value=value,
        created_at=parse_time(row["created_at"]),
    )


def _to_wire(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "metadata": json.loads(row["metadata"]),
        "createdAt": row["created_at"],
    }
