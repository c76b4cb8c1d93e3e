"""What operations use of a schema: each type, field, argument, input and enum value, with where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphql import (
    ArgumentNode,
    DirectiveNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    Node,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    Visitor,
    get_named_type,
    visit,
)

from codegen.sources import line_of, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import DocumentNode, ExecutableDefinitionNode, GraphQLNamedType, GraphQLSchema

__all__ = ["Use", "by_coordinate", "uses"]


class Use(NamedTuple):
    """One place where an operation relies on a part of the schema."""

    coordinate: str
    """`Type`, `Type.field`, `Type.field(argument:)`, `Enum.VALUE` or `@directive`."""
    file: str
    line: int
    definition: str
    """The operation or fragment, e.g. `query GetRuns`."""
    sends: bool = False
    """Whether it is a part of what is sent, rather than of what is read."""

    @property
    def place(self) -> str:
        """The place for people."""
        return f"{self.file}:{self.line} ({self.definition})"


def uses(schema: GraphQLSchema, operations: DocumentNode) -> list[Use]:
    """Return what operations use of a schema that they fit, in the order of their files.

    An input counts with all its fields and enum values, because the generated types have all of them.
    """
    found: dict[Use, None] = {}
    for definition in operations.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            collector = _Collector(TypeInfo(schema), definition)
            visit(definition, TypeInfoVisitor(collector.types, collector))
            found |= dict.fromkeys(collector.found)
    return list(found)


def by_coordinate(found: Iterable[Use]) -> dict[str, list[Use]]:
    """Return the uses of each part of a schema."""
    sorted_: dict[str, list[Use]] = {}
    for use in found:
        sorted_.setdefault(use.coordinate, []).append(use)
    return sorted_


class _Collector(Visitor):
    def __init__(self, types: TypeInfo, definition: ExecutableDefinitionNode) -> None:
        super().__init__()
        self.types = types
        self.found: list[Use] = []
        self._name = name_of(definition)

    def _add(self, node: Node, coordinate: str, *, sends: bool = False) -> None:
        file, line = line_of(node)
        self.found.append(Use(coordinate, file, line, self._name, sends))

    def enter(self, node: Node, *_: object) -> None:
        match node:
            case FieldNode():
                self._field(node)
            case ArgumentNode():
                self._argument(node)
            case EnumValueNode():
                kind = get_named_type(self.types.get_input_type())
                if kind is not None:
                    self._add(node, f"{kind.name}.{node.value}", sends=True)
            case DirectiveNode():
                self._add(node, f"@{node.name.value}")
            case VariableDefinitionNode():
                self._input(node, get_named_type(self.types.get_input_type()), set())

    def _field(self, node: FieldNode) -> None:
        parent, kind = self.types.get_parent_type(), self.types.get_type()
        if parent is not None and kind is not None:
            self._add(node, parent.name)
            self._add(node, f"{parent.name}.{node.name.value}")
            self._add(node, get_named_type(kind).name)

    def _argument(self, node: ArgumentNode) -> None:
        parent, field, directive = (
            self.types.get_parent_type(),
            self.types.get_field_def(),
            self.types.get_directive(),
        )
        if directive is not None:
            self._add(node, f"@{directive.name}({node.name.value}:)", sends=True)
        elif parent is not None and field is not None and field.ast_node is not None:
            self._add(node, f"{parent.name}.{field.ast_node.name.value}({node.name.value}:)", sends=True)

    def _input(self, node: Node, kind: GraphQLNamedType | None, known: set[str]) -> None:
        """Add an input with all that it holds."""
        if kind is None or kind.name in known:
            return
        known.add(kind.name)
        self._add(node, kind.name, sends=True)
        match kind:
            case GraphQLInputObjectType(fields=fields):
                for name, each in fields.items():
                    self._add(node, f"{kind.name}.{name}", sends=True)
                    self._input(node, get_named_type(each.type), known)
            case GraphQLEnumType(values=values):
                for name in values:
                    self._add(node, f"{kind.name}.{name}", sends=True)
