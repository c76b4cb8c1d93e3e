"""Everything that makes, reads or changes finetuning runs.

A finetuning run is a run too: `get_run`, `follow_run_logs`, `wait_for_run_status` and all others take it, or its
name. `timeout` and `future`: see `mcli.runs`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.base_model import UNSET, UnsetType
from mcli_mapi.input_types import (
    CreateFinetuneInput,
    FinetuneFilters,
    GetFinetuneEventsInput,
    GetFinetunesInput,
    GetFinetunesPaginatedInput,
    StopFinetunesInput,
    StringFilter,
)

from mcli._arguments import flag, given, name_of, names_of, text
from mcli._core.operations import mutation, query
from mcli._core.paging import read_all, read_nothing, read_page, the_one
from mcli._core.transport import mapi
from mcli._run_filters import DEFAULT_LIMIT, page_request, size_of_page
from mcli._training_arguments import positive
from mcli.finetune import Finetune, finetune_of
from mcli.finetune_config import ExperimentTracker, FinetuneConfig, FinetuneTaskType, finetune_input
from mcli.pages import ObjectList, PaginatedObjectList
from mcli.run_details import FormattedRunEvent, event

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import date

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
            `CONTINUED_PRETRAIN`. Otherwise also the name of a Hugging Face dataset with its split, e.g.
            `mosaicml/dolly_hhrlhf/train`.
        save_folder: Where checkpoints are saved, below `<save_folder>/<run name>`, e.g. `s3://bucket/checkpoints`.
        task_type: `INSTRUCTION_FINETUNE`, `CONTINUED_PRETRAIN` or `CHAT_COMPLETION`.
        eval_data_path: Where the evaluation data are, in the form of the training data.
        eval_prompts: Prompts to answer at each checkpoint, with 100 new tokens at most, temperature 1, top_k 50 and
            top_p 0.95; the answers go to the experiment trackers. Default: none.
        custom_weights_path: Where the Composer checkpoint is that the training begins with. Default: the model's
            weights.
        training_duration: In epochs, batches or tokens: `1ep` (the default), `100ba`, `1_000_000tok`.
        learning_rate: Peak learning rate; default 5e-7. Text is taken too: YAML reads `5e-7` as text.
        context_length: Tokens after which data are truncated; default: the model's.
        experiment_tracker: Where metrics are logged, e.g. `{"wandb": {"project": "my-project"}}`.
        disable_credentials_check: Whether to go without the platform's check, before the training, that the
            credentials open what is to be read and written. A run that fails it is stopped. Default: the check is made.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The finetuning run, with details. Its name has the model's, and a suffix that makes it unique.

    Raises:
        ValidationError: An argument makes no sense, e.g. a path without a prefix.
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
    sent = CreateFinetuneInput(config=finetune_input(config))
    return the_one(_created(mapi(), sent), _LOST)


async def _created(client: Mapi, sent: CreateFinetuneInput) -> list[Finetune]:
    return [finetune_of(each) for each in (await client.create_finetune(sent)).create_finetune]


@query
def get_finetuning_runs(
    finetuning_runs: Iterable[str | Named] | None = None,
    *,
    before: str | date | None = None,
    after: str | date | None = None,
    statuses: Iterable[str | RunStatus] | None = None,
    user_emails: Iterable[str] | None = None,
    include_details: bool = False,
    include_deleted: bool = False,
    limit: int | None = DEFAULT_LIMIT,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, PaginatedObjectList[Finetune]]:
    """List finetuning runs, the newest first. Filters, pages and errors are those of `get_runs`.

    Args:
        finetuning_runs: Only these, as objects or names. Where no `limit` is given, all are returned in one list.
        before: Only those created strictly before this time.
        after: Only those created at or after this time.
        statuses: Only those that are in one of these statuses now.
        user_emails: Only those of these users. Default: your own.
        include_details: Whether to fetch the submitted configuration and events too.
        include_deleted: Whether deleted ones are listed as well.
        limit: How many come back at most: the size of a page. None counts as not given: 100.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        A page; see `get_runs`.

    Raises:
        ValueError: A status, time or limit makes no sense.
        MAPIException: The platform refused the request, or could not be asked.

    >>> import mcli
    >>> mcli.get_finetuning_runs(["no-such-run"], include_details=True)
    []
    """
    names = None if finetuning_runs is None else names_of(finetuning_runs, "finetuning run")
    asked = page_request(
        names=names,
        before=before,
        after=after,
        statuses=statuses,
        user_emails=user_emails,
        include_deleted=include_deleted,
        limit=limit,
    )
    details = flag("include_details", include_details)
    client = mapi()
    if asked is None:
        return read_nothing(Finetune)
    # finetuning runs are asked for as runs are; what only runs can be asked for is not set
    request = GetFinetunesPaginatedInput.model_validate(asked.model_dump(exclude_unset=True))
    read = read_page if names is None or size_of_page(limit) else read_all
    return read(client, partial(_read_page, request, details=details), Finetune, request.limit)


async def _read_page(
    request: GetFinetunesPaginatedInput, client: Mapi, cursor: str | None, limit: int | None, *, details: bool
) -> tuple[list[Finetune], str | None]:
    """Read one page; a `paging.Source`."""
    request = request.model_copy(update=given({"cursor": cursor, "limit": limit}))
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
        run: The finetuning run, or its name.
        reason: Why; others read it in `Finetune.reason`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Raises:
        MAPIException: There is no such finetuning run (404), or it cannot be stopped.

    >>> import mcli
    >>> data, folder = "mosaicml/dolly_hhrlhf/train", "s3://my-bucket/checkpoints"
    >>> run = mcli.create_finetuning_run("mosaicml/mpt-7b", data, folder)
    >>> mcli.stop_finetuning_run(run, reason="Wrong data").name == run.name
    True
    """
    name = name_of(run, "finetuning run", "run")
    return the_one(_stop(mapi(), _because(reason), [name]), _missing(name))


@mutation
def stop_finetuning_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Finetune]]:
    """Stop several finetuning runs; see `stop_finetuning_run`. An empty list stops nothing.

    Args:
        runs: The finetuning runs, or their names.
        reason: Why; others read it in `Finetune.reason`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    >>> import mcli
    >>> mcli.stop_finetuning_runs([])
    []
    """
    return _stop(mapi(), _because(reason), names_of(runs, "finetuning run", "runs"))


def _because(reason: str | None) -> StopFinetunesInput | UnsetType:
    return UNSET if reason is None else StopFinetunesInput(reason=text("reason", reason))


async def _stop(client: Mapi, why: StopFinetunesInput | UnsetType, names: list[str]) -> ObjectList[Finetune]:
    return _finetunes((await client.stop_finetunes(_select(names), why)).stop_finetunes if names else [])


@mutation
def delete_finetuning_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Finetune]:
    """Delete a finetuning run and its logs; one that is active is stopped first. Its checkpoints stay.

    Args:
        run: The finetuning run, or its name.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Raises:
        MAPIException: There is no such finetuning run (404), or it cannot be deleted.

    >>> import mcli
    >>> mcli.delete_finetuning_run("no-such-run")
    Traceback (most recent call last):
    mcli.exceptions.MAPIException: Error 404: ...
    """
    name = name_of(run, "finetuning run", "run")
    return the_one(_delete(mapi(), [name]), _missing(name))


@mutation
def delete_finetuning_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Finetune]]:
    """Delete several finetuning runs; see `delete_finetuning_run`. An empty list deletes nothing.

    Args:
        runs: The finetuning runs, or their names.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    >>> import mcli
    >>> mcli.delete_finetuning_runs([])
    []
    """
    return _delete(mapi(), names_of(runs, "finetuning run", "runs"))


async def _delete(client: Mapi, names: list[str]) -> ObjectList[Finetune]:
    return _finetunes((await client.delete_finetunes(_select(names))).delete_finetunes if names else [])


@query
def list_finetuning_events(
    finetune: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[FormattedRunEvent]]:
    """List what happened to a finetuning run, the earliest first.

    Args:
        finetune: The finetuning run, or its name.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Raises:
        MAPIException: There is no such finetuning run (404), or the platform could not be asked.

    >>> import mcli
    >>> data, folder = "mosaicml/dolly_hhrlhf/train", "s3://my-bucket/checkpoints"
    >>> run = mcli.create_finetuning_run("mosaicml/mpt-7b", data, folder, training_duration="1ba")
    >>> mcli.list_finetuning_events(run)[0].event_type
    'CREATED'
    """
    request = GetFinetuneEventsInput(name=name_of(finetune, "finetuning run", "finetune"))
    return _events(mapi(), request)


async def _events(client: Mapi, request: GetFinetuneEventsInput) -> ObjectList[FormattedRunEvent]:
    found = (await client.get_finetune_events(request)).get_finetune_events
    return ObjectList([event(each) for each in found], FormattedRunEvent)


def _select(names: list[str]) -> GetFinetunesInput:
    return GetFinetunesInput(filters=FinetuneFilters(name=StringFilter(in_=names)))


def _finetunes(found: Iterable[FinetuneFields]) -> ObjectList[Finetune]:
    return ObjectList([finetune_of(each) for each in found], Finetune)


_LOST = (500, "The platform answered without the finetuning run that it was to create.")


def _missing(name: str) -> tuple[int, str]:
    return 404, f"Finetuning run {name!r} not found"
