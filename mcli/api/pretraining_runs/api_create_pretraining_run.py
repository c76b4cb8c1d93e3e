"""Another import path of `create_pretraining_run`."""

from mcli.pretrains import create_pretraining_run

__all__ = ["create_pretraining_run"]
