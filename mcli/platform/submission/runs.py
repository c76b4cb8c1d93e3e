"""What people can do to runs. Each function is one step of a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import format_time, parse_time
from mcli.platform.errors import RequestError
from mcli.platform.scheduling.demand import resolve
from mcli.platform.scheduling.priorities import priority
from mcli.platform.state import records, removals
from mcli.platform.state.events import REWRITTEN, STOPPED_BY_USER, event, from_metadata
from mcli.platform.state.records import Run
from mcli.platform.state.selection import is_taken
from mcli.platform.state.status import LIVE, TERMINAL, WAITING, Status
from mcli.platform.submission.checks import (
    MOST_HOURS,
    SECONDS_PER_HOUR,
    check_run,
    interactive,
    merge_metadata,
    run_name,
)
from mcli.platform.values import given

if TYPE_CHECKING:
    from mcli.platform.scheduling.cluster import Machines
    from mcli.platform.state.store import Transaction
    from mcli.platform.state.users import User

__all__ = [
    "add_reported_event",
    "create",
    "create_interactive",
    "delete",
    "note",
    "start",
    "stop",
    "submit",
    "update",
    "update_metadata",
]

_HERO = "is_hero_run"
_READABLE = {
    "CREATED",
    "CHECK_PASSED",
    "CHECK_FAILED",
    "STARTED",
    "DATA_VALIDATED",
    "MODEL_INITIALIZED",
    "TRAIN_UPDATED",
    "TRAIN_FINISHED",
    "COMPLETED",
    "STOPPED",
    "CANCELED",
    "FAILED",
    "FAILED_EXCEPTION",
}
"""Event types of clients of all versions; 0.6.36 cannot read a run that has any other."""


def create(
    transaction: Transaction,
    user: User,
    run_input: Mapping[str, Any],
    cluster: Machines,
    notes: Mapping[str, Any] | None = None,
) -> Run:
    """Submit a training run; `notes` of the platform are added to its metadata.

    Raises:
        RequestError: 400 when it cannot ever run.
    """
    sent = given(run_input)
    check_run(sent)
    hero = (sent.get("metadata") or {}).get(_HERO)
    executed = {**sent, "metadata": {**(sent.get("metadata") or {}), **notes}} if notes else sent
    return submit(transaction, user, sent, executed, cluster, run_type="HERO_RUN" if hero else "TRAINING")


def create_interactive(
    transaction: Transaction,
    user: User,
    data: Mapping[str, Any],
    cluster: Machines,
    notes: Mapping[str, Any] | None = None,
) -> Run:
    """Submit a run that only waits, for an hour unless `seconds` says otherwise."""
    sent = given(data["runInput"])
    executed, seconds = interactive(sent, data.get("seconds"))
    check_run(executed)
    if notes:
        executed["metadata"] = {**(executed.get("metadata") or {}), **notes}
    executed["scheduling"] = {**(executed.get("scheduling") or {}), "maxDuration": seconds / SECONDS_PER_HOUR}
    return submit(transaction, user, sent, executed, cluster, run_type="INTERACTIVE")


def submit(
    transaction: Transaction,
    user: User,
    submitted: Mapping[str, Any],
    executed: Mapping[str, Any],
    cluster: Machines,
    *,
    run_type: str,
    name: str | None = None,
) -> Run:
    """Store a run that was checked; it is PENDING then. Without a `name` the stem gets a suffix."""
    scheduling = executed.get("scheduling") or {}
    hours = scheduling.get("maxDuration")
    watchdog = scheduling.get("retryOnSystemFailure", scheduling.get("watchdogEnabled"))
    run = Run(
        id=str(uuid.uuid4()),
        name=name
        or run_name(executed["runName"], lambda name: is_taken(transaction.db, name), SystemRandom()),
        owner=user.id,
        run_type=run_type,
        submitted=dict(submitted),
        executed=dict(executed),
        demand=resolve(executed, cluster),
        created_at=transaction.now,
        updated_at=transaction.now,
        priority=priority(scheduling.get("priority")),
        preemptible=bool(scheduling.get("preemptible")),
        max_retries=scheduling.get("maxRetries") or 0,
        retry_on_system_failure=bool(watchdog),
        max_duration_seconds=None if hours is None else max(1, round(hours * SECONDS_PER_HOUR)),
        metadata=dict(executed.get("metadata") or {}),
    )
    run.resume(transaction)
    note(run, transaction, "CREATED")
    records.insert(transaction, run)
    return run


def stop(transaction: Transaction, run: Run, reason: str | None) -> None:
    """Stop a run: one that waits is STOPPED at once, one that has ended stays as it is.

    What was asked for before, that it starts again once it has ended, no longer holds.
    """
    reason = reason or STOPPED_BY_USER
    if run.status in WAITING:
        run.end(transaction, Status.STOPPED, reason)
    elif run.status in LIVE:
        run.start_wanted = False
        if (run.stopping or {}).get("kind") != "user":
            run.stopping = {"kind": "user", "reason": reason}
            run.terminate(transaction)
    else:
        return
    records.save(transaction, run)


def start(transaction: Transaction, run: Run) -> None:
    """Begin the next resumption of a run that has ended, or once it has if it is ending; else change nothing."""
    if run.status in TERMINAL:
        run.start(transaction)
        records.save(transaction, run)
    elif run.status == Status.TERMINATING and not run.start_wanted:
        run.start_wanted = True
        records.save(transaction, run)


def delete(transaction: Transaction, run: Run) -> None:
    """Mark a run as deleted; one that has not ended is stopped first. Its files go later."""
    run.is_deleted = True
    stop(transaction, run, "Deleted by user")
    records.save(transaction, run)
    removals.add(transaction, run.id)


def update(transaction: Transaction, run: Run, data: Mapping[str, Any]) -> None:
    """Change the given settings of a run."""
    new = given(data)
    if new.get("maxRetries", 0) < 0:
        raise RequestError(400, f"max_retries must be 0 or more, not {new['maxRetries']}.")
    if (seconds := new.get("maxDurationSeconds", 1)) <= 0:
        hours = f"more than 0 and at most {MOST_HOURS} hours, not {seconds / SECONDS_PER_HOUR:g}"
        raise RequestError(400, f"max_duration must be {hours}.")
    run.preemptible = new.get("preemptible", run.preemptible)
    run.priority = priority(new["priority"]) if "priority" in new else run.priority
    run.max_retries = new.get("maxRetries", run.max_retries)
    run.retry_on_system_failure = new.get("retryOnSystemFailure", run.retry_on_system_failure)
    run.max_duration_seconds = new.get("maxDurationSeconds", run.max_duration_seconds)
    if run.status in LIVE:
        run.limit()
    run.publish(transaction)
    records.save(transaction, run)


def update_metadata(transaction: Transaction, run: Run, new: Mapping[str, Any]) -> None:
    """Merge keys into the metadata of a run, and note the events that they stand for.

    Raises:
        RequestError: 400 for what is not an object, or over the limits.
    """
    if not isinstance(new, Mapping):
        raise RequestError(400, "metadata must be an object.")
    merged = merge_metadata(run.metadata, new)
    for seen in from_metadata(run.metadata, new, parse_time(transaction.now)):
        if seen.type == REWRITTEN:
            run.events = [
                known
                for known in run.events
                if known["eventType"] != REWRITTEN or known["resumptionIndex"] != run.index
            ]
        run.add_event(seen.type, format_time(seen.time), seen.message)
    run.metadata = merged
    records.save(transaction, run)


def note(run: Run, transaction: Transaction, kind: str, message: str | None = None) -> None:
    """Note an event of the platform, with its usual text unless another is given."""
    known = event(kind, parse_time(transaction.now), message)
    run.add_event(kind, transaction.now, known.message)


def add_reported_event(transaction: Transaction, run: Run, kind: str, data: object) -> None:
    """Show an event that code inside the run reported, if it is of a type that every client can read."""
    if kind in _READABLE:
        message = data.get("message") if isinstance(data, Mapping) else None
        run.add_event(kind, transaction.now, str(message or ""))
    records.save(transaction, run)
