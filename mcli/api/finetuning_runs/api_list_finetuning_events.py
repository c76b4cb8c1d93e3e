"""Another import path of `list_finetuning_events`."""

from mcli.finetunes import list_finetuning_events

__all__ = ["list_finetuning_events"]
