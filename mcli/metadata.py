"""Metadata of runs, as it can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcli._json import json_key, json_value
from mcli._spelling import kind_of
from mcli._warnings import warn
from mcli.exceptions import ValidationError

__all__ = ["sanitize_metadata"]


def sanitize_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as it can be sent: a copy in which NaN and the infinities are texts.

    An entry that JSON has no form for is left out, with a warning: a training run must not end for that.

    Args:
        metadata: The entries by their names.

    Raises:
        ValidationError: It is not a mapping.

    >>> sanitize_metadata({"loss": float("nan"), "history": [1.5, float("-inf")]})
    {'loss': 'NaN', 'history': [1.5, '-Infinity']}
    """
    if not isinstance(metadata, Mapping):
        raise ValidationError(f"metadata must be a mapping of names to values, not {kind_of(metadata)}")
    sanitized = {}
    for key, value in metadata.items():
        try:
            sanitized[json_key(key)] = json_value(value)
        except (TypeError, RecursionError) as error:
            warn(f"metadata[{key!r}] is not sent: {error}")
    return sanitized
