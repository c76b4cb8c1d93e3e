"""Another import path of finetuning runs and of everything that makes, reads or changes them."""

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
