# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.secret_types import (
    HuggingFaceSecret,
    MCLIDatabricksSecret,
    MCLIDockerRegistrySecret,
    MCLIEnvVarSecret,
    MCLIGCPSecret,
    MCLIGitSSHSecret,
    MCLIMountedSecret,
    MCLIOCISecret,
    MCLIS3Secret,
    MCLISFTPSSHSecret,
    MCLISSHSecret,
    Secret,
    SecretType,
)

__all__ = [
    "HuggingFaceSecret",
    "MCLIDatabricksSecret",
    "MCLIDockerRegistrySecret",
    "MCLIEnvVarSecret",
    "MCLIGCPSecret",
    "MCLIGitSSHSecret",
    "MCLIMountedSecret",
    "MCLIOCISecret",
    "MCLIS3Secret",
    "MCLISFTPSSHSecret",
    "MCLISSHSecret",
    "Secret",
    "SecretType",
]
