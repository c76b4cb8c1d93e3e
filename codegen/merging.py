"""Take a new schema into a file without losing what the file has besides: comments, order, layout.

Only definitions that differ are touched, and in types, inputs and enums only the members that differ. What comes out is
built and compared with the new schema before anybody sees it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    DirectiveDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    build_schema,
    lexicographic_sort_schema,
    parse,
    print_ast,
    print_schema,
)
from graphql.language import TokenKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import DefinitionNode, GraphQLSchema, Node, StringValueNode

__all__ = ["merged"]


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def merged(text: str, new: GraphQLSchema) -> str:
    """Return the text of a schema, changed so that it says what a new schema says.

    Raises:
        ValueError: The result does not say it; this would be a fault of this module.
    """
    # Compared in one order, because servers tell their schema in any; written in the order of the new one.
    before, sorted_ = _definitions(_sorted(build_schema(text))), _definitions(_sorted(new))
    after = _definitions(new)
    if any(
        not each.block for each in _descriptions(parse(text))
    ):  # the file writes short ones in plain quotes
        for short in filter(_is_short, (each for node in after.values() for each in _descriptions(node))):
            short.block = False
    edits: list[_Edit] = []
    known = set()
    for node in parse(text).definitions:
        key = _key(node)
        known.add(key)
        if key in before:
            edits += _edits(text, node, before[key], sorted_.get(key), after.get(key))
    result = _applied(text, edits)
    added = [print_ast(node) for key, node in after.items() if key not in known]
    if added:
        result = "\n\n".join([result.rstrip("\n"), *added]) + "\n"
    if print_schema(_sorted(build_schema(result))) != print_schema(_sorted(new)):
        raise ValueError("the new schema cannot be taken into the text of the old one")
    return result


def _sorted(schema: GraphQLSchema) -> GraphQLSchema:
    return lexicographic_sort_schema(schema)


def _definitions(schema: GraphQLSchema) -> dict[tuple[str, str], DefinitionNode]:
    return {_key(node): node for node in parse(print_schema(schema)).definitions}


def _key(node: DefinitionNode) -> tuple[str, str]:
    match node:
        case DirectiveDefinitionNode():
            return "directive", node.name.value
        case SchemaDefinitionNode():
            return "schema", ""
        case TypeDefinitionNode():
            return "type", node.name.value
    return "other", print_ast(node)


def _descriptions(node: Node) -> Iterator[StringValueNode]:
    described = getattr(node, "description", None)
    if described is not None:
        yield described
    for key in ("definitions", "fields", "values", "arguments"):
        for part in getattr(node, key, None) or ():
            yield from _descriptions(part)


def _is_short(description: StringValueNode) -> bool:
    return "\n" not in description.value


def _edits(text: str, node: Any, before: Any, compared: Any, after: Any) -> Iterator[_Edit]:
    """Yield what makes one definition of the text say what it says in the new schema."""
    if after is None:
        yield _removal(text, node, blank_lines=True)
    elif print_ast(before) == print_ast(compared):
        return
    elif before.kind == after.kind and _members(after) and _has_lines_of_its_own(node):
        if _header(before) != _header(compared):
            yield _Edit(node.loc.start, _brace(node).start, f"{_header(after)} ")
        yield from _member_edits(text, node, before, compared, after)
    else:
        yield _Edit(node.loc.start, node.loc.end, print_ast(after))


def _members(node: Any) -> tuple[Any, ...]:
    return tuple(getattr(node, "fields", None) or getattr(node, "values", None) or ())


def _has_lines_of_its_own(node: Any) -> bool:
    """Tell whether each member of a definition begins on a line of its own."""
    brace = _brace(node)
    lines = [brace.line, *(member.loc.start_token.line for member in _members(node)), node.loc.end_token.line]
    return bool(_members(node)) and lines == sorted({*lines})


def _brace(node: Any) -> Any:
    token = node.loc.start_token
    depth = 0
    while token.kind is not TokenKind.BRACE_L or depth:
        depth += {TokenKind.PAREN_L: 1, TokenKind.PAREN_R: -1}.get(token.kind, 0)
        if token.next is None or token is node.loc.end_token:
            return node.loc.end_token
        token = token.next
    return token


def _header(node: Any) -> str:
    """Return what stands before the members: description, interfaces, directives."""
    bare = copy.copy(node)
    for name in ("fields", "values"):
        if hasattr(bare, name):
            setattr(bare, name, ())
    return print_ast(bare)


def _member_edits(text: str, node: Any, before: Any, compared: Any, after: Any) -> Iterator[_Edit]:
    here = {member.name.value: member for member in _members(node)}
    old, same, new = (
        {member.name.value: print_ast(member) for member in _members(each)}
        for each in (before, compared, after)
    )
    for name, member in here.items():
        if name not in new:
            yield _removal(text, member)
        elif old[name] != same[name]:
            yield _Edit(member.loc.start, member.loc.end, _indented(new[name]).lstrip())
    place = _brace(node).end
    for name, written in new.items():
        if name in here:
            place = _end_of_line(text, here[name].loc.end)
        else:
            yield _Edit(place, place, f"\n{_indented(written)}")


def _removal(text: str, node: Node, *, blank_lines: bool = False) -> _Edit:
    """Return the edit that removes a node with its lines, and the comments that stand directly above it."""
    assert node.loc is not None  # noqa: S101 - it was parsed
    start = text.rfind("\n", 0, node.loc.start) + 1
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].lstrip().startswith("#"):
            break
        start = above
    end = min(_end_of_line(text, node.loc.end) + 1, len(text))
    while blank_lines and text[end : end + 1] == "\n":
        end += 1
    return _Edit(start, end, "")


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


def _applied(text: str, edits: list[_Edit]) -> str:
    """Apply edits from the end, so that earlier places stay right; of several at one place the last comes first."""
    for edit in sorted(enumerate(edits), key=lambda each: (each[1].start, each[0]), reverse=True):
        _, (start, end, new) = edit
        text = f"{text[:start]}{new}{text[end:]}"
    return text
