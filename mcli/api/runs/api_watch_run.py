"""Another import path of the watches of runs."""

from mcli.watches import wait_for_run_status, watch_run_status

__all__ = ["wait_for_run_status", "watch_run_status"]
