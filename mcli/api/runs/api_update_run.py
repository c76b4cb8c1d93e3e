"""Another import path of `update_run`."""

from mcli.runs import update_run

__all__ = ["update_run"]
