"""Everything that makes, reads or changes runs.

`timeout` and `future` mean the same everywhere. A call blocks for `timeout` seconds at most (None: for as long as it
takes) and then raises `TimeoutError`; the environment variable `MCLI_TIMEOUT` replaces the default. With `future=True`
it returns a `concurrent.futures.Future` at once, and `timeout` is ignored; arguments and credentials are checked before
that. Wherever a run is asked for, a `Run` or its name is taken.

What cannot be right is refused before anything is sent, with a `TypeError` or `ValueError` that names the parameter.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from mcli_mapi.base_model import UNSET, UnsetType
from mcli_mapi.input_types import (
    CreateInteractiveRunInput,
    CreateRunInput,
    GetRunsInput,
    GetRunsPaginatedInput,
    RunInput,
    StopRunsInput,
    UpdateRunInput,
    UpdateRunMetadataInput,
)

from mcli._arguments import Named, flag, given, name_of, names_of, text, whole
from mcli._core.operations import mutation, query
from mcli._core.paging import read_all, read_nothing, read_page, the_one
from mcli._core.transport import mapi
from mcli._run_filters import DEFAULT_LIMIT, named, page_request, size_of_page
from mcli._run_input import run_input
from mcli._run_updates import update_input
from mcli._run_values import runs_of
from mcli._spelling import kind_of
from mcli._warnings import warn
from mcli.metadata import sanitize_metadata
from mcli.pages import ObjectList, PaginatedObjectList
from mcli.run import Run
from mcli.run_config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping
    from datetime import date

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import DetailedRunsPageFields, RunFields, RunsPageFields

    from mcli._core.transport import HttpTransport
    from mcli.enums import RunType
    from mcli.status import RunStatus

__all__ = [
    "create_interactive_run",
    "create_run",
    "delete_run",
    "delete_runs",
    "get_run",
    "get_runs",
    "start_run",
    "start_runs",
    "stop_run",
    "stop_runs",
    "update_run",
    "update_run_metadata",
]


@mutation
def create_run(
    run: RunConfig, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Launch a run.

    The platform appends a suffix to the name, so that it is unique; the name of the returned run has it.

    Args:
        run: What to run. It is read at the call; later changes have no effect on the run.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, with details.

    Raises:
        MCLIRunConfigValidationError: The configuration cannot be sent, e.g. for lack of an image. It is a
            `MAPIException` of status 400, and tells everything that is wrong; see `RunConfig.problems`.
        RunConfigException: The platform found that something is missing in it.
        MAPIException: The platform refused it, or could not be asked.
        OutcomeUnknown: The connection failed after the request was sent.

    >>> import mcli
    >>> config = mcli.RunConfig(name="hello", image="bash", command="echo hello", compute={"gpus": 0})
    >>> run = mcli.create_run(config)
    >>> run.name.startswith("hello-")
    True
    """
    sent = CreateRunInput(run_input=RunInput(**run_input(_checked(run))))
    return the_one(_created(mapi(), sent), _LOST)


async def _created(client: Mapi, sent: CreateRunInput) -> list[Run]:
    await _check_folders(client, sent.run_input)
    return runs_of((await client.create_run(sent)).create_run)


async def _check_folders(client: Mapi, sent: RunInput) -> None:
    """Refuse a run that takes a folder of this machine along, where nobody could copy it."""
    if any(each.type_ == "local_dir" for each in sent.integrations or ()):
        await cast("HttpTransport", client.transport).require_copies()


@mutation
def create_interactive_run(
    run: RunConfig,
    *,
    timeout: float | None = 10,
    seconds: int | None = None,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, Run]:
    """Launch a run that only waits, for a person to connect to.

    Name, image and duration have defaults (`interactive`, `mosaicml/pytorch`, the platform's); the platform replaces
    the command by a sleep. The page speaks of `hours` in its text and of `seconds` in the signature: seconds they are.

    Args:
        run: What to wait in: its compute, integrations and environment.
        timeout: Seconds to wait at most; see `mcli.runs`.
        seconds: How long the run waits before it ends by itself, as COMPLETED.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, with details.

    Raises:
        MAPIException: As `create_run`.

    >>> import mcli
    >>> run = mcli.create_interactive_run(mcli.RunConfig(compute={"gpus": 0}), seconds=60)
    >>> run.run_type
    <RunType.INTERACTIVE: 'INTERACTIVE'>
    """
    waiting = copy.copy(_checked(run))
    waiting.name, waiting.image = run.name or "interactive", run.image or "mosaicml/pytorch"
    sent = CreateInteractiveRunInput(
        run_input=RunInput(**run_input(waiting)),
        seconds=None if seconds is None else whole("seconds", seconds, least=1, unit="seconds"),
    )
    return the_one(_created_interactive(mapi(), sent), _LOST)


async def _created_interactive(client: Mapi, sent: CreateInteractiveRunInput) -> list[Run]:
    await _check_folders(client, sent.run_input)
    return runs_of((await client.create_interactive_run(sent)).create_interactive_run)


@query
def get_run(
    run: str | Named,
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
    include_details: bool = True,
) -> Coroutine[Any, Any, Run]:
    """Read one run.

    Args:
        run: The run, or its name.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        include_details: Whether to fetch the submitted configuration, metadata, nodes, lifecycle and events too.

    Returns:
        The run as it is now.

    Raises:
        MAPIException: There is no such run (404), or the platform could not be asked.

    >>> import mcli
    >>> mcli.get_run("no-such-run")
    Traceback (most recent call last):
    mcli.exceptions.MAPIException: Error 404: Run 'no-such-run' not found...
    """
    return read_run(mapi(), name_of(run), details=flag("include_details", include_details))


async def read_run(client: Mapi, name: str, *, details: bool = True, deleted: bool = False) -> Run:
    """Read one run by its name, with `deleted` also one that was deleted."""
    request = GetRunsPaginatedInput(filters=named([name]), include_deleted=deleted, limit=1)
    return await the_one(_read(client, request, details=details), _missing(name))


async def read_runs(client: Mapi, names: list[str]) -> list[Run]:
    """Read those of some runs that there are or were, with details."""
    request = GetRunsPaginatedInput(filters=named(names), include_deleted=True, limit=len(names))
    return await _read(client, request, details=True)


async def _read(client: Mapi, request: GetRunsPaginatedInput, *, details: bool) -> list[Run]:
    runs, _ = await _read_page(request, client, None, None, details=details)
    return runs


@query
def get_runs(
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
    limit: int | None = DEFAULT_LIMIT,
) -> Coroutine[Any, Any, PaginatedObjectList[Run]]:
    """List runs, the newest first.

    Every filter that is given must match, and an empty list matches nothing: then nothing is sent. Times are ISO 8601
    texts, datetimes (also those of pandas), or dates, which begin at midnight; without an offset they are local.

    Args:
        runs: Only these, as `Run` objects or names. Where no `limit` is given, all of them are returned in one list.
        cluster_names: Only runs on these clusters, given as objects or names.
        before: Only runs created strictly before this time.
        after: Only runs created at or after this time.
        gpu_types: Only runs on these kinds of GPU, as `GPUType` or text. A kind that no cluster has finds nothing.
        gpu_nums: Only runs on this many GPUs.
        statuses: Only runs that are in one of these statuses now, as `RunStatus` or text in any letter case.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        user_emails: Only runs of these users; needs shared runs or administration rights. Default: your own.
        run_types: `INTERACTIVE`, `HERO_RUN` (by its metadata), `TRAINING` (all others), and newer ones.
        include_details: Whether to fetch the submitted configuration, metadata, nodes, lifecycle and events too.
        include_deleted: Whether deleted runs are listed as well.
        ended_before: Only runs that ended strictly before this time.
        ended_after: Only runs that ended at or after this time.
        limit: How many runs come back at most: the size of a page. None counts as not given: 100.

    Returns:
        A page. `next_page()` fetches the next one, `iter_all()` iterates over all runs.

    Raises:
        ValueError: A status, run type, time or limit makes no sense.
        MAPIException: The platform refused the request, or could not be asked.

    >>> import mcli
    >>> mcli.get_runs(statuses=["running", "queued"], after="2100-01-01T00:00:00Z", limit=10)
    []
    """
    names = None if runs is None else names_of(runs)
    request = page_request(
        names=names,
        cluster_names=cluster_names,
        before=before,
        after=after,
        gpu_types=gpu_types,
        gpu_nums=gpu_nums,
        statuses=statuses,
        user_emails=user_emails,
        run_types=run_types,
        include_deleted=include_deleted,
        ended_before=ended_before,
        ended_after=ended_after,
        limit=limit,
    )
    details = flag("include_details", include_details)
    client = mapi()
    if request is None:
        return read_nothing(Run)
    read = read_page if names is None or size_of_page(limit) else read_all
    return read(client, partial(_read_page, request, details=details), Run, request.limit)


async def _read_page(
    request: GetRunsPaginatedInput, client: Mapi, cursor: str | None, limit: int | None, *, details: bool
) -> tuple[list[Run], str | None]:
    """Read one page of runs; a `paging.Source`."""
    request = request.model_copy(update=given({"cursor": cursor, "limit": limit}))
    page: RunsPageFields | DetailedRunsPageFields
    if details:
        page = (await client.get_runs_paginated_with_details(request)).get_runs_paginated
    else:
        page = (await client.get_runs_paginated(request)).get_runs_paginated
    return runs_of(page.runs), page.cursor if page.has_next_page else None


@mutation
def start_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Start a run that has ended, as a new resumption from the beginning.

    Args:
        run: The run, or its name.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, PENDING again.

    Raises:
        MAPIException: There is no such run (404), or it cannot be started.

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="again", image="bash", command="true", compute={"gpus": 0}))
    >>> run = mcli.wait_for_run_status(run, "completed")
    >>> len(mcli.start_run(run).resumptions)
    2
    """
    return the_one(_start(mapi(), [name_of(run)]), _missing(name_of(run)))


@mutation
def start_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Start several runs that have ended; see `start_run`. An empty list starts nothing.

    Args:
        runs: The runs, or their names.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The runs, PENDING again.

    Raises:
        MAPIException: One of them does not exist (404) or cannot be started. A platform of ours starts the others all
            the same, and the call can be repeated: a run that is active already is not changed.

    >>> import mcli
    >>> mcli.start_runs(mcli.get_runs(statuses=["stopped"], after="2100-01-01"))
    []
    """
    return _start(mapi(), names_of(runs))


async def _start(client: Mapi, names: list[str]) -> ObjectList[Run]:
    return _runs((await client.start_runs(_select(names))).start_runs if names else [])


@mutation
def stop_run(
    run: str | Named, *, reason: str | None = None, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Stop a run. The platform ends its processes first, so it may be TERMINATING for a while, then STOPPED.

    Args:
        run: The run, or its name.
        reason: Why; others read it in `Run.reason`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run, STOPPED, or TERMINATING where its end takes longer.

    Raises:
        MAPIException: There is no such run (404), or it cannot be stopped.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> run = mcli.create_run(nap)
    >>> mcli.stop_run(run, reason="enough").name == run.name
    True
    >>> mcli.wait_for_run_status(run, "stopped").reason
    'enough'
    """
    return the_one(_stop(mapi(), _because(reason), [name_of(run)]), _missing(name_of(run)))


@mutation
def stop_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Stop several runs; see `stop_run`. An empty list stops nothing.

    Args:
        runs: The runs, or their names.
        reason: Why; others read it in `Run.reason`.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The runs, each STOPPED, or TERMINATING where its end takes longer.

    Raises:
        MAPIException: One of them does not exist (404), or cannot be stopped. The call can be repeated.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> runs = [mcli.create_run(nap), mcli.create_run(nap)]
    >>> len(mcli.stop_runs(runs))
    2
    """
    return _stop(mapi(), _because(reason), names_of(runs))


def _because(reason: str | None) -> StopRunsInput | UnsetType:
    return UNSET if reason is None else StopRunsInput(reason=text("reason", reason))


async def _stop(client: Mapi, why: StopRunsInput | UnsetType, names: list[str]) -> ObjectList[Run]:
    return _runs((await client.stop_runs(_select(names), why)).stop_runs if names else [])


@mutation
def delete_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Delete a run and its logs; one that is active is stopped first.

    Args:
        run: The run, or its name.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The run that was deleted. `get_runs(include_deleted=True)` still lists it.

    Raises:
        MAPIException: There is no such run (404), or it cannot be deleted.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> run = mcli.create_run(nap)
    >>> mcli.delete_run(run).is_deleted
    True
    """
    return the_one(_delete(mapi(), [name_of(run)]), _missing(name_of(run)))


@mutation
def delete_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Delete several runs; see `delete_run`. An empty list deletes nothing.

    Args:
        runs: The runs, or their names.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The runs that were deleted.

    Raises:
        MAPIException: One of them does not exist (404), or cannot be deleted.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> run = mcli.create_run(nap)
    >>> [deleted.name for deleted in mcli.delete_runs([run])] == [run.name]
    True
    """
    return _delete(mapi(), names_of(runs))


async def _delete(client: Mapi, names: list[str]) -> ObjectList[Run]:
    return _runs((await client.delete_runs(_select(names))).delete_runs if names else [])


@mutation
def update_run(
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
) -> Coroutine[Any, Any, Run]:
    """Change settings of a run; what is not given stays.

    Args:
        run: The run, or its name.
        update_run_data: Deprecated: the same settings in a dictionary, as the parameters or the wire spell them. What
            is given by its parameter goes before it.
        preemptible: Whether runs of higher priority may stop the run and queue it again. Default of a run: false.
        priority: `auto` (what a run has at first), `low` or `lowest`. A misspelt one is refused, an unknown one is sent
            with a warning.
        max_retries: How often the platform tries the run again when it fails. Default of a run: 0.
        retry_on_system_failure: Whether a failure of the platform itself, e.g. of a node, is tried again. Default of a
            run: false.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        max_duration: Hours after which the platform stops the run.

    Returns:
        The run, with its new settings.

    Raises:
        ValueError: A value makes no sense.
        MAPIException: There is no such run (404), or it cannot be changed.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> run = mcli.create_run(nap)
    >>> mcli.update_run(run, max_duration=1.5).max_duration
    1.5
    >>> run = mcli.stop_run(run)
    """
    settings = {
        "preemptible": preemptible,
        "priority": priority,
        "max_retries": max_retries,
        "retry_on_system_failure": retry_on_system_failure,
        "max_duration": max_duration,
    }
    if update_run_data is not None:
        warn("update_run_data is deprecated: give the settings by their names.", DeprecationWarning)
    name, update = name_of(run), update_input(settings, update_run_data)
    return the_one(_updated(mapi(), name, update), _missing(name))


async def _updated(client: Mapi, name: str, update: UpdateRunInput) -> ObjectList[Run]:
    return _runs((await client.update_run(_select([name]), update)).update_run)


@mutation
def update_run_metadata(
    run: str | Named,
    metadata: Mapping[str, Any],
    *,
    timeout: float | None = 10,
    future: Literal[False] = False,
    protect: bool = False,
) -> Coroutine[Any, Any, Run]:
    """Merge keys into the metadata of a run; keys that are not given stay.

    Args:
        run: The run, or its name.
        metadata: The keys and their values. It is read at the call. A value that JSON does not know is left out with a
            warning; NaN and the infinities are sent as their names.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        protect: Whether SIGTERM waits for the call before its previous handler runs.

    Returns:
        The run, with details.

    Raises:
        MAPIException: There is no such run (404), or the metadata passes the platform's limits (400).

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="notes", image="bash", command="true", compute={"gpus": 0}))
    >>> mcli.update_run_metadata(run, {"loss": 0.1, "best": float("inf")}).metadata
    {'loss': 0.1, 'best': 'Infinity'}
    """
    flag("protect", protect)
    name, sent = name_of(run), UpdateRunMetadataInput(metadata=sanitize_metadata(metadata))
    return the_one(_metadata_updated(mapi(), name, sent), _missing(name))


async def _metadata_updated(client: Mapi, name: str, sent: UpdateRunMetadataInput) -> ObjectList[Run]:
    return _runs((await client.update_run_metadata(_select([name]), sent)).update_run_metadata)


def _checked(config: RunConfig) -> RunConfig:
    if not isinstance(config, RunConfig):
        raise TypeError(f"run must be a RunConfig, not {kind_of(config)}")
    return config


def _select(names: list[str]) -> GetRunsInput:
    return GetRunsInput(filters=named(names))


def _runs(found: Iterable[RunFields]) -> ObjectList[Run]:
    return ObjectList(runs_of(found), Run)


_LOST = (500, "The platform answered without the run that it was to create.")


def _missing(name: str) -> tuple[int, str, str]:
    return 404, f"Run {name!r} not found", "Deleted runs are listed with include_deleted=True."
