"""Another import path of pretraining."""

from mcli.pretrains import create_pretraining_run

__all__ = ["create_pretraining_run"]
