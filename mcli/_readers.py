"""Values that are made while the bytes of an answer are read, in one pass.

pydantic-core reads, the value's own `__init__` builds. A reader is a table of the fields of a value. Names and types,
and what may be null, come from the generated type; the table lists only what differs.
"""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin

from mcli_mapi.base_model import NullIsEmpty
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli_mapi.base_model import Result
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema

__all__ = ["At", "converted", "fields_of", "listed", "reader"]

_SCALARS: dict[Any, CoreSchema] = {
    Any: core_schema.any_schema(),
    bool: core_schema.bool_schema(),
    datetime: core_schema.datetime_schema(microseconds_precision="truncate"),
    int: core_schema.int_schema(),
    str: core_schema.str_schema(),
}


class At(NamedTuple):
    """Where a field stands, if not under its own name, and what reads it, if not its type."""

    name: str
    """Name in the generated type."""
    schema: CoreSchema | None = None


def reader(make: Callable[..., Any], kind: type[Result], *same: str, **other: At) -> CoreSchema:
    """Return what reads an object of the wire as the value that this makes of its fields.

    Args:
        make: Takes the fields by their names, e.g. a dataclass.
        kind: The generated type.
        same: Fields that have the name and the type of the generated one.
        other: The others, by the value's names.
    """
    found = fields_of(kind, *same, **other)
    return core_schema.no_info_after_validator_function(lambda fields: make(**fields), found)


def fields_of(kind: type[Result], *same: str, **other: At) -> CoreSchema:
    """Return what reads an object of the wire as a dictionary of fields; see `reader`."""
    wanted = {**{name: At(name) for name in same}, **other}
    return core_schema.typed_dict_schema(
        {name: _field(at.name, kind.model_fields[at.name], at.schema) for name, at in wanted.items()}
    )


def _field(name: str, field: FieldInfo, schema: CoreSchema | None) -> core_schema.TypedDictField:
    read = schema or _of_type(field.annotation, field.metadata)
    if not field.is_required():
        default = field.default
        how: dict[str, Any] = {"default": None} if default is None else {"default_factory": type(default)}
        bare = core_schema.nullable_schema(read) if default is None else read
        read = core_schema.with_default_schema(bare, **how)
    return core_schema.typed_dict_field(read, validation_alias=to_camel(name))


def _of_type(annotation: Any, metadata: list[Any]) -> CoreSchema:
    inner = [each for each in get_args(annotation) if each is not NoneType]
    if get_origin(annotation) is list:
        read: CoreSchema = core_schema.list_schema(_SCALARS[inner[0]])
    else:
        read = _SCALARS[inner[0] if inner else annotation]
    marker = next((each for each in metadata if isinstance(each, NullIsEmpty)), None)
    if marker is None:
        return read
    return marker.__get_pydantic_core_schema__(annotation, lambda _: read)  # type: ignore[arg-type]  # only called


def listed(item: CoreSchema) -> CoreSchema:
    """Return what reads a list of such objects."""
    return core_schema.list_schema(item)


def converted(convert: Callable[[Any], Any], kind: Any = Any) -> CoreSchema:
    """Return what reads a value of the type, or null, as what this makes of it."""
    return core_schema.no_info_after_validator_function(convert, core_schema.nullable_schema(_SCALARS[kind]))
