"""Another import path of `create_run`."""

from mcli.runs import create_run

__all__ = ["create_run"]
