"""Another import path of storing, listing and deleting secrets."""

from mcli.secrets import create_secret, delete_secrets, get_secrets

__all__ = ["create_secret", "delete_secrets", "get_secrets"]
