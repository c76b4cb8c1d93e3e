"""Another import path of `get_finetuning_runs`."""

from mcli.finetunes import get_finetuning_runs

__all__ = ["get_finetuning_runs"]
