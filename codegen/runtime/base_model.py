"""The bases of every generated type."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, ClassVar, Final, Self, cast, get_origin

from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict, Discriminator, Field, GetCoreSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema, from_json, to_jsonable_python


class UnsetType(Enum):
    """The type of `UNSET`: a variable that was not given, as opposed to one that is null."""

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = UnsetType.UNSET


class OpenEnum(StrEnum):
    """A text enumeration that keeps the values which a newer server may send."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Not entered in the class: what a server sends must not make it grow.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    def __reduce_ex__(self, _protocol: object) -> tuple[object, ...]:
        # Before 3.11.4 Enum's own looks the name up in the class, which has no unknown ones.
        return type(self), (self._value_,)

    @property
    def is_known(self) -> bool:
        """Whether the schema has this value."""
        return self._name_ in type(self).__members__


class NullIsEmpty:
    """Marks a field of an answer whose null is read as the empty value of its type: "", 0, False, []."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        empty = get_origin(source) or source
        nullable = core_schema.nullable_schema(handler(source))
        return core_schema.no_info_after_validator_function(
            lambda value: empty() if value is None else value, nullable
        )


NULL_IS_EMPTY: Final = NullIsEmpty()


def by_typename(tags: Mapping[str, str]) -> Discriminator:
    """Choose the member of a union by the type that an answer says; a type without a tag has the tag ""."""

    def tag(value: object) -> str:
        if isinstance(value, dict):
            return tags.get(str(cast("dict[str, object]", value).get("__typename")), "")
        return tags.get(str(getattr(value, "typename__", None)), "")

    return Discriminator(tag)


class BaseModel(PydanticModel):
    """A type of the schema; the wire's camelCase names become snake_case."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,
        # What travels may hold a secret, and messages end up in logs.
        hide_input_in_errors=True,
        protected_namespaces=(),
        ser_json_inf_nan="strings",
        validate_by_alias=True,
        validate_by_name=True,
    )


class Result(BaseModel):
    """A part of an answer. Fields that are not known are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class UnknownMember(Result):
    """A member of a union that the schema does not know: it says what type it is, and no more."""

    typename__: str = Field(validation_alias="__typename", serialization_alias="__typename")


class Input(BaseModel):
    """A part of the variables. A field that is not known is an error; one that is not given is not sent.

    A number that JSON does not have is sent as the text `NaN`, `Infinity` or `-Infinity`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[None, str]]:
        # Names only: the value may be a secret.
        return ((None, name) for name in type(self).model_fields if name in self.model_fields_set)


class OneOf(Input):
    """An input of which exactly one field is given."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        given = [name for name in self.model_fields_set if getattr(self, name) is not None]
        if len(given) != 1 or len(self.model_fields_set) != 1:
            raise ValueError(f"exactly one field must be given, not {', '.join(sorted(given)) or 'none'}")
        return self


def wire_variables(variables: Mapping[str, object]) -> dict[str, object]:
    """Return variables as JSON values, without those that are `UNSET` and fields that were not given.

    A value that has no JSON form is a `ValueError`.
    """
    return {name: _wire_value(value) for name, value in variables.items() if value is not UNSET}


def _wire_value(value: object) -> object:
    if isinstance(value, Input):
        # By way of text, because only there pydantic spells out numbers that JSON does not have.
        return from_json(value.model_dump_json(by_alias=True, exclude_unset=True))
    if isinstance(value, list | tuple):
        return [_wire_value(each) for each in cast("Sequence[object]", value)]
    return to_jsonable_python(value, inf_nan_mode="strings")
