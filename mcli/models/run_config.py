# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig

__all__ = ["ComputeConfig", "RunConfig", "SchedulingConfig"]
