"""Another way to make a secret for Databricks, which notebooks use."""

from mcli.secret_types import MCLIDatabricksSecret

__all__ = ["DatabricksSecretCreator"]


class DatabricksSecretCreator:
    """Make secrets for Databricks; `MCLIDatabricksSecret` does the same.

    >>> DatabricksSecretCreator().create(name="databricks", host="https://x.test", token="not-a-real-token").name
    'databricks'
    """

    def create(self, name: str, host: str, token: str) -> MCLIDatabricksSecret:
        """Return a secret that `create_secret` stores."""
        return MCLIDatabricksSecret(name=name, host=host, token=token)
