"""Another import path of the logs of runs."""

from mcli.logs import follow_run_logs, get_run_logs

__all__ = ["follow_run_logs", "get_run_logs"]
