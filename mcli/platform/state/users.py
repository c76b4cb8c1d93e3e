"""Who is calling: users, their keys, and the tokens of their runs.

Only digests of keys are stored. A run's token has the rights of the run's owner and lives as long as the resumption
that it was made for.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcli.platform.errors import RequestError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from mcli.platform.state.store import Store, Transaction

__all__ = ["Keys", "User", "all_users", "emails"]

ORGANIZATION: dict[str, object] = {"id": "local", "name": "local", "isDatabricksInternal": False}
_KEY_BYTES = 35  # 47 characters


@dataclass(frozen=True)
class User:
    """Somebody with a key."""

    id: str
    name: str
    email: str
    organization: str
    is_admin: bool
    run_id: str | None = None
    """The run whose token was used; None with a key of the user's own."""

    def to_wire(self) -> dict[str, object]:
        """Return the `User` of the schema."""
        return {"id": self.id, "name": self.name, "email": self.email, "organizations": [ORGANIZATION]}


class Keys:
    """All valid keys and tokens, kept in memory as digests."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._users: dict[str, User] = {}

    async def load(self) -> None:
        """Read what is stored."""
        self._users = await self._store.read(_all_keys)

    def owner(self, authorization: str | None) -> User:
        """Return the user whose key an `Authorization` value is, with or without a scheme before it.

        Raises:
            RequestError: 401 for a key that is missing or not known.
        """
        key = (authorization or "").strip()
        scheme, _, rest = key.partition(" ")
        digest = _digest(rest.strip() if scheme.lower() == "bearer" else key)
        found: User | None = None
        for known, user in self._users.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, digest):
                found = user
        if found is None:
            raise RequestError(
                401, "The API key is missing or wrong. Local keys are in `api_key` of the data folder."
            )
        return found

    async def add(self, user: User, *, key: str | None = None, run_id: str | None = None) -> str:
        """Make a key for a user, or take over the given one, and return it."""
        key = key or secrets.token_urlsafe(_KEY_BYTES)
        digest = _digest(key)
        row = (digest, user.id, run_id)

        def work(transaction: Transaction) -> None:
            transaction.db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", (*row, transaction.now))

        await self._store.write(work)
        self._users[digest] = replace(user, run_id=run_id)
        return key

    async def revoke(self, run_id: str) -> None:
        """Take back the tokens of a run."""

        def work(transaction: Transaction) -> list[str]:
            rows = transaction.db.execute("DELETE FROM keys WHERE run_id = ? RETURNING digest", (run_id,))
            return [row["digest"] for row in rows]

        for digest in await self._store.write(work):
            self._users.pop(digest, None)

    async def add_user(self, name: str, email: str, *, is_admin: bool = False) -> User:
        """Return the user with an e-mail address, who is made if there is no such user."""
        user = User(str(uuid.uuid4()), name, email, str(ORGANIZATION["id"]), is_admin)

        def work(transaction: Transaction) -> User:
            transaction.db.execute(
                "INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?, ?)",
                (user.id, user.name, user.email, user.organization, user.is_admin),
            )
            return next(known for known in all_users(transaction.db) if known.email == email)

        return await self._store.write(work)

    async def add_owner(self, key_file: Path) -> str:
        """Make sure of the user to whom this platform belongs, and of their key in `key_file` (0600)."""
        name = _login()
        user = await self.add_user(name, f"{name}@localhost", is_admin=True)
        key = await self.add(user, key=_read_or_make_key(key_file))
        await self._keep_only(user, _digest(key))
        return key

    async def _keep_only(self, user: User, digest: str) -> None:
        """Take back the keys that a user had before: who wants another key removes the file and starts again."""
        statement = "DELETE FROM keys WHERE user_id = ? AND run_id IS NULL AND digest <> ?"
        await self._store.write(lambda change: change.db.execute(statement, (user.id, digest)).rowcount)
        await self.load()


def all_users(db: sqlite3.Connection) -> list[User]:
    """Load every user."""
    rows = db.execute("SELECT id, name, email, organization, is_admin FROM users")
    return [
        User(row["id"], row["name"], row["email"], row["organization"], bool(row["is_admin"])) for row in rows
    ]


def emails(db: sqlite3.Connection) -> dict[str, str]:
    """Return the e-mail address of every user, by id."""
    return {user.id: user.email for user in all_users(db)}


def _all_keys(db: sqlite3.Connection) -> dict[str, User]:
    users = {user.id: user for user in all_users(db)}
    rows = db.execute("SELECT digest, user_id, run_id FROM keys")
    return {row["digest"]: replace(users[row["user_id"]], run_id=row["run_id"]) for row in rows}


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _login() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "user"


def _read_or_make_key(file: Path) -> str:
    with suppress(FileNotFoundError):
        if key := file.read_text().strip():
            return key
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(key := secrets.token_urlsafe(_KEY_BYTES))
    draft.replace(file)
    return key
