"""Python values that travel as JSON: metadata, and the parameters of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from mcli._spelling import kind_of
from mcli._warnings import warn
from mcli.exceptions import ValidationError

__all__ = ["json_value", "refuse", "sanitize_metadata"]


def sanitize_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as it can be sent: a copy in which NaN and the infinities are texts.

    An entry that JSON has no form for is left out, with a warning: a training run must not end for that.

    Raises:
        ValidationError: It is no mapping.

    >>> sanitize_metadata({"loss": float("nan"), "history": [1.5, float("-inf")]})
    {'loss': 'NaN', 'history': [1.5, '-Infinity']}
    """
    if not isinstance(metadata, Mapping):
        raise ValidationError(f"metadata is a mapping, not {kind_of(metadata)}")
    sanitized = {}
    for key, value in metadata.items():
        try:
            sanitized[_json_key(key)] = json_value(value)
        except (TypeError, RecursionError) as error:
            warn(f"metadata[{key!r}] is not sent: {error}")
    return sanitized


def refuse(value: object) -> object:
    """Raise: JSON has no form for this value."""
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


def json_value(value: object, convert: Callable[[object], object] = refuse) -> Any:
    """Return a copy of the value of JSON's types; NaN and the infinities become texts.

    Args:
        value: What is to be copied.
        convert: Gives something else for a value that is of none of these types, or raises TypeError.

    Raises:
        TypeError: JSON has no form for it.
        RecursionError: It holds itself.
    """
    if isinstance(value, str):
        return str.__str__(value)  # an enum of texts would give its name
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _float_text(value)
    if isinstance(value, Mapping):
        return {_json_key(key): json_value(inner, convert) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner, convert) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else json_value(convert(value), convert)


def _json_key(key: object) -> str:
    """Give the text that `json.dumps` makes of a key."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, float) and not math.isfinite(key):
        return _float_text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(key)
    raise TypeError(f"JSON has no form for a key that is a {type(key).__name__}")


def _float_text(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
