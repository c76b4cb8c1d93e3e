"""Everything that makes, reads or changes finetuning runs.

A finetuning run is a run too: it, or its name, will do for `get_run`, `follow_run_logs`, `wait_for_run_status` and all
others. `timeout` and `future`: see `mcli.runs`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.base_model import UNSET
from mcli_mapi.input_types import (
    CreateFinetuneInput,
    FinetuneFilters,
    GetFinetuneEventsInput,
    GetFinetunesInput,
    GetFinetunesPaginatedInput,
    StopFinetunesInput,
    StringFilter,
)

from mcli._arguments import given, name_of, names_of
from mcli._core.operations import mutation, query
from mcli._core.transport import mapi
from mcli._run_filters import page_request
from mcli._training_arguments import positive
from mcli.exceptions import MAPIException
from mcli.finetune import Finetune, finetune_of
from mcli.finetune_config import ExperimentTracker, FinetuneConfig, FinetuneTaskType, to_wire
from mcli.pages import ObjectList, PaginatedObjectList, read_all, read_page
from mcli.run_details import FormattedRunEvent, event

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import datetime

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import (
        DetailedFinetunesPageFields,
        FinetuneFields,
        FinetunesPageFields,
    )

    from mcli._arguments import Named
    from mcli.status import RunStatus

__all__ = [
    "create_finetuning_run",
    "delete_finetuning_run",
    "delete_finetuning_runs",
    "get_finetuning_runs",
    "list_finetuning_events",
    "stop_finetuning_run",
    "stop_finetuning_runs",
]


@mutation
def create_finetuning_run(
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
) -> Coroutine[Any, Any, Finetune]:
    """Finetune a model, and convert the last checkpoint to the Hugging Face format.

    Args:
        model: Name of the Hugging Face model, e.g. `mosaicml/mpt-7b`.
        train_data_path: Where the training data are: rows with `prompt` and `response`, or raw text for
            `CONTINUED_PRETRAIN`. Otherwise the name of a Hugging Face dataset with its split will do too, e.g.
            `mosaicml/dolly_hhrlhf/train`.
        save_folder: Where checkpoints are saved, below `<save_folder>/<run name>`, e.g. `s3://bucket/checkpoints`.
        task_type: `INSTRUCTION_FINETUNE`, `CONTINUED_PRETRAIN` or `CHAT_COMPLETION`.
        eval_data_path: Where the evaluation data are, in the form of the training data.
        eval_prompts: Prompts to answer at each checkpoint; the answers go to the experiment trackers.
        custom_weights_path: Where a Composer checkpoint is to begin with, instead of the model's weights.
        training_duration: In epochs, batches or tokens: `1ep` (the default), `100ba`, `1_000_000tok`.
        learning_rate: Peak learning rate; default 5e-7. Text will do: YAML reads `5e-7` as text.
        context_length: Tokens after which data are truncated; default: the model's.
        experiment_tracker: Where metrics are logged, e.g. `{"wandb": {"project": "my-project"}}`.
        disable_credentials_check: Whether to go without the platform's check, before the training, that the
            credentials open what is to be read and written. A run that fails it is stopped.

    Returns:
        The finetuning run, with details. Its name has the model's, and a suffix that makes it unique.

    Raises:
        ValidationError: An argument cannot be meant, e.g. a path without a prefix.
        MAPIException: The platform refused it, or could not be asked.
        OutcomeUnknown: The connection failed after the request was sent.

    >>> import mcli
    >>> data, folder = "mosaicml/dolly_hhrlhf/train", "s3://my-bucket/checkpoints"
    >>> run = mcli.create_finetuning_run("mosaicml/mpt-7b", data, folder, training_duration="10ba")
    >>> run.submitted_config.training_duration
    '10ba'
    """
    config = FinetuneConfig(
        model=model,
        train_data_path=train_data_path,
        save_folder=save_folder,
        task_type=task_type,
        eval_data_path=eval_data_path,
        eval_prompts=eval_prompts,
        custom_weights_path=custom_weights_path,
        training_duration=training_duration,
        learning_rate=None if learning_rate is None else positive("learning_rate", learning_rate),
        context_length=context_length,
        experiment_tracker=experiment_tracker,
        disable_credentials_check=disable_credentials_check,
    )
    sent = CreateFinetuneInput(config=to_wire(config))
    return _created(mapi(), sent)


async def _created(client: Mapi, sent: CreateFinetuneInput) -> Finetune:
    created = (await client.create_finetune(sent)).create_finetune
    if not created:
        raise MAPIException(500, "The platform answered without the finetuning run that it was to create.")
    return finetune_of(created[0])


@query
def get_finetuning_runs(
    finetuning_runs: Iterable[str | Named] | None = None,
    *,
    before: str | datetime | None = None,
    after: str | datetime | None = None,
    statuses: Iterable[str | RunStatus] | None = None,
    user_emails: Iterable[str] | None = None,
    include_details: bool = False,
    include_deleted: bool = False,
    limit: int | None = 100,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, PaginatedObjectList[Finetune]]:
    """List finetuning runs, the newest first. Filters, pages and errors are those of `get_runs`.

    Args:
        finetuning_runs: Only these. All of them are returned; an empty list gives none.
        before: Only those created strictly before this time.
        after: Only those created at or after this time.
        statuses: Only those that are in one of these statuses now.
        user_emails: Only those of these users. Default: your own.
        include_details: Whether to fetch the submitted configuration and events too.
        include_deleted: Whether deleted ones are listed as well.
        limit: Size of a page; None: 100.

    Raises:
        ValueError: A status, time or limit is none.
        MAPIException: The platform refused the request, or could not be asked.

    >>> import mcli
    >>> mcli.get_finetuning_runs(["no-such-run"], include_details=True)
    []
    """
    names = None if finetuning_runs is None else names_of(finetuning_runs, "finetuning run")
    asked = page_request(
        names=names,
        cluster_names=None,
        before=before,
        after=after,
        gpu_types=None,
        gpu_nums=None,
        statuses=statuses,
        user_emails=user_emails,
        run_types=None,
        include_deleted=include_deleted,
        ended_before=None,
        ended_after=None,
        limit=limit,
    )
    # Finetuning runs are asked for as runs are; what only runs can be asked for is not set.
    request = GetFinetunesPaginatedInput.model_validate(asked.model_dump(exclude_unset=True))
    source = partial(_read_page, request, details=include_details)
    read = read_page if names is None else read_all
    return read(mapi(), source, Finetune, limit)


async def _read_page(
    request: GetFinetunesPaginatedInput, client: Mapi, cursor: str | None, limit: int | None, *, details: bool
) -> tuple[list[Finetune], str | None]:
    """Read one page; a `pages.Source`."""
    if request.filters is not None and request.filters.name is not None and not request.filters.name.in_:
        return [], None  # on the wire an empty list of names selects every finetuning run
    asked = {"cursor": cursor, "limit": limit}
    request = request.model_copy(update=given(asked))
    page: FinetunesPageFields | DetailedFinetunesPageFields
    if details:
        page = (await client.get_finetunes_paginated_with_details(request)).get_finetunes_paginated
    else:
        page = (await client.get_finetunes_paginated(request)).get_finetunes_paginated
    return [finetune_of(each) for each in page.finetunes], page.cursor if page.has_next_page else None


@mutation
def stop_finetuning_run(
    run: str | Named, *, reason: str | None = None, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Finetune]:
    """Stop a finetuning run; see `stop_run`.

    Args:
        reason: Why; others read it in `Finetune.reason`.

    Raises:
        MAPIException: There is no such finetuning run (404), or it cannot be stopped.

    >>> import mcli
    >>> data, folder = "mosaicml/dolly_hhrlhf/train", "s3://my-bucket/checkpoints"
    >>> run = mcli.create_finetuning_run("mosaicml/mpt-7b", data, folder)
    >>> mcli.stop_finetuning_run(run, reason="Wrong data").name == run.name
    True
    """
    name = name_of(run, "finetuning run")
    return _stop_one(mapi(), name, reason)


async def _stop_one(client: Mapi, name: str, reason: str | None) -> Finetune:
    return _one(await _stop(client, [name], reason), name)


@mutation
def stop_finetuning_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Finetune]]:
    """Stop several finetuning runs; see `stop_finetuning_run`. An empty list stops none.

    >>> import mcli
    >>> mcli.stop_finetuning_runs([])
    []
    """
    names = names_of(runs, "finetuning run")
    return _stop(mapi(), names, reason)


async def _stop(client: Mapi, names: list[str], reason: str | None) -> ObjectList[Finetune]:
    if not names:
        return _finetunes([])
    why = UNSET if reason is None else StopFinetunesInput(reason=reason)
    return _finetunes((await client.stop_finetunes(_select(names), why)).stop_finetunes)


@mutation
def delete_finetuning_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Finetune]:
    """Delete a finetuning run and its logs; one that is active is stopped first. Its checkpoints stay.

    Raises:
        MAPIException: There is no such finetuning run (404), or it cannot be deleted.

    >>> import mcli
    >>> mcli.delete_finetuning_run("no-such-run")
    Traceback (most recent call last):
    mcli.exceptions.MAPIException: Error 404: ...
    """
    name = name_of(run, "finetuning run")
    return _delete_one(mapi(), name)


async def _delete_one(client: Mapi, name: str) -> Finetune:
    return _one(await _delete(client, [name]), name)


@mutation
def delete_finetuning_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Finetune]]:
    """Delete several finetuning runs; see `delete_finetuning_run`. An empty list deletes none.

    >>> import mcli
    >>> mcli.delete_finetuning_runs([])
    []
    """
    names = names_of(runs, "finetuning run")
    return _delete(mapi(), names)


async def _delete(client: Mapi, names: list[str]) -> ObjectList[Finetune]:
    return _finetunes((await client.delete_finetunes(_select(names))).delete_finetunes if names else [])


@query
def list_finetuning_events(
    finetune: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[FormattedRunEvent]]:
    """List what happened to a finetuning run, the earliest first.

    Raises:
        MAPIException: There is no such finetuning run (404), or the platform could not be asked.

    >>> import mcli
    >>> data, folder = "mosaicml/dolly_hhrlhf/train", "s3://my-bucket/checkpoints"
    >>> run = mcli.create_finetuning_run("mosaicml/mpt-7b", data, folder, training_duration="1ba")
    >>> mcli.list_finetuning_events(run)[0].event_type
    'CREATED'
    """
    request = GetFinetuneEventsInput(name=name_of(finetune, "finetuning run"))
    return _events(mapi(), request)


async def _events(client: Mapi, request: GetFinetuneEventsInput) -> ObjectList[FormattedRunEvent]:
    found = (await client.get_finetune_events(request)).get_finetune_events
    return ObjectList([event(each) for each in found], FormattedRunEvent)


def _select(names: list[str]) -> GetFinetunesInput:
    return GetFinetunesInput(filters=FinetuneFilters(name=StringFilter(in_=names)))


def _one(found: list[Finetune], name: str) -> Finetune:
    if not found:
        raise MAPIException(404, f"Finetuning run {name!r} not found")
    return found[0]


def _finetunes(found: Iterable[FinetuneFields]) -> ObjectList[Finetune]:
    return ObjectList([finetune_of(each) for each in found], Finetune)
