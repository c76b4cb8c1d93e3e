"""Arguments that several verbs share, checked and brought into the form of the wire."""

from __future__ import annotations

import difflib
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Named", "given", "member", "members", "name_of", "names_of", "time_text"]

E = TypeVar("E", bound=Enum)


class Named(Protocol):
    """An object that is known by its name, such as a run or a cluster."""

    @property
    def name(self) -> str:
        """The name."""
        ...


def name_of(thing: str | Named, what: str = "run") -> str:
    """Return the name of an object, or the name itself.

    Raises:
        TypeError: It is neither.
        ValueError: The name is empty.
    """
    name = thing if isinstance(thing, str) else getattr(thing, "name", None)
    if not isinstance(name, str):
        raise TypeError(f"a {what} or its name is needed, not {type(thing).__name__}")
    if not name:
        raise ValueError(f"the name of the {what} is empty")
    return name


def names_of(things: Iterable[str | Named], what: str = "run") -> list[str]:
    """Return the names of several objects, each once, in their order.

    Raises:
        TypeError: This is no list of objects or names.
    """
    if isinstance(things, str) or not hasattr(things, "__iter__"):
        raise TypeError(f"a list of {what}s or of their names is needed, not {type(things).__name__}")
    return list(dict.fromkeys(name_of(thing, what) for thing in things))


def member(kind: type[E], value: str | E, what: str) -> E:
    """Return an enumeration member, given as itself or as text in any letter case.

    Raises:
        ValueError: The text names no member; the message has the nearest.
    """
    if isinstance(value, kind):
        return value
    known = kind.__members__
    text = value.upper() if isinstance(value, str) else ""
    if text not in known:
        near = difflib.get_close_matches(text, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Choices: {', '.join(known)}."
        raise ValueError(f"{what}: {value!r} is no {kind.__name__}.{hint}")
    return known[text]


def members(kind: type[E], values: Iterable[str | E], what: str) -> list[E]:
    """Return enumeration members, given as themselves or as text in any letter case.

    Raises:
        ValueError: A text names no member; the message has the nearest.
    """
    if isinstance(values, str):
        raise TypeError(f"{what} is a list, not a text")
    return [member(kind, value, what) for value in values]


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given."""
    return {name: value for name, value in settings.items() if value is not None}


def time_text(value: str | datetime, what: str) -> str:
    """Return a moment in ISO 8601; one without an offset is in local time.

    Raises:
        ValueError: A text is no time.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone().isoformat()
    except (ValueError, AttributeError, OverflowError):
        raise ValueError(
            f"{what}={value!r} is no time: a datetime, or a text such as '2026-03-31T12:23:04+05:30', is needed"
        ) from None
