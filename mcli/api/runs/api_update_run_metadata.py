"""Another import path of `update_run_metadata`."""

from mcli.runs import update_run_metadata

__all__ = ["update_run_metadata"]
