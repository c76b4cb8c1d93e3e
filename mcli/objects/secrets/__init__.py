"""Another import path of the kinds of secrets."""

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
