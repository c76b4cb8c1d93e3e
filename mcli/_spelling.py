"""Names in Python's spelling and in the wire's."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["camel_case", "snake_case"]


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
