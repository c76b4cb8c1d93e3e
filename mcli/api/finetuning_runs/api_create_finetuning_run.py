# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.finetunes import create_finetuning_run

__all__ = ["create_finetuning_run"]
