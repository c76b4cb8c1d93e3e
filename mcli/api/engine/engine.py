"""Another import path of the connection."""

from mcli._connection import MAPIConnection

__all__ = ["MAPIConnection"]
