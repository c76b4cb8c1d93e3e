"""Another import path of `stop_finetuning_run` and `stop_finetuning_runs`."""

from mcli.finetunes import stop_finetuning_run, stop_finetuning_runs

__all__ = ["stop_finetuning_run", "stop_finetuning_runs"]
