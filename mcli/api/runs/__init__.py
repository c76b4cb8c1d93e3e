# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.logs import follow_run_logs, get_run_logs
from mcli.run import Run
from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig
from mcli.runs import (
    create_interactive_run,
    create_run,
    delete_run,
    delete_runs,
    get_run,
    get_runs,
    start_run,
    start_runs,
    stop_run,
    stop_runs,
    update_run,
    update_run_metadata,
)
from mcli.status import RunStatus
from mcli.watches import wait_for_run_status, watch_run_status

__all__ = [
    "ComputeConfig",
    "Run",
    "RunConfig",
    "RunStatus",
    "SchedulingConfig",
    "create_interactive_run",
    "create_run",
    "delete_run",
    "delete_runs",
    "follow_run_logs",
    "get_run",
    "get_run_logs",
    "get_runs",
    "start_run",
    "start_runs",
    "stop_run",
    "stop_runs",
    "update_run",
    "update_run_metadata",
    "wait_for_run_status",
    "watch_run_status",
]
