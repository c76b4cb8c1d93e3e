"""Names in Python's spelling, in the wire's, and in sentences."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["camel_case", "edit_distance", "is_text", "kind_of", "nearest", "shown", "snake_case"]


@lru_cache(maxsize=1024)
def camel_case(name: str) -> str:
    """Return a name as the wire spells it.

    >>> camel_case("retry_on_system_failure")
    'retryOnSystemFailure'
    """
    return re.sub(r"(?<=[a-zA-Z0-9])_([a-z])", lambda match: match[1].upper(), name)


@lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """Return a name as Python spells it.

    >>> snake_case("retryOnSystemFailure")
    'retry_on_system_failure'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def kind_of(value: object) -> str:
    """Name the type of a value that is wrong, and may be secret.

    >>> kind_of(7), kind_of("x"), kind_of(None)
    ('an int', 'a str', 'None')
    """
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def shown(value: object) -> str:
    """Show a value that is wrong and not secret: small ones as they are, of others the type.

    >>> shown("8x"), shown([1, 2]), shown(True)
    ("'8x'", 'a list', 'True')
    """
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 100 else f"{text[:97]}..."
    return kind_of(value)


def is_text(value: object) -> bool:
    """Tell whether a value is a text that can be sent: a lone surrogate has no form in UTF-8.

    >>> is_text("é"), is_text("\\ud800"), is_text(b"x")
    (True, False, False)
    """
    return isinstance(value, str) and (value.isascii() or not re.search("[\ud800-\udfff]", value))


def nearest(text: str, names: Iterable[str], likeness: float = 0.7) -> str | None:
    """Return the name that was probably meant by a misspelt one.

    >>> nearest("schudling", ["name", "scheduling"])
    'scheduling'
    """
    close = difflib.get_close_matches(text, list(names), n=1, cutoff=likeness)
    return close[0] if close else None


def edit_distance(one: str, other: str) -> int:
    """Count the letters to insert, delete or replace that make one word the other.

    >>> edit_distance("lowset", "lowest"), edit_distance("hgh", "high")
    (2, 1)
    """
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, other_letter in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other_letter)))
    return row[-1]
