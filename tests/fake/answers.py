"""Strategies of every valid answer to an operation, made from the schema and the operation alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    is_abstract_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graphql import FieldNode

    from tests.fake.requests import Request

__all__ = ["Answers", "scalar", "wire_times"]

Strategy = st.SearchStrategy[Any]

FROM_A_NEWER_SERVER = "FROM_A_NEWER_SERVER"

_texts = st.text(st.characters(codec="utf-8"), max_size=6)
_odd_texts = st.sampled_from(["", " ", "\0", "null", "<b>&", "a\r\nb", "\u202eltr", "ﬀ🤗", "ä" * 300])
_values = (
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _texts
)


def _nested(inner: Strategy) -> Strategy:
    inner = st.none() | inner
    return st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)


_json = st.recursive(_values, _nested, max_leaves=4)
"""JSON values, but null, which the schema allows or forbids by itself."""


@st.composite
def wire_times(draw: st.DrawFn) -> str:
    """Give moments in every form that the wire has: any fraction, `Z` or any offset."""
    first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
    moments = st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None))
    moment = draw(moments | st.sampled_from([first, last]).map(lambda end: end.replace(tzinfo=None)))
    text = moment.isoformat(timespec="seconds")
    digits = draw(st.sampled_from([3, 0, 1, 2, 6, 9]))
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    minutes = draw(st.none() | st.sampled_from([0, 330, -210]) | st.integers(-14 * 60, 14 * 60))
    zone = "Z" if minutes is None else _offset(minutes)
    return f"{text}{fraction}{zone}"


def _offset(minutes: int) -> str:
    return datetime.now(timezone(timedelta(minutes=minutes))).isoformat()[-6:]


SCALARS: dict[str, Strategy] = {
    "Boolean": st.booleans(),
    "ByteOffset": st.integers(0, 2**53) | st.just(2**63 - 1),
    "DateTime": wire_times(),
    "Float": st.floats(allow_nan=False, allow_infinity=False),
    "ID": _texts | _odd_texts,
    "Int": st.integers(-(2**31), 2**31 - 1),
    "JSON": _json,
    "String": _texts | _odd_texts,
}
"""What each scalar may be; one that is not here may be any JSON value."""


def scalar(name: str) -> Strategy:
    """Return a strategy of the values of a scalar."""
    return SCALARS.get(name, _json)


class Answers:
    """Strategies of the `data` that answers an operation.

    Args:
        schema: Says what is valid.
        lenient: Fields, as `Type.field`, that an answer may have as null or lack, whatever the schema says.
        fields: What certain fields, as `Type.field`, hold where the schema does not say all of it.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        lenient: Collection[str] = (),
        fields: Mapping[str, Strategy] | None = None,
    ) -> None:
        self._schema = schema
        self._lenient = frozenset(lenient)
        self._fields = dict(fields or {})
        self._known: dict[str, Strategy] = {}
        vocabulary = [
            value
            for each in schema.type_map.values()
            if isinstance(each, GraphQLEnumType) and not each.name.startswith("__")
            for value in each.values
        ]
        # Open vocabularies are Strings in the schema, and their known words are the values of its enums.
        self._words = st.sampled_from([*sorted(set(vocabulary)), FROM_A_NEWER_SERVER])

    def to(self, request: Request) -> Strategy:
        """Return a strategy of the `data` that answers a request."""
        if request.document not in self._known:
            root = self._schema.get_root_type(request.operation.operation)
            assert root is not None
            selected = collect_fields(
                self._schema,
                dict(request.fragments),
                dict(request.coerced),
                root,
                request.operation.selection_set,
            )
            self._known[request.document] = self._object(request, root, selected)
        return self._known[request.document]

    def _object(
        self, request: Request, of: GraphQLObjectType, selected: Mapping[str, list[FieldNode]]
    ) -> Strategy:
        there: dict[str, Strategy] = {}
        maybe: dict[str, Strategy] = {}
        for key, nodes in selected.items():
            name = nodes[0].name.value
            if name == "__typename":
                there[key] = st.just(of.name)
            elif f"{of.name}.{name}" in self._lenient:
                maybe[key] = self._lenient_field(request, of.fields[name], nodes)
            else:
                field = self._fields.get(f"{of.name}.{name}")
                there[key] = field or self._value(request, of.fields[name].type, nodes)
        return st.fixed_dictionaries(there, optional=maybe)

    def _lenient_field(self, request: Request, field: GraphQLField, nodes: list[FieldNode]) -> Strategy:
        present = self._value(request, field.type, nodes)
        bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        return present if isinstance(bare, GraphQLList) else st.none() | present

    def _value(self, request: Request, of: GraphQLOutputType, nodes: list[FieldNode]) -> Strategy:
        if isinstance(of, GraphQLNonNull):
            return self._present(request, of.of_type, nodes)
        return st.none() | self._present(request, of, nodes)

    def _present(self, request: Request, of: Any, nodes: list[FieldNode]) -> Strategy:
        if isinstance(of, GraphQLList):
            item = self._value(request, of.of_type, nodes)
            return st.lists(item, max_size=2) | item.map(lambda each: [each] * 20)
        if isinstance(of, GraphQLEnumType):
            return st.sampled_from([*of.values, FROM_A_NEWER_SERVER])
        if isinstance(of, GraphQLScalarType):
            return self._words | scalar(of.name) if of.name == "String" else scalar(of.name)
        if is_abstract_type(of):
            return st.one_of(*map(partial(self._selection, request, nodes), self._types(of)))
        return self._selection(request, nodes, of)

    def _types(self, of: GraphQLAbstractType) -> list[GraphQLObjectType]:
        return list(self._schema.get_possible_types(of))

    def _selection(self, request: Request, nodes: list[FieldNode], of: GraphQLObjectType) -> Strategy:
        selected = collect_sub_fields(self._schema, dict(request.fragments), dict(request.coerced), of, nodes)
        return self._object(request, of, selected)
