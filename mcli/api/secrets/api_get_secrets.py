"""Another import path of `get_secrets`."""

from mcli.secrets import get_secrets

__all__ = ["get_secrets"]
