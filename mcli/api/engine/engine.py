"""Another import path of the connection."""

from mcli._core.connection import MAPIConnection

__all__ = ["MAPIConnection"]
