"""What is done to the syntax trees that ariadne-codegen makes. Nothing here knows of a schema but by name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Described(NamedTuple):
    """What the schema says of a thing."""

    wire_name: str
    description: str | None
    deprecated: str | None = None
    """Why it is deprecated; None if it is not."""


class Rename(ast.NodeTransformer):
    """Replaces names, also those that ariadne-codegen quotes inside a name."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        bare = node.id.strip("'\"")
        return ast.Name(node.id.replace(bare, self._names.get(bare, bare)))


class Widen(ast.NodeTransformer):
    """Widens types: with `{"datetime": "datetime | str"}` a time may also be a text."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self._types.get(node.id, node.id))


def without_default(field: ast.AnnAssign) -> None:
    """Let a field of an input be left out, so that the server takes its own default."""
    if not ast.unparse(field.annotation).startswith("Optional["):
        field.annotation = ast.Subscript(ast.Name("Optional"), field.annotation)
    kept = field.value.keywords if isinstance(field.value, ast.Call) else []
    aliases = [keyword for keyword in kept if keyword.arg == "alias"]
    field.value = ast.Call(ast.Name("Field"), [], [*aliases, ast.keyword("default", ast.Constant(None))])


def rebase(class_def: ast.ClassDef, base: str) -> ast.ClassDef:
    """Derive a class from our base in place of ariadne-codegen's."""
    return cast("ast.ClassDef", Rename({"BaseModel": base}).visit(class_def))


def docstring(thing: Described) -> list[ast.stmt]:
    """Return the statement that describes a thing, or nothing where there is nothing to say."""
    reason = thing.deprecated
    deprecated = None if reason is None else f"Deprecated: {reason or 'the schema does not say why'}"
    # On one line, because versions of Python unparse several lines differently.
    text = " ".join(" ".join(part for part in (thing.description, deprecated) if part).split())
    return [ast.Expr(ast.Constant(text))] if text else []


def is_text(node: ast.stmt, *, after: ast.stmt) -> bool:
    """Tell whether a statement of a class is a text, other than the docstring that stands first."""
    return node is not after and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def describe_fields(class_def: ast.ClassDef, fields: Mapping[int, Described]) -> ast.ClassDef:
    """Put what the schema says under each field, and give two fields of one name two names."""
    body: list[ast.stmt] = []
    taken: dict[str, str] = {}
    for node in class_def.body:
        if (
            not isinstance(node, ast.AnnAssign)
            or not isinstance(node.target, ast.Name)
            or id(node) not in fields
        ):
            body.append(node)
            continue
        described = fields[id(node)]
        if described.wire_name in taken.values():
            continue  # selected twice, by itself and by a fragment
        while node.target.id in taken:
            node.target.id = f"{node.target.id}_"
            _set_alias(node, described.wire_name)
        taken[node.target.id] = described.wire_name
        body += [node, *docstring(described)]
    class_def.body = body
    return class_def


def _set_alias(field: ast.AnnAssign, wire_name: str) -> None:
    match field.value:
        case ast.Call(keywords=keywords):
            keywords[:] = [
                each for each in keywords if each.arg not in {"validation_alias", "serialization_alias"}
            ]
        case value:
            keywords = [] if value is None else [ast.keyword("default", value)]
            field.value = ast.Call(ast.Name("Field"), [], keywords)
    for name in ("validation_alias", "serialization_alias"):
        keywords.append(ast.keyword(name, ast.Constant(wire_name)))


def only_fragment(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the name and its fragment if a statement only gives a fragment another name."""
    match node:
        case ast.ClassDef(name=name, bases=[ast.Name(id=fragment)], body=[ast.Pass()]):
            yield name, fragment
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=fragment)):
            yield name, fragment


def import_bases(module: ast.Module, *bases: str) -> ast.Module:
    """Import names of `base_model`; what is not needed is dropped later."""
    module.body.insert(0, ast.ImportFrom("base_model", [ast.alias(base) for base in bases], 1))
    return module


def import_for_results(module: ast.Module) -> ast.Module:
    """Import the base of results, and what marks their fields."""
    module.body.insert(0, ast.ImportFrom("typing", [ast.alias("Annotated"), ast.alias("Union")], 0))
    module.body.insert(0, ast.ImportFrom("pydantic", [ast.alias("Tag")], 0))
    return import_bases(module, "NULL_IS_EMPTY", "Result", "UnknownMember", "by_typename")


def simplify(field: ast.AnnAssign) -> ast.AnnAssign:
    """Spell an alias as its two halves: `alias=` would also rename the parameter that type checkers see."""
    match field.value:
        case ast.Call(keywords=keywords):
            keywords[:] = [keyword for keyword in keywords if keyword.arg != "discriminator"]
    match field.value:
        case ast.Call(keywords=[]):
            field.value = None
        case ast.Call(keywords=[ast.keyword(arg="default", value=default)]):
            field.value = default
        case ast.Call(keywords=keywords):
            for keyword in [keyword for keyword in keywords if keyword.arg == "alias"]:
                keyword.arg = "validation_alias"
                keywords.append(ast.keyword("serialization_alias", keyword.value))
    return field


def make_lenient(field: ast.AnnAssign) -> None:
    """Let an answer lack a field: a list is then empty, anything else None."""
    if isinstance(field.annotation, ast.Subscript) and ast.unparse(field.annotation.value).lower() == "list":
        default: ast.expr = ast.List([])
    else:
        field.annotation = ast.Subscript(ast.Name("Optional"), field.annotation)
        default = ast.Constant(None)
    if isinstance(field.value, ast.Call):
        field.value.keywords.append(ast.keyword("default", default))
    else:
        field.value = default


def document_of(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr:
    """Return the expression of the document that a method of ariadne-codegen sends."""
    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
    return next(keyword.value for call in calls for keyword in call.keywords if keyword.arg == "query")


def variables_of(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr:
    """Return the expression of the variables that a method of ariadne-codegen sends."""
    values = (node.value for node in ast.walk(method) if isinstance(node, ast.AnnAssign))
    return next(value for value in values if value is not None)


def lazy_documents(module: ast.Module) -> ast.Module:
    """Load the documents lazily too, and type the hooks of an `__init__`.

    `__getattr__` is hidden from type checkers, because with it a typo would not be an error.
    """
    documents, *rest = module.body
    if not isinstance(documents, ast.ImportFrom):
        raise TypeError("ariadne-codegen no longer imports the documents first")
    module.body = [_lazy(node, documents) for node in rest]
    return ast.fix_missing_locations(module)


def _lazy(node: ast.stmt, documents: ast.ImportFrom) -> ast.stmt:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            node.body.append(documents)
        case ast.Assign(value=ast.Dict(keys=keys, values=values)):
            keys += [ast.Constant(name.name) for name in documents.names]
            values += [ast.Constant(f".{documents.module}") for _ in documents.names]
        case ast.FunctionDef(name="__getattr__"):
            node.args.args[0].annotation = ast.Name("str")
            node.returns = ast.Name("object")
            return ast.If(ast.UnaryOp(ast.Not(), ast.Name("TYPE_CHECKING")), [node], [])
        case ast.FunctionDef(name="__dir__"):
            node.returns = ast.Subscript(ast.Name("list"), ast.Name("str"))
    return node
