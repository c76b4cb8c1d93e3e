"""Another import path of what requests are made of."""

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
