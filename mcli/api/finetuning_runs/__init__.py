# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.finetune import Finetune
from mcli.finetunes import (
    create_finetuning_run,
    delete_finetuning_run,
    delete_finetuning_runs,
    get_finetuning_runs,
    list_finetuning_events,
    stop_finetuning_run,
    stop_finetuning_runs,
)

__all__ = [
    "Finetune",
    "create_finetuning_run",
    "delete_finetuning_run",
    "delete_finetuning_runs",
    "get_finetuning_runs",
    "list_finetuning_events",
    "stop_finetuning_run",
    "stop_finetuning_runs",
]
