# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.runs import start_run, start_runs

__all__ = ["start_run", "start_runs"]
