"""Another import path of finetuning runs."""

from mcli.finetune import Finetune

__all__ = ["Finetune"]
