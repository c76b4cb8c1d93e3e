"""Unions and interfaces that stay open: a type that the schema does not know does not fail the answer."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graphql import GraphQLInterfaceType, GraphQLUnionType, get_named_type, is_abstract_type

if TYPE_CHECKING:
    from graphql import GraphQLOutputType, GraphQLSchema

    from codegen.spelling import Spelling

__all__ = ["open_typename", "open_union"]


def open_union(
    annotation: ast.expr, promised: GraphQLOutputType, schema: GraphQLSchema, spelling: Spelling
) -> ast.expr:
    """Return the annotation of a field with its members tagged, and a place for one that is not known.

    That place is the interface's own fields, or for a union a value that says its type.
    """
    kind = get_named_type(promised)
    if not isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        return annotation
    opened: ast.expr = _Opener(kind, schema, spelling).visit(annotation)
    return opened


def open_typename(annotation: ast.expr, schema: GraphQLSchema, spelling: Spelling) -> ast.expr:
    """Return the type of `__typename`: one text for an object, any text for what may be of several types."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Name(id=quoted)):
            python = quoted.strip('"')
            kind = schema.type_map.get(python)
            if kind is not None and not is_abstract_type(kind):
                wire = spelling.wire_types.get(python, python)
                return ast.Subscript(ast.Name("Literal"), ast.Constant(wire))
    return ast.Name("str")


class _Opener(ast.NodeTransformer):
    """Rewrites the union of a field's classes, wherever it stands in the annotation."""

    def __init__(
        self, kind: GraphQLInterfaceType | GraphQLUnionType, schema: GraphQLSchema, spelling: Spelling
    ) -> None:
        self._kind = kind
        self._schema = schema
        self._spelling = spelling

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        match node:
            case ast.Subscript(
                value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[ast.Subscript() as union, _])
            ):
                return self.visit_Subscript(union)
            case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=classes)):
                return self._tagged([_unquoted(each) for each in classes])
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        # A union of one type is written as that type.
        is_class = node.id.startswith('"')
        return (
            self._tagged([_unquoted(node)]) if is_class and isinstance(self._kind, GraphQLUnionType) else node
        )

    def _tagged(self, classes: list[str]) -> ast.expr:
        if isinstance(self._kind, GraphQLUnionType):
            members = [kind.name for kind in self._kind.types]
            other = ast.Name("UnknownMember")
        else:
            base = classes[0].removesuffix(self._kind.name)
            other = ast.Name(f'"{classes[0]}"')
            classes = classes[1:]
            members = [each.removeprefix(base) for each in classes]
        tagged = [_tag(ast.Name(f'"{each}"'), name) for each, name in zip(classes, members, strict=True)]
        union = ast.Subscript(ast.Name("Union"), ast.Tuple([*tagged, _tag(other, "")]))
        choice = ast.Call(ast.Name("by_typename"), [self._tags(members)], [])
        return ast.Subscript(ast.Name("Annotated"), ast.Tuple([union, choice]))

    def _tags(self, members: list[str]) -> ast.Dict:
        """Return which tag a type has, by its name on the wire: its own, or that of an interface which it has."""
        tags: dict[str, str] = {}
        for member in members:
            kind = self._schema.type_map[member]
            if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
                tags |= {each.name: member for each in self._schema.get_possible_types(kind)}
        tags |= {member: member for member in members if not is_abstract_type(self._schema.type_map[member])}
        wire = {self._spelling.wire_types.get(name, name): tag for name, tag in tags.items()}
        return ast.Dict([ast.Constant(name) for name in wire], [ast.Constant(tag) for tag in wire.values()])


def _tag(member: ast.expr, tag: str) -> ast.expr:
    call = ast.Call(ast.Name("Tag"), [ast.Constant(tag)], [])
    return ast.Subscript(ast.Name("Annotated"), ast.Tuple([member, call]))


def _unquoted(name: ast.expr) -> str:
    return ast.unparse(name).strip("'\"")
