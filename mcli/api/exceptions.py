# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.exceptions import (
    InputDisabledError,
    MAPIException,
    MCLIConfigError,
    MCLIException,
    MCLIRunConfigValidationError,
    MultiMAPIException,
    OutcomeUnknown,
    RunConfigException,
    RunStatusNotReached,
    ValidationError,
)

__all__ = [
    "InputDisabledError",
    "MAPIException",
    "MCLIConfigError",
    "MCLIException",
    "MCLIRunConfigValidationError",
    "MultiMAPIException",
    "OutcomeUnknown",
    "RunConfigException",
    "RunStatusNotReached",
    "ValidationError",
]
