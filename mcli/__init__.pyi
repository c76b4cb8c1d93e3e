# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

from mcli import aio as aio
from mcli import api as api
from mcli import config as config
from mcli import exceptions as exceptions
from mcli import models as models
from mcli import objects as objects
from mcli import sdk as sdk
from mcli import utils as utils
from mcli._core.connection import MAPIConnection as MAPIConnection
from mcli._progress import progress as progress
from mcli._version import __version__ as __version__
from mcli.cluster_details import ClusterDetails as ClusterDetails
from mcli.clusters import get_cluster as get_cluster
from mcli.clusters import get_clusters as get_clusters
from mcli.config import FeatureFlag as FeatureFlag
from mcli.config import MCLIConfig as MCLIConfig
from mcli.config import MCLIMode as MCLIMode
from mcli.config import initialize as initialize
from mcli.config import set_api_key as set_api_key
from mcli.enums import GPUType as GPUType
from mcli.enums import RunType as RunType
from mcli.enums import SubmissionType as SubmissionType
from mcli.exceptions import MAPIException as MAPIException
from mcli.exceptions import MCLIConfigError as MCLIConfigError
from mcli.exceptions import MCLIException as MCLIException
from mcli.exceptions import MCLIRunConfigValidationError as MCLIRunConfigValidationError
from mcli.exceptions import MultiMAPIException as MultiMAPIException
from mcli.exceptions import OutcomeUnknown as OutcomeUnknown
from mcli.exceptions import RunConfigException as RunConfigException
from mcli.exceptions import RunStatusNotReached as RunStatusNotReached
from mcli.finetune import Finetune as Finetune
from mcli.finetune_config import ExperimentTracker as ExperimentTracker
from mcli.finetune_config import FinetuneConfig as FinetuneConfig
from mcli.finetune_config import FinetuneTaskType as FinetuneTaskType
from mcli.finetunes import create_finetuning_run as create_finetuning_run
from mcli.finetunes import delete_finetuning_run as delete_finetuning_run
from mcli.finetunes import delete_finetuning_runs as delete_finetuning_runs
from mcli.finetunes import get_finetuning_runs as get_finetuning_runs
from mcli.finetunes import list_finetuning_events as list_finetuning_events
from mcli.finetunes import stop_finetuning_run as stop_finetuning_run
from mcli.finetunes import stop_finetuning_runs as stop_finetuning_runs
from mcli.groups import RunGroup as RunGroup
from mcli.groups import create_runs as create_runs
from mcli.logs import follow_run_logs as follow_run_logs
from mcli.logs import get_run_logs as get_run_logs
from mcli.pages import ObjectList as ObjectList
from mcli.pages import PaginatedObjectList as PaginatedObjectList
from mcli.pretrains import create_pretraining_run as create_pretraining_run
from mcli.run import Run as Run
from mcli.run_config import ComputeConfig as ComputeConfig
from mcli.run_config import RunConfig as RunConfig
from mcli.run_config import SchedulingConfig as SchedulingConfig
from mcli.run_details import FormattedRunEvent as FormattedRunEvent
from mcli.run_details import Node as Node
from mcli.run_details import Resumption as Resumption
from mcli.run_details import RunLifecycle as RunLifecycle
from mcli.runs import create_interactive_run as create_interactive_run
from mcli.runs import create_run as create_run
from mcli.runs import delete_run as delete_run
from mcli.runs import delete_runs as delete_runs
from mcli.runs import get_run as get_run
from mcli.runs import get_runs as get_runs
from mcli.runs import start_run as start_run
from mcli.runs import start_runs as start_runs
from mcli.runs import stop_run as stop_run
from mcli.runs import stop_runs as stop_runs
from mcli.runs import update_run as update_run
from mcli.runs import update_run_metadata as update_run_metadata
from mcli.secret_types import HuggingFaceSecret as HuggingFaceSecret
from mcli.secret_types import MCLIDatabricksSecret as MCLIDatabricksSecret
from mcli.secret_types import MCLIDockerRegistrySecret as MCLIDockerRegistrySecret
from mcli.secret_types import MCLIEnvVarSecret as MCLIEnvVarSecret
from mcli.secret_types import MCLIGCPSecret as MCLIGCPSecret
from mcli.secret_types import MCLIGitSSHSecret as MCLIGitSSHSecret
from mcli.secret_types import MCLIMountedSecret as MCLIMountedSecret
from mcli.secret_types import MCLIOCISecret as MCLIOCISecret
from mcli.secret_types import MCLIS3Secret as MCLIS3Secret
from mcli.secret_types import MCLISFTPSSHSecret as MCLISFTPSSHSecret
from mcli.secret_types import MCLISSHSecret as MCLISSHSecret
from mcli.secret_types import Secret as Secret
from mcli.secret_types import SecretType as SecretType
from mcli.secrets import create_secret as create_secret
from mcli.secrets import delete_secrets as delete_secrets
from mcli.secrets import get_secrets as get_secrets
from mcli.status import RunStatus as RunStatus
from mcli.users import User as User
from mcli.users import get_current_user as get_current_user
from mcli.users import get_users as get_users
from mcli.watches import wait_for_run_status as wait_for_run_status
from mcli.watches import watch_run_status as watch_run_status

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
    "__version__",
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
