"""The settings of a run that can be changed, in the form of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcli_mapi.input_types import UpdateRunInput

from mcli._arguments import flag, given, number, text, whole
from mcli._run_names import is_priority, meant_priority
from mcli._run_sections import LONGEST_HOURS
from mcli._spelling import camel_case, kind_of, nearest, shown
from mcli._warnings import warn
from mcli.exceptions import ValidationError

__all__ = ["update_input"]

_NAMES = (
    "preemptible",
    "priority",
    "max_retries",
    "retry_on_system_failure",
    "max_duration",
    "max_duration_seconds",
)
_NAME_OF = {spelling: name for name in _NAMES for spelling in (name, camel_case(name))}
"""Names of settings in Python, by either spelling."""


def update_input(settings: Mapping[str, Any], older: object = None) -> UpdateRunInput:
    """Return the changes of a run; what is None is not changed.

    Args:
        settings: The changes by the names of the parameters.
        older: The same in a dictionary, in either spelling; `settings` go before it.

    Raises:
        TypeError: A value has a wrong type.
        ValueError: A value makes no sense, a priority is misspelt, or a setting is unknown.
    """
    changes = _read(older) | {name: (name, value) for name, value in given(settings).items()}
    sent: dict[str, Any] = {name: _CHECKS[name](*change) for name, change in changes.items()}
    hours = sent.pop("max_duration", None)
    return UpdateRunInput(**sent if hours is None else {**sent, "max_duration_seconds": hours})


def _read(older: object) -> dict[str, tuple[str, Any]]:
    """Return the values by the names of their settings, each with what messages call it."""
    if older is None:
        return {}
    if not isinstance(older, Mapping):
        raise TypeError(f"update_run_data must be a mapping of settings, not {kind_of(older)}")
    for key in older:
        if key not in _NAME_OF:
            meant = nearest(str(key), _NAME_OF)
            hint = f"did you mean {meant!r}?" if meant else f"settings are {', '.join(_NAMES)}"
            raise ValidationError(f"update_run_data has the unknown setting {key!r}; {hint}")
    return {
        _NAME_OF[key]: (f"update_run_data[{key!r}]", value)
        for key, value in older.items()
        if value is not None
    }


def _priority(parameter: str, value: object) -> str:
    priority = text(parameter, value)
    if meant := meant_priority(priority):
        raise ValidationError(f"{parameter} has the unknown value {priority!r}; did you mean {meant!r}?")
    if not is_priority(priority):
        warn(f"{parameter} has the unknown value {priority!r}; it is sent")
    return priority


def _seconds(parameter: str, value: object) -> int:
    hours = number(parameter, value, "hours")
    if not 0 <= hours <= LONGEST_HOURS:
        most = f"0 or more and at most {LONGEST_HOURS}"
        raise ValidationError(f"{parameter} must be a number of hours, {most}, not {shown(value)}")
    # 115 seconds are 0.03194… hours, which are 114.999… seconds.
    return int(hours * 3600 + 1e-6)


_CHECKS = {
    "preemptible": flag,
    "priority": _priority,
    "max_retries": whole,
    "retry_on_system_failure": flag,
    "max_duration": _seconds,
    "max_duration_seconds": whole,
}
