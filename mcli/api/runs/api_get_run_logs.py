# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.logs import follow_run_logs, get_run_logs

__all__ = ["follow_run_logs", "get_run_logs"]
