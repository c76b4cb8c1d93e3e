"""Another import path of `delete_finetuning_run` and `delete_finetuning_runs`."""

from mcli.finetunes import delete_finetuning_run, delete_finetuning_runs

__all__ = ["delete_finetuning_run", "delete_finetuning_runs"]
