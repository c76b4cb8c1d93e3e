"""Another import path of what secrets have in common."""

from mcli.secret_types import Secret, SecretType

__all__ = ["Secret", "SecretType"]
