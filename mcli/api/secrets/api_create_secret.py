"""Another import path of `create_secret`."""

from mcli.secrets import create_secret

__all__ = ["create_secret"]
