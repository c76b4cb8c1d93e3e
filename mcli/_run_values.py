"""Runs as the platform tells of them, read in one pass from bytes to values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mcli_mapi.fragments import (
    DetailedRunFields,
    FormattedRunEventFields,
    ResumptionFields,
    RunDetailsFields,
    RunFields,
    RunLifecycleFields,
    RunNodeFields,
)

from mcli._core.answers import read_as
from mcli._readers import At, converted, fields_of, listed, reader
from mcli._run_input import submitted_config
from mcli.enums import RunType
from mcli.exceptions import MAPIException
from mcli.run import Run
from mcli.run_details import FormattedRunEvent, Node, Resumption, RunLifecycle
from mcli.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import CoreSchema

__all__ = ["runs_of"]


def runs_of(answered: Iterable[RunFields]) -> list[Run]:
    """Return the runs of an answer; they were made while it was read."""
    return cast("list[Run]", answered)


def _hours(seconds: int | None) -> float | None:
    return seconds if seconds is None else seconds / 3600


def _run(details: dict[str, Any] | None = None, **found: Any) -> Run:
    """Make a run; with details where the platform told of them.

    Raises:
        MAPIException: The run came without a resumption; it has at least one.
    """
    if not found["resumptions"]:
        raise MAPIException(
            500, f"The platform sent run {found['name']!r} without a resumption; it has at least one."
        )
    latest: Resumption = found["resumptions"][-1]
    found["reason"] = latest.reason or found["reason"]
    return Run(
        cluster=latest.cluster,
        gpus=latest.gpus,
        gpu_type=latest.gpu_type,
        cpus=latest.cpus,
        node_count=latest.node_count,
        latest_resumption=latest,
        **found,
        **(details or {}),
    )


_STATUS = At("status", converted(RunStatus.from_string, str))
_NODE = reader(Node, RunNodeFields, "rank", "name", "reason", status=_STATUS)
_RESUMPTION = reader(
    Resumption,
    ResumptionFields,
    "gpus",
    "cpus",
    "gpu_type",
    "estimated_end_time",
    "reason",
    index=At("execution_index"),
    cluster=At("cluster_name"),
    node_count=At("nodes"),
    status=_STATUS,
    started_at=At("start_time"),
    ended_at=At("end_time"),
)
_SPAN = reader(
    RunLifecycle,
    RunLifecycleFields,
    "reason",
    resumption_index=At("execution_index"),
    status=_STATUS,
    started_at=At("start_time"),
    ended_at=At("end_time"),
)
_EVENT = reader(
    FormattedRunEvent,
    FormattedRunEventFields,
    "event_type",
    "event_time",
    "event_message",
    "resumption_index",
)
_DETAILS = fields_of(
    RunDetailsFields,
    "metadata",
    "image",
    nodes=At("nodes", listed(_NODE)),
    submitted_config=At("original_run_input", converted(submitted_config)),
    last_resumption_id=At("last_execution_id"),
    events=At("formatted_run_events", listed(_EVENT)),
    lifecycle=At("lifecycle", listed(_SPAN)),
)


def _reader(kind: type[RunFields], **more: At) -> CoreSchema:
    return reader(
        _run,
        kind,
        "name",
        "created_at",
        "updated_at",
        "priority",
        "preemptible",
        "retry_on_system_failure",
        "is_deleted",
        "max_retries",
        "reason",
        run_uid=At("id"),
        status=_STATUS,
        created_by=At("created_by_email"),
        run_type=At("run_type", converted(RunType.from_string, str)),
        resumptions=At("resumptions", listed(_RESUMPTION)),
        max_duration=At("max_duration_seconds", converted(_hours, int)),
        **more,
    )


read_as(RunFields, _reader(RunFields))
read_as(DetailedRunFields, _reader(DetailedRunFields, details=At("details", _DETAILS)))
