"""Python values that travel as JSON: metadata, and the parameters of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import Enum
from typing import Any

from mcli._spelling import is_text, kind_of

__all__ = ["json_faults", "json_key", "json_value", "plain", "refuse"]


def refuse(value: object) -> object:
    """Raise: JSON has no form for this value."""
    raise TypeError(f"JSON has no form for {kind_of(value)}")


def json_value(value: object, convert: Callable[[object], object] = refuse) -> Any:
    """Return a copy of the value of JSON's types; NaN and the infinities become texts.

    Args:
        value: What is to be copied.
        convert: Return something else for a value that is of none of these types, or raise TypeError.

    Raises:
        TypeError: JSON has no form for it.
        RecursionError: It holds itself.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _float_text(value)
    if isinstance(value, Mapping):
        return {json_key(key): json_value(inner, convert) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner, convert) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else json_value(convert(value), convert)


def json_key(key: object) -> str:
    """Return the text that `json.dumps` makes of a key.

    Raises:
        TypeError: JSON has no form for it.
    """
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, float) and not math.isfinite(key):
        return _float_text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(key)
    raise TypeError(f"JSON has no form for a key that is {kind_of(key)}")


def _text(value: str) -> str:
    if not is_text(value):
        raise TypeError("JSON has no form for a text with half a character (a lone surrogate)")
    return str.__str__(value)  # an enum of texts would give its name


def _float_text(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


def plain(value: object) -> object:
    """Return what stands for a value of YAML or of Python that JSON does not know.

    Raises:
        TypeError: Nothing does.
    """
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return refuse(value)


def json_faults(value: object) -> list[tuple[tuple[str | int, ...], str]]:
    """Find what keeps a value from being sent, with the keys that lead to it.

    >>> json_faults({"a": [1, {2}]})
    [(('a', 1), 'JSON has no form for a set')]
    """
    try:
        return list(_faults(value, ()))
    except RecursionError:
        return [((), "it holds itself, or is too deep")]


def _faults(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _fault(path, json_key, key)
            yield from _faults(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _faults(inner, (*path, number))
    else:
        yield from _fault(path, json_value, value, plain)


def _fault(
    path: tuple[str | int, ...], convert: Callable[..., object], *value: object
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        convert(*value)
    except TypeError as error:
        yield path, str(error)
