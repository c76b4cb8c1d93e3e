"""Everything that makes, reads or changes runs.

`timeout` and `future` mean the same everywhere. A call blocks for `timeout` seconds at most (None: for as long as it
takes) and then raises `TimeoutError`; the environment variable `MCLI_TIMEOUT` replaces the default. With `future=True`
it returns a `concurrent.futures.Future` at once and is not bounded; arguments and credentials are checked before.
Wherever a run is asked for, a `Run` or its name will do.
"""

from __future__ import annotations

import copy
import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi.base_model import UNSET
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

from mcli._arguments import Named, given, name_of, names_of
from mcli._core.operations import mutation, query
from mcli._core.transport import mapi
from mcli._run_filters import named, page_request
from mcli._run_input import to_wire
from mcli._warnings import warn
from mcli.exceptions import MAPIException
from mcli.metadata import sanitize_metadata
from mcli.pages import ObjectList, PaginatedObjectList, read_all, read_page
from mcli.run import Run, run_of
from mcli.run_config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from datetime import datetime

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import DetailedRunFields, DetailedRunsPageFields, RunFields, RunsPageFields

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

    Returns:
        The run, with details.

    Raises:
        MCLIRunConfigValidationError: The configuration cannot be sent, e.g. for lack of an image.
        RunConfigException: The platform misses something in it.
        MAPIException: The platform refused it, or could not be asked.
        OutcomeUnknown: The connection failed after the request was sent.

    >>> import mcli
    >>> config = mcli.RunConfig(name="hello", image="bash", command="echo hello", compute={"gpus": 0})
    >>> run = mcli.create_run(config)
    >>> run.name.startswith("hello-")
    True
    """
    sent = CreateRunInput(run_input=_run_input(run))
    return _created(mapi(), sent)


async def _created(client: Mapi, sent: CreateRunInput) -> Run:
    return _sole((await client.create_run(sent)).create_run)


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
    the command by a sleep.

    Args:
        run: What to wait in: its compute, integrations and environment.
        seconds: How long the run waits before it ends by itself, as COMPLETED.

    Returns:
        The run, with details.

    Raises:
        MAPIException: As `create_run`.

    >>> import mcli
    >>> run = mcli.create_interactive_run(mcli.RunConfig(compute={"gpus": 0}), seconds=60)
    >>> run.run_type
    <RunType.INTERACTIVE: 'INTERACTIVE'>
    """
    if seconds is not None and not (isinstance(seconds, int) and seconds >= 1):
        raise ValueError(f"seconds={seconds!r}: an interactive run waits for whole seconds, one at least")
    waiting = copy.copy(_checked(run))
    waiting.name, waiting.image = run.name or "interactive", run.image or "mosaicml/pytorch"
    sent = CreateInteractiveRunInput(run_input=_run_input(waiting), seconds=seconds)
    return _created_interactive(mapi(), sent)


async def _created_interactive(client: Mapi, sent: CreateInteractiveRunInput) -> Run:
    return _sole((await client.create_interactive_run(sent)).create_interactive_run)


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
        include_details: Whether to fetch the submitted configuration, metadata, nodes, lifecycle and events too.

    Raises:
        MAPIException: There is no such run (404), or the platform could not be asked.

    >>> import mcli
    >>> mcli.get_run("no-such-run")
    Traceback (most recent call last):
    mcli.exceptions.MAPIException: Error 404: Run 'no-such-run' not found...
    """
    return read_run(mapi(), name_of(run), details=include_details)


async def read_run(client: Mapi, name: str, *, details: bool = True, deleted: bool = False) -> Run:
    """Read one run by its name, with `deleted` also one that was deleted."""
    request = GetRunsPaginatedInput(filters=named([name]), include_deleted=deleted, limit=1)
    runs, _ = await _read_page(request, client, None, None, details=details)
    return _one(runs, name)


async def read_runs(client: Mapi, names: list[str]) -> list[Run]:
    """Read those of some runs that there are or were, with details."""
    request = GetRunsPaginatedInput(filters=named(names), include_deleted=True, limit=len(names))
    runs, _ = await _read_page(request, client, None, None, details=True)
    return list(runs)


@query
def get_runs(
    runs: Iterable[str | Named] | None = None,
    *,
    cluster_names: Iterable[str | Named] | None = None,
    before: str | datetime | None = None,
    after: str | datetime | None = None,
    gpu_types: Iterable[str] | None = None,
    gpu_nums: Iterable[int] | None = None,
    statuses: Iterable[str | RunStatus] | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
    user_emails: Iterable[str] | None = None,
    run_types: Iterable[str | RunType] | None = None,
    include_details: bool = False,
    include_deleted: bool = False,
    ended_before: str | datetime | None = None,
    ended_after: str | datetime | None = None,
    limit: int | None = 100,
) -> Coroutine[Any, Any, PaginatedObjectList[Run]]:
    """List runs, the newest first.

    Every filter that is given must match. Times are ISO 8601 texts or datetimes; without an offset they are local.

    Args:
        runs: Only these. All of them are returned, also where they are more than `limit`; an empty list gives none.
        cluster_names: Only runs on these clusters.
        before: Only runs created strictly before this time.
        after: Only runs created at or after this time.
        gpu_types: Only runs on these kinds of GPU.
        gpu_nums: Only runs on this many GPUs.
        statuses: Only runs that are in one of these statuses now, in any letter case.
        user_emails: Only runs of these users; needs shared runs or administration rights. Default: your own.
        run_types: `INTERACTIVE`, `HERO_RUN` (by its metadata), `TRAINING` (all others), and newer ones.
        include_details: Whether to fetch the submitted configuration, metadata, nodes, lifecycle and events too.
        include_deleted: Whether deleted runs are listed as well.
        ended_before: Only runs that ended strictly before this time.
        ended_after: Only runs that ended at or after this time.
        limit: Size of a page; None: 100.

    Returns:
        A page. `next_page()` fetches the next one, `iter_all()` iterates over all runs.

    Raises:
        ValueError: A status, run type, time or limit is none.
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
    source = partial(_read_page, request, details=include_details)
    read = read_page if names is None else read_all
    return read(mapi(), source, Run, limit)


async def _read_page(
    request: GetRunsPaginatedInput, client: Mapi, cursor: str | None, limit: int | None, *, details: bool
) -> tuple[list[Run], str | None]:
    """Read one page of runs; a `pages.Source`."""
    if request.filters is not None and request.filters.name is not None and not request.filters.name.in_:
        return [], None  # on the wire an empty list of names selects every run
    asked = {"cursor": cursor, "limit": limit} if cursor is not None else {"limit": limit}
    request = request.model_copy(update=given(asked))
    page: RunsPageFields | DetailedRunsPageFields
    if details:
        page = (await client.get_runs_paginated_with_details(request)).get_runs_paginated
    else:
        page = (await client.get_runs_paginated(request)).get_runs_paginated
    return [run_of(each) for each in page.runs], page.cursor if page.has_next_page else None


@mutation
def start_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Start a run that has ended, as a new attempt from the beginning.

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
    return _single(partial(_start, mapi()), name_of(run))


@mutation
def start_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Start several runs that have ended; see `start_run`. An empty list starts none.

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
        reason: Why; others read it in `Run.reason`.

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
    return _single(partial(_stop, mapi(), reason), name_of(run))


@mutation
def stop_runs(
    runs: Iterable[str | Named],
    *,
    reason: str | None = None,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Stop several runs; see `stop_run`. An empty list stops none.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> runs = [mcli.create_run(nap), mcli.create_run(nap)]
    >>> len(mcli.stop_runs(runs))
    2
    """
    return _stop(mapi(), reason, names_of(runs))


async def _stop(client: Mapi, reason: str | None, names: list[str]) -> ObjectList[Run]:
    if not names:
        return _runs([])
    why = UNSET if reason is None else StopRunsInput(reason=reason)
    return _runs((await client.stop_runs(_select(names), why)).stop_runs)


@mutation
def delete_run(
    run: str | Named, *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, Run]:
    """Delete a run and its logs; one that is active is stopped first.

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
    return _single(partial(_delete, mapi()), name_of(run))


@mutation
def delete_runs(
    runs: Iterable[str | Named], *, timeout: float | None = 10, future: Literal[False] = False
) -> Coroutine[Any, Any, ObjectList[Run]]:
    """Delete several runs; see `delete_run`. An empty list deletes none.

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
        update_run_data: Deprecated: the same settings in a dictionary, by their names on the wire.
        preemptible: Whether runs of higher priority may stop the run and queue it again.
        priority: `auto`, `low` or `lowest`.
        max_retries: How often the platform tries the run again when it fails.
        retry_on_system_failure: Whether a failure of the platform itself, e.g. of a node, is tried again.
        max_duration: Hours after which the platform stops the run.

    Raises:
        MAPIException: There is no such run (404), or it cannot be changed.

    >>> import mcli
    >>> nap = mcli.RunConfig(name="nap", image="bash", command="sleep 60", compute={"gpus": 0})
    >>> run = mcli.create_run(nap)
    >>> mcli.update_run(run, max_duration=1.5).max_duration
    1.5
    >>> run = mcli.stop_run(run)
    """
    changes = given(
        {
            "preemptible": preemptible,
            "priority": priority,
            "max_retries": max_retries,
            "retry_on_system_failure": retry_on_system_failure,
            "max_duration_seconds": None if max_duration is None else _seconds(max_duration),
        }
    )
    if update_run_data is not None:
        warn("update_run_data is deprecated: give the settings by their names.", DeprecationWarning)
        changes = {**update_run_data, **changes}
    try:
        update = UpdateRunInput(**changes)
    except ValueError as e:
        raise ValueError(f"update_run cannot send these settings: {e}") from None
    return _updated(mapi(), name_of(run), update)


async def _updated(client: Mapi, name: str, update: UpdateRunInput) -> Run:
    return _one(_runs((await client.update_run(_select([name]), update)).update_run), name)


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

    The dictionary is read at the call. Values that JSON does not know are left out with a warning; NaN and infinities
    are sent as their names.

    Args:
        protect: Whether SIGTERM waits for the call, 5 seconds at most, before its previous handler runs.

    Returns:
        The run, with details.

    Raises:
        MAPIException: There is no such run (404), or the metadata passes the platform's limits (400).

    >>> import mcli
    >>> run = mcli.create_run(mcli.RunConfig(name="notes", image="bash", command="true", compute={"gpus": 0}))
    >>> mcli.update_run_metadata(run, {"loss": 0.1, "best": float("inf")}).metadata
    {'loss': 0.1, 'best': 'Infinity'}
    """
    sent = UpdateRunMetadataInput(metadata=sanitize_metadata(metadata))
    return _described(mapi(), name_of(run), sent)


async def _described(client: Mapi, name: str, sent: UpdateRunMetadataInput) -> Run:
    return _one(_runs((await client.update_run_metadata(_select([name]), sent)).update_run_metadata), name)


def _run_input(config: RunConfig) -> RunInput:
    return RunInput(**to_wire(_checked(config)))


def _checked(config: RunConfig) -> RunConfig:
    if not isinstance(config, RunConfig):
        raise TypeError(f"a RunConfig is needed, not {type(config).__name__}")
    return config


def _select(names: list[str]) -> GetRunsInput:
    return GetRunsInput(filters=named(names))


def _sole(created: list[DetailedRunFields]) -> Run:
    if not created:
        raise MAPIException(500, "The platform answered without the run that it was to create.")
    return run_of(created[0])


def _runs(found: Iterable[RunFields]) -> ObjectList[Run]:
    return ObjectList([run_of(each) for each in found], Run)


async def _single(change: Callable[[list[str]], Coroutine[Any, Any, ObjectList[Run]]], name: str) -> Run:
    return _one(await change([name]), name)


def _one(runs: list[Run], name: str) -> Run:
    if not runs:
        text = f"Run {name!r} not found"
        raise MAPIException(404, text, "Deleted runs are listed with include_deleted=True.")
    return runs[0]


def _seconds(hours: float) -> int:
    if not math.isfinite(hours):
        raise ValueError(f"max_duration={hours!r} is no number of hours")
    # 115 seconds are 0.03194… hours, which are 114.999… seconds.
    return int(hours * 3600 + 1e-6)
