"""Another import path of `start_run` and `start_runs`."""

from mcli.runs import start_run, start_runs

__all__ = ["start_run", "start_runs"]
