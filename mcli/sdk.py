# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli._core.connection import MAPIConnection
from mcli._progress import progress
from mcli.cluster_details import ClusterDetails
from mcli.clusters import get_cluster, get_clusters
from mcli.config import FeatureFlag, MCLIConfig, MCLIMode, initialize, set_api_key
from mcli.enums import GPUType, RunType, SubmissionType
from mcli.exceptions import (
    MAPIException,
    MCLIConfigError,
    MCLIException,
    MCLIRunConfigValidationError,
    MultiMAPIException,
    OutcomeUnknown,
    RunConfigException,
    RunStatusNotReached,
)
from mcli.finetune import Finetune
from mcli.finetune_config import ExperimentTracker, FinetuneConfig, FinetuneTaskType
from mcli.finetunes import (
    create_finetuning_run,
    delete_finetuning_run,
    delete_finetuning_runs,
    get_finetuning_runs,
    list_finetuning_events,
    stop_finetuning_run,
    stop_finetuning_runs,
)
from mcli.groups import RunGroup, create_runs
from mcli.logs import follow_run_logs, get_run_logs
from mcli.pages import ObjectList, PaginatedObjectList
from mcli.pretrains import create_pretraining_run
from mcli.run import Run
from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig
from mcli.run_details import FormattedRunEvent, Node, Resumption, RunLifecycle
from mcli.runs import (
    create_interactive_run,
    create_run,
    delete_run,
    delete_runs,
    get_run,
    get_runs,
    start_run,
    start_runs,
    stop_run,
    stop_runs,
    update_run,
    update_run_metadata,
)
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
from mcli.secrets import create_secret, delete_secrets, get_secrets
from mcli.status import RunStatus
from mcli.users import User, get_current_user, get_users
from mcli.watches import wait_for_run_status, watch_run_status

__all__ = [
    "ClusterDetails",
    "ComputeConfig",
    "ExperimentTracker",
    "FeatureFlag",
    "Finetune",
    "FinetuneConfig",
    "FinetuneTaskType",
    "FormattedRunEvent",
    "GPUType",
    "HuggingFaceSecret",
    "MAPIConnection",
    "MAPIException",
    "MCLIConfig",
    "MCLIConfigError",
    "MCLIDatabricksSecret",
    "MCLIDockerRegistrySecret",
    "MCLIEnvVarSecret",
    "MCLIException",
    "MCLIGCPSecret",
    "MCLIGitSSHSecret",
    "MCLIMode",
    "MCLIMountedSecret",
    "MCLIOCISecret",
    "MCLIRunConfigValidationError",
    "MCLIS3Secret",
    "MCLISFTPSSHSecret",
    "MCLISSHSecret",
    "MultiMAPIException",
    "Node",
    "ObjectList",
    "OutcomeUnknown",
    "PaginatedObjectList",
    "Resumption",
    "Run",
    "RunConfig",
    "RunConfigException",
    "RunGroup",
    "RunLifecycle",
    "RunStatus",
    "RunStatusNotReached",
    "RunType",
    "SchedulingConfig",
    "Secret",
    "SecretType",
    "SubmissionType",
    "User",
    "create_finetuning_run",
    "create_interactive_run",
    "create_pretraining_run",
    "create_run",
    "create_runs",
    "create_secret",
    "delete_finetuning_run",
    "delete_finetuning_runs",
    "delete_run",
    "delete_runs",
    "delete_secrets",
    "follow_run_logs",
    "get_cluster",
    "get_clusters",
    "get_current_user",
    "get_finetuning_runs",
    "get_run",
    "get_run_logs",
    "get_runs",
    "get_secrets",
    "get_users",
    "initialize",
    "list_finetuning_events",
    "progress",
    "set_api_key",
    "start_run",
    "start_runs",
    "stop_finetuning_run",
    "stop_finetuning_runs",
    "stop_run",
    "stop_runs",
    "update_run",
    "update_run_metadata",
    "wait_for_run_status",
    "watch_run_status",
]
