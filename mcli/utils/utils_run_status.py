"""Another import path of `RunStatus`."""

from mcli.status import RunStatus

__all__ = ["RunStatus"]
