"""What can be stored and answered: numbers of the schema's size, texts that are UTF-8, JSON that is not too deep."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEEPEST", "LARGEST_INT", "given", "is_text", "is_true", "load_json", "to_text"]

LARGEST_INT = 2**31 - 1
"""The largest `Int` of GraphQL."""

DEEPEST = 64
"""Levels of objects and lists, one inside the other."""

_DEEP = re.compile(rf"[\]}}]{{{DEEPEST}}}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None: clients cannot read some nulls, and null means the same as nothing.

    >>> given({"a": 0, "b": None})
    {'a': 0}
    """
    return {key: value for key, value in values.items() if value is not None}


def is_text(value: str) -> bool:
    """Tell whether a text can be written as UTF-8, which one with half of a surrogate pair cannot.

    >>> is_text("é"), is_text("\\ud800")
    (True, False)
    """
    return value.isascii() or _SURROGATE.search(value) is None


def to_text(value: str) -> str:
    """Return a text with U+FFFD in place of each half of a surrogate pair.

    >>> to_text("a\\ud800b")
    'a\ufffdb'
    """
    return value if is_text(value) else _SURROGATE.sub("\ufffd", value)


def load_json(document: str) -> Any:
    """Read what was stored, also by versions that stored what could not be answered.

    Numbers that are not finite become the texts `NaN`, `Infinity`, `-Infinity`, halves of surrogate pairs become
    U+FFFD, and what is nested too deep becomes None.

    >>> load_json('{"loss": NaN, "text": "\\\\ud800"}')
    {'loss': 'NaN', 'text': '\ufffd'}
    """
    value = json.loads(document, parse_constant=str)
    return _prune(value) if r"\ud" in document or _DEEP.search(document) else value


def _prune(value: Any, levels: int = 2 * DEEPEST) -> Any:
    match value:
        case str():
            return to_text(value)
        case dict() | list() if not levels:
            return None
        case dict():
            return {_prune(key): _prune(each, levels - 1) for key, each in value.items()}
        case list():
            return [_prune(each, levels - 1) for each in value]
    return value


def is_true(value: object) -> bool:
    """Read a switch that may be a text: `False`, `"False"` and `"0"` are off.

    >>> is_true("False"), is_true(None), is_true("true"), is_true(True)
    (False, False, True, True)
    """
    return str(value).lower() not in {"false", "0", "no", "none", ""}
