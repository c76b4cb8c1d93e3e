"""Strategies of every valid input of an operation, made from the schema alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    is_required_input_field,
    type_from_ast,
)
from hypothesis import strategies as st

from tests.fake.answers import scalar

if TYPE_CHECKING:
    from graphql import OperationDefinitionNode

__all__ = ["Variables"]


class Variables:
    """Strategies of the variables that an operation may be sent with."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, operation: OperationDefinitionNode) -> st.SearchStrategy[dict[str, Any]]:
        """Return a strategy of the variables of an operation; those that may be left out sometimes are."""
        there: dict[str, st.SearchStrategy[Any]] = {}
        maybe: dict[str, st.SearchStrategy[Any]] = {}
        for each in operation.variable_definitions:
            kind: Any = type_from_ast(self._schema, each.type)
            required = isinstance(kind, GraphQLNonNull) and each.default_value is None
            (there if required else maybe)[each.variable.name.value] = self._value(kind)
        return st.fixed_dictionaries(there, optional=maybe)

    def _value(self, kind: Any) -> st.SearchStrategy[Any]:
        if isinstance(kind, GraphQLNonNull):
            return self._present(kind.of_type)
        return st.none() | self._present(kind)

    def _present(self, kind: Any) -> st.SearchStrategy[Any]:
        if isinstance(kind, GraphQLList):
            return st.lists(self._value(kind.of_type), max_size=2)
        if isinstance(kind, GraphQLEnumType):
            return st.sampled_from(list(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(kind)
        return scalar(kind.name)

    def _object(self, kind: GraphQLInputObjectType) -> st.SearchStrategy[Any]:
        if kind.name not in self._known:
            # Deferred, because input types may hold themselves.
            self._known[kind.name] = st.deferred(lambda: self._fields(kind))
        return self._known[kind.name]

    def _fields(self, kind: GraphQLInputObjectType) -> st.SearchStrategy[dict[str, Any]]:
        required = {name for name, field in kind.fields.items() if is_required_input_field(field)}
        strategies = {name: self._value(field.type) for name, field in kind.fields.items()}
        there = {name: each for name, each in strategies.items() if name in required}
        maybe = {name: each for name, each in strategies.items() if name not in required}
        return st.fixed_dictionaries(there, optional=maybe)
