"""Another import path of the exceptions."""

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
