"""Names in Python's spelling, in the wire's, and in sentences."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["camel_case", "kind_of", "snake_case"]


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
