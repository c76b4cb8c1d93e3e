"""Another import path of finetuning runs."""

from mcli.finetunes import Finetune

__all__ = ["Finetune"]
