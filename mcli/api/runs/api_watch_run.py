# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.watches import wait_for_run_status, watch_run_status

__all__ = ["wait_for_run_status", "watch_run_status"]
