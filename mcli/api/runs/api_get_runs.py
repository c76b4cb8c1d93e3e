"""Another import path of `get_run` and `get_runs`."""

from mcli.runs import get_run, get_runs

__all__ = ["get_run", "get_runs"]
