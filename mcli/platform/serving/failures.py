"""The one form of error that clients can read."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from graphql import GraphQLError

from mcli.platform.errors import RequestError
from mcli.platform.values import to_text

__all__ = ["error_to_wire"]

log: logging.Logger = logging.getLogger(__name__)

_UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""SQLite's primary codes for a disk that takes no more."""


def error_to_wire(error: Exception) -> dict[str, Any]:
    """Return the form of error that clients can read: a message, an integer code, and where in the answer."""
    cause = error.original_error if isinstance(error, GraphQLError) and error.original_error else error
    code, message = 500, "Internal error; see the platform's log."
    if isinstance(cause, RequestError):
        code, message = cause.code, cause.message
    elif isinstance(cause, GraphQLError):
        code, message = 400, cause.message
    elif isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _UNWRITABLE:
        code, message = (
            507,
            f"The platform cannot store this: {cause}. Free some space on the disk of its data folder.",
        )
    else:
        log.error("A request failed", exc_info=cause)
    path = error.path if isinstance(error, GraphQLError) else None
    return {"message": to_text(message), "extensions": {"code": code}} | ({"path": path} if path else {})
