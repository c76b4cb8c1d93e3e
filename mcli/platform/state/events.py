"""Events of a run: the platform's own, and those that training code reports through the run's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "COMPLETED",
    "REWRITTEN",
    "STOPPED_BY_USER",
    "Event",
    "duration_reason",
    "event",
    "exit_reason",
    "from_metadata",
    "node_lost_reason",
    "preempted_reason",
    "readable",
]

COMPLETED = "Run completed successfully"
"""The reason of a run that completed."""

STOPPED_BY_USER = "Stopped by user"

_NEWER_TYPES = {"TRAIN_STARTED", "CHECKPOINT_SAVED", "REQUEUED"}
"""Types that clients before 0.6.42 do not know, and whose answer as a whole they then cannot read."""

_KNOWING = (0, 6, 42)

REWRITTEN = "TRAIN_UPDATED"
"""The type of which a resumption keeps only the latest event."""

_MESSAGES = {
    "CREATED": "Run created.",
    "CHECK_PASSED": "Credentials check passed.",
    "STARTED": "Run started.",
    "DATA_VALIDATED": "Training data validated.",
    "MODEL_INITIALIZED": "Model initialized.",
    "TRAIN_STARTED": "Training started.",
    "CHECKPOINT_SAVED": "Checkpoint uploaded.",
    "TRAIN_FINISHED": "Training finished.",
    "REQUEUED": "Run requeued.",
}

_MARKS = {
    "mosaicml/data_validated": "DATA_VALIDATED",
    "mosaicml/model_initialized_time": "MODEL_INITIALIZED",
    "mosaicml/checkpoint_resumed_path": "MODEL_INITIALIZED",
    "mosaicml/train_started_time": "TRAIN_STARTED",
    "mosaicml/checkpoint_uploaded_time": "CHECKPOINT_SAVED",
    "mosaicml/train_finished_time": "TRAIN_FINISHED",
}
"""Metadata keys that a training framework sets when it gets so far: to a unix time in seconds, or a text."""

_PROGRESS = ("mosaicml/training_progress", "mosaicml/training_sub_progress")
_EXCEPTION = "mosaicml/exception"


@dataclass(frozen=True)
class Event:
    """Something that happened to a run."""

    type: str
    time: datetime
    message: str


def event(kind: str, now: datetime, message: str | None = None) -> Event:
    """Make an event of the platform, with its usual message unless another is given.

    >>> event("STARTED", datetime(2024, 1, 1, tzinfo=UTC)).message
    'Run started.'
    """
    return Event(kind, now, message if message is not None else _MESSAGES.get(kind, ""))


def from_metadata(old: Mapping[str, Any], new: Mapping[str, Any], now: datetime) -> list[Event]:
    """Return the events that an update of the metadata stands for, oldest first.

    Args:
        old: The metadata before the update.
        new: The keys of the update; those that only repeat what was there make no event.
        now: The moment of events whose key does not hold a time.
    """
    changed = {key: value for key, value in new.items() if key not in old or old[key] != value}
    marks = {kind: changed[key] for key, kind in _MARKS.items() if changed.get(key) is not None}
    events = [event(kind, _time(value, now)) for kind, value in marks.items()]
    if any(key in changed for key in _PROGRESS):
        events += _progress({**old, **new}, now)
    if isinstance(changed.get(_EXCEPTION), Mapping):
        events.append(Event("FAILED_EXCEPTION", now, _exception(changed[_EXCEPTION])))
    return sorted(events, key=lambda each: each.time)


def readable(shown: Sequence[Mapping[str, Any]], version: str | None) -> list[Mapping[str, Any]]:
    """Return those events of a run, in the wire's form, that a client of a version can read.

    Args:
        shown: The events, each with its `eventType`.
        version: What the client says of itself; None when it says nothing.
    """
    numbers = tuple(map(int, re.findall(r"\d+", version or "")))
    return [each for each in shown if numbers >= _KNOWING or each["eventType"] not in _NEWER_TYPES]


def _time(value: object, now: datetime) -> datetime:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return now
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return now


def _progress(metadata: Mapping[str, Any], now: datetime) -> list[Event]:
    text = " ".join(str(metadata[key]) for key in _PROGRESS if metadata.get(key))
    return [Event(REWRITTEN, now, text)] if text else []


def _exception(reported: Mapping[str, Any]) -> str:
    return ": ".join(str(reported[key]) for key in ("class", "message") if reported.get(key)) or "Exception"


def exit_reason(status: int, detail: str = "", *, out_of_memory: bool = False) -> str:
    """Return the reason of a node that failed.

    >>> exit_reason(127)
    'Exit code: 127. Reason: Error'
    >>> exit_reason(137, "killed by SIGKILL")
    'Exit code: 137. Reason: Error (killed by SIGKILL)'
    """
    cause = "OOMKilled" if out_of_memory else f"Error ({detail})" if detail else "Error"
    return f"Exit code: {status}. Reason: {cause}"


def duration_reason(seconds: float) -> str:
    """Return the reason of a run whose time is over.

    >>> duration_reason(5400)
    'Maximum duration of 1.5 hours reached'
    """
    return f"Maximum duration of {seconds / 3600:g} hours reached"


def preempted_reason(beneficiary: str) -> str:
    """Return the reason of a run that made room for another."""
    return f"Preempted by {beneficiary}"


def node_lost_reason(node: str) -> str:
    """Return the reason of a node that went away."""
    return f"Node {node} lost"
