"""Errors that the platform answers with."""

from __future__ import annotations

__all__ = ["RequestError"]


class RequestError(Exception):
    """A request that is refused, with an HTTP-like code and a sentence for the user.

    The server writes it as `{"message": message, "extensions": {"code": code}}`.

    >>> RequestError(404, "Run 'bert' not found.").code
    404
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
