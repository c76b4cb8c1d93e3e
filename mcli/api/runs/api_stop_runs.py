"""Another import path of `stop_run` and `stop_runs`."""

from mcli.runs import stop_run, stop_runs

__all__ = ["stop_run", "stop_runs"]
