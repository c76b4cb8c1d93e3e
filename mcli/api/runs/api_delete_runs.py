"""Another import path of `delete_run` and `delete_runs`."""

from mcli.runs import delete_run, delete_runs

__all__ = ["delete_run", "delete_runs"]
