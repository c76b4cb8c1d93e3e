# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.enums import GPUType
from mcli.finetune_config import FinetuneConfig
from mcli.pages import ObjectList
from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig
from mcli.secret_types import Secret, SecretType

__all__ = [
    "ComputeConfig",
    "FinetuneConfig",
    "GPUType",
    "ObjectList",
    "RunConfig",
    "SchedulingConfig",
    "Secret",
    "SecretType",
]
