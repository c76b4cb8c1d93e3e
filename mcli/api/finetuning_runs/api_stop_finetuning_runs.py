# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.finetunes import stop_finetuning_run, stop_finetuning_runs

__all__ = ["stop_finetuning_run", "stop_finetuning_runs"]
