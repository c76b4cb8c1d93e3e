"""Everything that can be wrong with a run configuration, whatever the platform. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mcli._json import json_faults
from mcli._problems import Problem, dotted
from mcli._run_names import LONGEST_STEM, cleaned, is_image, is_priority, meant_priority
from mcli._run_sections import (
    INTEGRATIONS,
    LEAST,
    LONGEST_HOURS,
    SECTIONS,
    TYPE_NAMES,
    env_text,
    is_of,
    known_name,
    plain,
)
from mcli._spelling import is_text, kind_of, nearest, shown

if TYPE_CHECKING:
    from mcli._yaml import Path

__all__ = ["DEPRECATED", "deprecated", "unknown_key", "unknown_keys", "unsendable", "wrong_types"]

Values: TypeAlias = Mapping[str, Any]

DEPRECATED = {
    "gpu_type": ("compute.gpu_type", str),
    "gpu_num": ("compute.gpus", int),
    "cpus": ("compute.cpus", int),
    "cluster": ("compute.cluster", str),
}
"""What to use instead of a deprecated field, and its type."""

_TEXTS = ("name", "parent_name", "image", "command")
_MAPPINGS = ("parameters", "metadata", "dependent_deployment")
_COMMON_MISTAKES = {
    "entrypoint": "command",
    "env": "env_variables",
    "gpu_num": "gpus",
    "num_gpus": "compute.gpus",
    "platform": "compute.cluster",
    "run_name": "name",
}
"""What unknown keys mean, where likeness does not tell."""


def _problem(path: Path, what: str, severity: Any = "error", **more: Any) -> Problem:
    return Problem(dotted(path), f"{dotted(path)!r} {what}", severity, path=path, **more)


def _must_be(path: Path, expected: str, value: str) -> Problem:
    return _problem(path, f"must be {expected}, not {value}", expected=expected)


# Keys


def unknown_key(path: Path, names: Mapping[str, Any] | tuple[str, ...]) -> Problem:
    """Return what is to be said about a key that is none of these names."""
    key = str(path[-1])
    by_last_part = {name.rpartition(".")[2]: name for name in reversed(list(names))}
    close = nearest(key, by_last_part)
    meant = _COMMON_MISTAKES.get(key) or (by_last_part[close] if close else None)
    return _problem(path, "is unknown and ignored", "warning", suggestion=meant)


def unknown_keys(values: Values) -> Iterator[Problem]:
    """Find the keys of sections that no platform takes."""
    for section, names in SECTIONS.items():
        keys = values.get(section)
        for key in keys if isinstance(keys, Mapping) else ():
            if known_name(section, key) is None:
                yield unknown_key((section, str(key)), tuple(names))


def deprecated(values: Values) -> Iterator[Problem]:
    """Find what should be written in another way."""
    for name, (instead, _) in DEPRECATED.items():
        if values.get(name) is not None:
            yield _problem((name,), f"is deprecated, use {instead!r}", "warning")
    if values.get("env_variables") and isinstance(values["env_variables"], list):
        what = "as a list is deprecated, write `NAME: value` lines"
        yield _problem(("env_variables",), what, "warning")


# Types


def wrong_types(values: Values) -> Iterator[Problem]:
    """Find the values that cannot be of a configuration, and could not be filled in later either."""
    for name in _TEXTS:
        if values.get(name) is not None and not isinstance(values[name], str):
            yield _must_be((name,), "a text", shown(values[name]))
    for name in _MAPPINGS:
        if values.get(name) and not isinstance(values[name], Mapping):
            yield _must_be((name,), "a mapping", kind_of(values[name]))
    for section in SECTIONS:
        yield from _wrong_in_section(section, values.get(section))
    yield from _wrong_integrations(values.get("integrations"))
    yield from _wrong_variables(("env_variables",), values.get("env_variables"))


def _wrong_in_section(section: str, values: object) -> Iterator[Problem]:
    if not isinstance(values, Mapping):
        if values is not None and values != []:
            yield _must_be((section,), "a mapping of `key: value` lines", kind_of(values))
        return
    for key, value in values.items():
        name = known_name(section, key)
        if name is not None and value is not None:
            yield from _wrong_type((section, str(key)), value, SECTIONS[section][name])


def _wrong_type(path: Path, value: object, kind: Any) -> Iterator[Problem]:
    if not is_of(value, kind):
        yield _must_be(path, TYPE_NAMES[kind], shown(value))


def _wrong_integrations(items: object) -> Iterator[Problem]:
    if items is None:
        return
    if not isinstance(items, list | tuple):
        what = "a list of mappings, each with its 'integration_type'"
        yield _must_be(("integrations",), what, kind_of(items))
        return
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            what = "a mapping with an 'integration_type'"
            yield _must_be(("integrations", number), what, kind_of(item))


def _wrong_variables(path: Path, variables: object) -> Iterator[Problem]:
    """Tell what is wrong with variables. They may be secrets, so no message shows a value."""
    if not variables or isinstance(variables, Mapping):
        return
    if not isinstance(variables, list):
        yield _must_be(path, "a mapping of names to values", kind_of(variables))
        return
    for number, item in enumerate(variables):
        if not isinstance(item, Mapping):
            yield _must_be((*path, number), "a mapping with 'key' and 'value'", kind_of(item))
        elif "key" not in item:
            yield _problem((*path, number), "must have a 'key', the name of the variable")


# Values


def unsendable(values: Values) -> Iterator[Problem]:
    """Find what else keeps a configuration of right types from being sent, or the platform from taking it."""
    yield from _names(values)
    yield from _images(values.get("image"))
    for name, (_, kind) in DEPRECATED.items():
        if values.get(name) is not None:
            yield from _wrong_type((name,), values[name], kind)
    for section, names in SECTIONS.items():
        if isinstance(values.get(section), Mapping):
            yield from _sections(section, values[section], names)
    for name in _MAPPINGS:
        if isinstance(values.get(name), Mapping):
            yield from _json((name,), values[name])
    if isinstance(values.get("integrations"), list | tuple):
        for number, item in enumerate(values["integrations"]):
            if isinstance(item, Mapping):
                yield from _integration(("integrations", number), item)
    yield from _variables(("env_variables",), values.get("env_variables"))
    yield from _missing(values)


def _names(values: Values) -> Iterator[Problem]:
    for field in _TEXTS:
        if isinstance(values.get(field), str) and not is_text(values[field]):
            yield _must_be((field,), "Unicode text", "one with half a character")
    name = values.get("name")
    if not isinstance(name, str) or not is_text(name):
        return
    clean = cleaned(name)
    if clean != name:
        rule = "lower case letters and digits, with hyphens between them"
        what = f"must be {rule}: the run is named {clean!r}, because {name!r} is not a valid name"
        yield _problem(("name",), what, "warning", expected=rule)
    elif len(name) > LONGEST_STEM:
        yield _problem(
            ("name",), f"has {len(name)} characters; platforms take {LONGEST_STEM} at most", "note"
        )


def _images(image: object) -> Iterator[Problem]:
    form = "[host[:port]/]name[/name...] in lower case, and then one of :tag and @digest"
    if image is None or image == "":
        what = "is missing: a run needs an image, e.g. 'mosaicml/composer'"
        yield _problem(("image",), what, expected=form)
    elif isinstance(image, str) and is_text(image) and not is_image(image):
        yield _problem(
            ("image",),
            f"must be the name of an image, not {shown(image)}. It has the form {form}",
            expected=form,
        )


def _sections(section: str, values: Values, names: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in values.items():
        name = known_name(section, key)
        if name is None or value is None or not is_of(value, names[name]):
            continue
        path: tuple[str, str] = (section, str(key))
        found: Any = plain(value, names[name])
        if not is_text(str(found)):
            yield _must_be(path, "Unicode text", "one with half a character")
        elif name in LEAST and found < LEAST[name]:
            yield _must_be(path, f"{LEAST[name]} or more", shown(found))
        elif name == "max_duration" and not 0 < found <= LONGEST_HOURS:
            yield _must_be(path, f"a number of hours, more than 0 and at most {LONGEST_HOURS}", shown(found))
        elif name == "priority" and not is_priority(found):
            meant = meant_priority(found)
            what = (
                f"has the unknown value {found!r}"
                if meant
                else f"has the unknown value {found!r}; it is sent"
            )
            yield _problem(path, what, "error" if meant else "warning", suggestion=meant)


def _json(path: Path, values: object) -> Iterator[Problem]:
    if path[0] == "dependent_deployment" and isinstance(values, Mapping):
        yield from _wrong_variables((*path, "env_variables"), values.get("env_variables"))
        yield from _variables((*path, "env_variables"), values.get("env_variables"))
        values = {key: value for key, value in values.items() if key != "env_variables"}
    for inner, error in json_faults(values):
        yield _problem((*path, *inner), f"cannot be sent: {error}")


def _integration(path: Path, item: Mapping[Any, Any]) -> Iterator[Problem]:
    kind = item.get("integration_type") or item.get("type")
    if not isinstance(kind, str):
        has = ", ".join(map(str, item)) or "nothing"
        yield _problem(path, f"must have an 'integration_type'; it has {has}")
    elif kind not in INTEGRATIONS:
        meant = nearest(kind, INTEGRATIONS)
        what = f"has the unknown kind {kind!r}; it is sent"
        yield _problem(path, what, "warning" if meant else "note", suggestion=meant)
    else:
        needed, others = INTEGRATIONS[kind]
        if needed and not item.get(needed):
            yield _problem((*path, needed), "is missing; platforms ask for it", "note")
        for key in item:
            meant = nearest(str(key), others) if key not in {*others, needed} else None
            if meant and meant not in item:
                yield _problem((*path, str(key)), "is unknown to platforms", "note", suggestion=meant)
    yield from _json(
        path, {key: value for key, value in item.items() if key not in {"integration_type", "type"}}
    )


def _variables(path: Path, variables: object) -> Iterator[Problem]:
    if isinstance(variables, list):
        items: list[tuple[str | int, Any, Any]] = [
            (at, each.get("key"), each.get("value")) for at, each in enumerate(variables) if "key" in each
        ]
    elif isinstance(variables, Mapping):
        items = [(str(key), key, value) for key, value in variables.items()]
    else:
        return
    for step, key, value in items:
        yield from _variable((*path, step), key, value)


def _variable(path: Path, key: object, value: object) -> Iterator[Problem]:
    if not isinstance(key, str) or not key or not is_text(key):
        rule = "a text that is not empty"
        what = f"The name of an environment variable must be {rule}, not {shown(key)}"
        yield Problem(dotted(path), what, expected=rule, path=path)
    elif value is None:
        yield _problem(path, "has no value and is not sent", "warning")
    elif (text := env_text(value)) is None:
        yield _must_be(path, "a text", kind_of(value))
    elif not is_text(text):
        yield _must_be(path, "Unicode text", "one with half a character")
    elif "=" in key or "\0" in key + text:
        yield _problem(path, "holds what no environment takes: '=' in its name, or a null character", "note")


def _missing(values: Values) -> Iterator[Problem]:
    for name in ("name", "command"):
        if not values.get(name):
            yield _problem((name,), "is missing; platforms ask for one", "note")
