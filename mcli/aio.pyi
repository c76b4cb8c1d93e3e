# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.
# ruff: noqa: A002, ASYNC109, PYI021 - what the calls are like; editors show the docstrings

from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import date
from typing import Any, Literal

from mcli._arguments import Named
from mcli._run_sections import ComputeConfig
from mcli.cluster_details import ClusterDetails
from mcli.enums import RunType, SubmissionType
from mcli.finetune import Finetune
from mcli.finetune_config import ExperimentTracker, FinetuneTaskType
from mcli.pages import ObjectList, PaginatedObjectList
from mcli.pretrains import (
    DataSource,
    PretrainEval,
    PretrainParameters,
    Tokenizer,
)
from mcli.run import Run
from mcli.run_config import RunConfig
from mcli.run_details import FormattedRunEvent
from mcli.secret_types import Secret, SecretType
from mcli.status import RunStatus
from mcli.users import User

__all__ = [
    "create_finetuning_run",
    "create_interactive_run",
    "create_pretraining_run",
    "create_run",
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
    "list_finetuning_events",
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

async def create_finetuning_run(
    model: str,
    train_data_path: str,
    save_folder: str,
    *,
    task_type: str | FinetuneTaskType = "INSTRUCTION_FINETUNE",
    eval_data_path: str | None = None,
    eval_prompts: list[str] | None = None,
    custom_weights_path: str | None = None,
    training_duration: str | None = None,
    learning_rate: float | str | None = None,
    context_length: int | None = None,
    experiment_tracker: ExperimentTracker | dict[str, Any] | None = None,
    disable_credentials_check: bool | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Finetune:
    """Finetune a model, and convert the last checkpoint to the Hugging Face format.

    See `mcli.create_finetuning_run`.
    """

async def create_interactive_run(
    run: RunConfig, *, timeout: float | None = 10, seconds: int | None = None, future: Literal[False] = False
) -> Run:
    """Launch a run that only waits, for a person to connect to.

    See `mcli.create_interactive_run`.
    """

async def create_pretraining_run(
    model: str,
    train_data: Iterable[str] | Mapping[str, DataSource | dict[str, Any]],
    save_folder: str,
    *,
    compute: ComputeConfig | dict[str, Any] | None = None,
    tokenizer: Tokenizer | dict[str, Any] | None = None,
    training_duration: str | None = None,
    parameters: PretrainParameters | dict[str, Any] | None = None,
    eval: PretrainEval | dict[str, Any] | None = None,
    experiment_tracker: ExperimentTracker | dict[str, Any] | None = None,
    custom_weights_path: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Run:
    """Train a model from the start, or from a checkpoint.

    See `mcli.create_pretraining_run`.
    """

async def create_run(run: RunConfig, *, timeout: float | None = 10, future: Literal[False] = False) -> Run:
    """Launch a run.

    See `mcli.create_run`.
    """

async def create_secret(
    secret: Secret, *, timeout: float | None = 10, future: Literal[False] = False
) -> Secret:
    """Store a secret, which all runs of its owner have from then on.

    See `mcli.create_secret`.
    """

async def delete_finetuning_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Finetune:
    """Delete a finetuning run and its logs; one that is active is stopped first. Its checkpoints stay.

    See `mcli.delete_finetuning_run`.
    """

async def delete_finetuning_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> ObjectList[Finetune]:
    """Delete several finetuning runs; see `delete_finetuning_run`. An empty list deletes nothing.

    See `mcli.delete_finetuning_runs`.
    """

async def delete_run(run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False) -> Run:
    """Delete a run and its logs; one that is active is stopped first.

    See `mcli.delete_run`.
    """

async def delete_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> ObjectList[Run]:
    """Delete several runs; see `delete_run`. An empty list deletes nothing.

    See `mcli.delete_runs`.
    """

async def delete_secrets(
    secrets: Iterable[str | Named] | None = None,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ObjectList[Secret]:
    """Delete secrets. Runs that have them keep them until they end.

    See `mcli.delete_secrets`.
    """

def follow_run_logs(
    run: str | Named,
    rank: int | None = None,
    *,
    node_rank: int | None = None,
    local_gpu_rank: int | None = None,
    global_gpu_rank: int | None = None,
    timeout: float | None = None,
    future: Literal[False] = False,
    resumption: int | None = None,
    tail: int | None = None,
    container: str | None = None,
) -> AsyncGenerator[str]:
    """Iterate over the lines of a run's log, waiting for new ones until the run has ended.

    See `mcli.follow_run_logs`.
    """

async def get_cluster(
    cluster: str | Named,
    *,
    include_utilization: bool = True,
    include_all: bool = False,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ClusterDetails:
    """Read one cluster.

    See `mcli.get_cluster`.
    """

async def get_clusters(
    clusters: Iterable[str | Named] | None = None,
    *,
    include_utilization: bool = False,
    include_all: bool = False,
    timeout: float | None = 10,
    future: Literal[False] = False,
    submission_type_filter: str | SubmissionType | None = None,
) -> ObjectList[ClusterDetails]:
    """List the clusters that you may use.

    See `mcli.get_clusters`.
    """

async def get_current_user(*, timeout: float | None = 10, future: Literal[False] = False) -> User:
    """Read the user whom the API key belongs to.

    See `mcli.get_current_user`.
    """

async def get_finetuning_runs(
    finetuning_runs: Iterable[str | Named] | None = None,
    *,
    before: str | date | None = None,
    after: str | date | None = None,
    statuses: Iterable[str | RunStatus] | None = None,
    user_emails: Iterable[str] | None = None,
    include_details: bool = False,
    include_deleted: bool = False,
    limit: int | None = ...,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> PaginatedObjectList[Finetune]:
    """List finetuning runs, the newest first. Filters, pages and errors are those of `get_runs`.

    See `mcli.get_finetuning_runs`.
    """

async def get_run(
    run: str | Named,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
    include_details: bool = True,
) -> Run:
    """Read one run.

    See `mcli.get_run`.
    """

async def get_run_logs(
    run: str | Named,
    rank: int | None = None,
    *,
    node_rank: int | None = None,
    local_gpu_rank: int | None = None,
    global_gpu_rank: int | None = None,
    timeout: float | None = None,
    future: Literal[False] = False,
    failed: bool = False,
    resumption: int | None = None,
    tail: int | None = None,
    container: str | None = None,
) -> str:
    """Return the log of a run as it is now.

    See `mcli.get_run_logs`.
    """

async def get_runs(
    runs: Iterable[str | Named] | None = None,
    *,
    cluster_names: Iterable[str | Named] | None = None,
    before: str | date | None = None,
    after: str | date | None = None,
    gpu_types: Iterable[str] | None = None,
    gpu_nums: Iterable[int] | None = None,
    statuses: Iterable[str | RunStatus] | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
    user_emails: Iterable[str] | None = None,
    run_types: Iterable[str | RunType] | None = None,
    include_details: bool = False,
    include_deleted: bool = False,
    ended_before: str | date | None = None,
    ended_after: str | date | None = None,
    limit: int | None = ...,
) -> PaginatedObjectList[Run]:
    """List runs, the newest first.

    See `mcli.get_runs`.
    """

async def get_secrets(
    secrets: Iterable[str | Named] | None = None,
    secret_types: Iterable[str | SecretType] | None = None,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ObjectList[Secret]:
    """List secrets, without their values.

    See `mcli.get_secrets`.
    """

async def get_users(
    user_ids: Iterable[str] | None = None,
    *,
    user_emails: Iterable[str] | None = None,
    organization_ids: Iterable[str] | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ObjectList[User]:
    """List the users of an organization, for its administrators.

    See `mcli.get_users`.
    """

async def list_finetuning_events(
    finetune: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> ObjectList[FormattedRunEvent]:
    """List what happened to a finetuning run, the earliest first.

    See `mcli.list_finetuning_events`.
    """

async def start_run(run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False) -> Run:
    """Start a run that has ended, as a new resumption from the beginning.

    See `mcli.start_run`.
    """

async def start_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> ObjectList[Run]:
    """Start several runs that have ended; see `start_run`. An empty list starts nothing.

    See `mcli.start_runs`.
    """

async def stop_finetuning_run(
    run: str | Named, *, reason: str | None = None, timeout: float | None = 10, future: Literal[False] = False
) -> Finetune:
    """Stop a finetuning run; see `stop_run`.

    See `mcli.stop_finetuning_run`.
    """

async def stop_finetuning_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ObjectList[Finetune]:
    """Stop several finetuning runs; see `stop_finetuning_run`. An empty list stops nothing.

    See `mcli.stop_finetuning_runs`.
    """

async def stop_run(
    run: str | Named, *, reason: str | None = None, timeout: float | None = 10, future: Literal[False] = False
) -> Run:
    """Stop a run. The platform ends its processes first, so it may be TERMINATING for a while, then STOPPED.

    See `mcli.stop_run`.
    """

async def stop_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> ObjectList[Run]:
    """Stop several runs; see `stop_run`. An empty list stops nothing.

    See `mcli.stop_runs`.
    """

async def update_run(
    run: str | Named,
    update_run_data: dict[str, Any] | None = None,
    *,
    preemptible: bool | None = None,
    priority: str | None = None,
    max_retries: int | None = None,
    retry_on_system_failure: bool | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
    max_duration: float | None = None,
) -> Run:
    """Change settings of a run; what is not given stays.

    See `mcli.update_run`.
    """

async def update_run_metadata(
    run: str | Named,
    metadata: Mapping[str, Any],
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
    protect: bool = False,
) -> Run:
    """Merge keys into the metadata of a run; keys that are not given stay.

    See `mcli.update_run_metadata`.
    """

async def wait_for_run_status(
    run: str | Named, status: str | RunStatus, timeout: float | None = None, future: Literal[False] = False
) -> Run:
    """Wait until a run has reached a status, or a later one.

    See `mcli.wait_for_run_status`.
    """

def watch_run_status(
    run: str | Named, timeout: float | None = None, future: Literal[False] = False
) -> AsyncGenerator[Run]:
    """Iterate over the statuses of a run: the present one, then each new one, until the run has ended.

    See `mcli.watch_run_status`.
    """
