"""Another import path of `delete_secrets`."""

from mcli.secrets import delete_secrets

__all__ = ["delete_secrets"]
