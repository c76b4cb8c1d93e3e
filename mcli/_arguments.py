"""Arguments that several verbs share, checked and brought into the form of the wire.

Each check takes the name of the parameter first, and names it where the value is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from numbers import Integral, Real
from typing import Any, Protocol, TypeVar

from mcli._spelling import is_text, kind_of, nearest, shown

__all__ = [
    "Named",
    "flag",
    "given",
    "listed",
    "member",
    "members",
    "name_of",
    "names_of",
    "number",
    "seconds",
    "text",
    "texts",
    "time_text",
    "whole",
]

E = TypeVar("E", bound=Enum)


class Named(Protocol):
    """An object that is known by its name, such as a run or a cluster."""

    @property
    def name(self) -> str:
        """The name."""
        ...


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given."""
    return {name: value for name, value in settings.items() if value is not None}


def name_of(thing: str | Named, what: str = "run", parameter: str | None = None) -> str:
    """Return the name of an object, or the name itself.

    Args:
        thing: The object or its name.
        what: Kind of object, for messages.
        parameter: Name of the parameter, where it is not that of the kind.

    Raises:
        TypeError: It is neither.
        ValueError: The name is empty, or cannot be sent.
    """
    parameter = parameter or what.replace(" ", "_")
    name = thing if isinstance(thing, str) else getattr(thing, "name", None)
    if not isinstance(name, str) or isinstance(thing, type):
        raise TypeError(f"{parameter} must be a {what} or the name of one, not {kind_of(thing)}")
    if not name:
        raise ValueError(f"{parameter} must not be empty: it names a {what}")
    return text(parameter, name)


def names_of(things: Iterable[str | Named], what: str = "run", parameter: str | None = None) -> list[str]:
    """Return the names of several objects, each once, in their order.

    Raises:
        TypeError: This is not a list of objects or names.
        ValueError: A name is empty, or cannot be sent.
    """
    parameter = parameter or f"{what.replace(' ', '_')}s"
    found = _listed(parameter, things, f"a list of {what}s or of their names")
    return list(dict.fromkeys(name_of(each, what, f"{parameter}[{at}]") for at, each in enumerate(found)))


def listed(parameter: str, values: object) -> list[Any]:
    """Return what an argument lists; a text, a mapping or bytes are not lists.

    Raises:
        TypeError: It is not a list.
    """
    return _listed(parameter, values, "a list")


def _listed(parameter: str, values: object, expected: str) -> list[Any]:
    if isinstance(values, str | bytes | Mapping | type) or not isinstance(values, Iterable):
        raise TypeError(f"{parameter} must be {expected}, not {kind_of(values)}")
    return list(values)


def text(parameter: str, value: object) -> str:
    """Return a text, as plain `str`.

    Raises:
        TypeError: It is not a text.
        ValueError: It cannot be sent.
    """
    if not isinstance(value, str):
        raise TypeError(f"{parameter} must be a text, not {shown(value)}")
    if not is_text(value):
        raise ValueError(f"{parameter} must be Unicode text, not {value!r}, which has half a character")
    return str.__str__(value)  # an enum of texts would give its name


def texts(parameter: str, values: object) -> list[str]:
    """Return a list of texts.

    Raises:
        TypeError: It is not one.
        ValueError: A text cannot be sent.
    """
    return [text(f"{parameter}[{at}]", each) for at, each in enumerate(listed(parameter, values))]


def flag(parameter: str, value: object) -> bool:
    """Return true or false; numpy's are taken too.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, bool) and type(value).__name__ not in {"bool", "bool_"}:
        raise TypeError(f"{parameter} must be true or false, not {shown(value)}")
    return bool(value)


def whole(parameter: str, value: object, least: int = 0, unit: str = "") -> int:
    """Return a whole number; those of numpy are taken too, and floats that are whole.

    Args:
        parameter: Name of the parameter.
        value: The number.
        least: The smallest one that makes sense.
        unit: What is counted, for messages.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not whole, or too small.
    """
    found = number(parameter, value, unit)
    if found != int(found) or found < least:
        counted = f"a whole number of {unit}" if unit else "a whole number"
        raise ValueError(f"{parameter} must be {counted}, {least} or more, not {shown(value)}")
    return int(found)


def number(parameter: str, value: object, unit: str = "") -> float:
    """Return a finite number; those of numpy are taken too, true and false are not.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite.
    """
    expected = f"a number of {unit}" if unit else "a number"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{parameter} must be {expected}, not {shown(value)}")
    plain = int(value) if isinstance(value, Integral) else float(value)
    if not math.isfinite(plain):
        raise ValueError(f"{parameter} must be {expected}, not {shown(value)}")
    return plain


def seconds(parameter: str, value: object) -> float | None:
    """Return a time limit in seconds; None, and infinity, are no limit.

    Raises:
        TypeError: It is not a number.
        ValueError: It is less than 0, or not a number's value.
    """
    if value is None or value == math.inf:
        return None
    found = number(parameter, value, "seconds")
    if found < 0:
        raise ValueError(f"{parameter} must be a number of seconds, 0 or more, not {shown(value)}")
    return found


def member(kind: type[E], value: str | E, parameter: str) -> E:
    """Return an enumeration member, given as itself or as text in any letter case.

    Raises:
        TypeError: It is neither.
        ValueError: The text names no member; the message has the nearest.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{parameter} must be a {kind.__name__} or the name of one, not {kind_of(value)}")
    known = kind.__members__
    names = {name.upper(): name for name in known}
    name = names.get(value.upper())
    if name is None:
        near = nearest(value.upper(), names, likeness=0.6)
        hint = f"Did you mean {names[near]!r}?" if near else f"Choices: {', '.join(known)}."
        raise ValueError(f"{parameter} must be a {kind.__name__}, not {shown(value)}. {hint}")
    return known[name]


def members(kind: type[E], values: Iterable[str | E], parameter: str) -> list[E]:
    """Return enumeration members, given as themselves or as text in any letter case.

    Raises:
        TypeError: It is not a list of them.
        ValueError: A text names no member; the message has the nearest.
    """
    return [member(kind, each, f"{parameter}[{at}]") for at, each in enumerate(listed(parameter, values))]


def time_text(value: str | date, parameter: str) -> str:
    """Return a moment in ISO 8601; one without an offset is in local time, a day begins at its midnight.

    Times of pandas and numpy are taken too; digits below a microsecond are dropped.

    Raises:
        TypeError: It is neither a text nor a time.
        ValueError: A text does not say a time, or it is not one, as pandas' `NaT`.

    >>> time_text("2026-03-31T12:23:04Z", "before")[-6:-3].strip("+-").isdigit()
    True
    """
    try:
        return _moment(value).astimezone().isoformat()
    except (ValueError, OverflowError):
        pass
    except AttributeError:
        raise TypeError(f"{parameter} must be {_A_TIME}, not {kind_of(value)}") from None
    raise ValueError(f"{parameter} must be {_A_TIME}, not {shown(str(value))}")


_A_TIME = "a datetime, a date, or a text such as '2026-03-31T12:23:04+05:30'"


def _moment(value: Any) -> datetime:
    if type(value).__name__ == "datetime64":
        value = str(value)
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    # by way of text, because pandas' times have methods of their own
    return datetime.fromisoformat(value.isoformat()).replace(fold=getattr(value, "fold", 0))
