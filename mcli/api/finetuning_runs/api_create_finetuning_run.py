"""Another import path of `create_finetuning_run`."""

from mcli.finetunes import create_finetuning_run

__all__ = ["create_finetuning_run"]
