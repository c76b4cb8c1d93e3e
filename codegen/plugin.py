"""Our hooks into ariadne-codegen: bases, open enums, lenient fields, one-line methods over a transport."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, cast

from ariadne_codegen.plugins.base import Plugin
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_non_null_type,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import (
        ExecutableDefinitionNode,
        FieldNode,
        FragmentDefinitionNode,
        GraphQLCompositeType,
        GraphQLEnumType,
        GraphQLInputField,
        GraphQLInputObjectType,
        GraphQLSchema,
        Node,
        OperationDefinitionNode,
        SelectionSetNode,
    )

# ariadne-codegen's hooks name some parameters that we do not need.
# ruff: noqa: ARG002


class UnknownFieldError(Exception):
    """A correction names a field that the schema does not have."""


class MapiPlugin(Plugin):
    """Makes of ariadne-codegen's package the one that `codegen/runtime` is written for."""

    def __init__(self, schema: GraphQLSchema, config_dict: dict[str, Any]) -> None:
        super().__init__(schema, config_dict)
        self._inlined: set[str] = set()
        self._parents: dict[int, dict[int, GraphQLCompositeType]] = {}
        settings = config_dict["tool"]["ariadne-codegen"]
        self._lenient = frozenset(settings.get("lenient", {}))
        self._fatal = frozenset(settings["nulls"]["fatal"])
        self._empty = frozenset(settings["nulls"]["empty"])
        for coordinate in sorted(self._lenient | self._fatal):
            _require_field(schema, coordinate)

    def process_name(self, name: str, node: Node | None = None) -> str:
        """Keep a digit with the word before it: `s3_secret`, not `s_3_secret`."""
        return re.sub(r"(?<=[a-z])_(?=\d)", "", name)

    def generate_enum(self, class_def: ast.ClassDef, enum_type: GraphQLEnumType) -> ast.ClassDef:
        """Derive enums from the one that keeps values it does not know."""
        class_def.bases = [ast.Name("OpenEnum")]
        if enum_type.description:
            class_def.body.insert(0, ast.Expr(ast.Constant(enum_type.description)))
        return class_def

    def generate_enums_module(self, module: ast.Module) -> ast.Module:
        """Import the base of enums."""
        return _import_base(module, "OpenEnum")

    def generate_input_class(
        self, class_def: ast.ClassDef, input_type: GraphQLInputObjectType
    ) -> ast.ClassDef:
        """Derive input types from the base that forbids unknown fields."""
        return _rebase(class_def, "Input")

    def generate_input_field(
        self, field_implementation: ast.AnnAssign, input_field: GraphQLInputField, field_name: str
    ) -> ast.AnnAssign:
        """Let a time also be text, which is sent as the user wrote it."""
        if get_named_type(input_field.type).name == "DateTime":
            field_implementation.annotation = _TimeOrText().visit(field_implementation.annotation)
        return _simplify(field_implementation)

    def generate_inputs_module(self, module: ast.Module) -> ast.Module:
        """Import the base of input types."""
        return _import_base(module, "Input")

    def generate_result_class(
        self,
        class_def: ast.ClassDef,
        operation_definition: ExecutableDefinitionNode,
        selection_set: SelectionSetNode,
    ) -> ast.ClassDef:
        """Derive result types from the base that ignores unknown fields."""
        return _rebase(class_def, "Result")

    def generate_result_field(
        self,
        field_implementation: ast.AnnAssign,
        operation_definition: ExecutableDefinitionNode,
        field: FieldNode,
    ) -> ast.AnnAssign:
        """Give the fields that an answer may lack a default, and let others bear null, by the rule for nulls."""
        parent = self._parent(operation_definition, field)
        if parent is not None and isinstance(field_implementation.annotation, ast.expr):
            coordinate = f"{parent.name}.{field.name.value}"
            if coordinate in self._lenient:
                _make_lenient(field_implementation)
            elif coordinate not in self._fatal and self._may_be_empty(parent, field):
                field_implementation.annotation = _annotated(field_implementation.annotation)
        return _simplify(field_implementation)

    def generate_result_types_module(
        self, module: ast.Module, operation_definition: ExecutableDefinitionNode
    ) -> ast.Module:
        """Import the base of result types, and use fragments under their own names."""
        return _import_result(self._inline_fragments(module))

    def generate_fragments_module(
        self, module: ast.Module, fragments_definitions: dict[str, FragmentDefinitionNode]
    ) -> ast.Module:
        """Import the base of result types, and use fragments under their own names."""
        return _import_result(self._inline_fragments(module))

    def generate_client_method(
        self,
        method_def: ast.FunctionDef | ast.AsyncFunctionDef,
        operation_definition: OperationDefinitionNode,
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Hand result type, document, name and variables to the transport: that is all a method does."""
        name, result = operation_definition.name, method_def.returns
        if name is None or result is None:
            raise TypeError("ariadne-codegen made a method without a name or a result")
        streams = operation_definition.operation is OperationType.SUBSCRIPTION
        if isinstance(result, ast.Subscript):
            result = result.slice
        transport = ast.Attribute(ast.Name("self"), "transport")
        call = ast.Call(
            ast.Attribute(transport, "subscribe" if streams else "execute"),
            [result, _document(method_def), ast.Constant(name.value), _variables(method_def)],
            [],
        )
        # Imported when it is first called, so that a program loads only the models that it uses.
        load = ast.ImportFrom(method_def.name, [ast.alias(ast.unparse(result))], 1)
        body: list[ast.stmt] = [load, ast.Return(call if streams else ast.Await(call))]
        method_def.args.kwarg = None
        make = ast.FunctionDef if streams else ast.AsyncFunctionDef
        method = make(method_def.name, method_def.args, body, [], method_def.returns)
        return ast.fix_missing_locations(method)

    def generate_client_module(self, module: ast.Module) -> ast.Module:
        """Drop the function that only marked documents for editors."""
        module.body = [node for node in module.body if not isinstance(node, ast.FunctionDef)]
        return module

    def generate_init_module(self, module: ast.Module) -> ast.Module:
        """Load the documents lazily too, and type the hooks.

        `__getattr__` is hidden from type checkers, because with it a typo would not be an error.
        """
        documents, *module.body = module.body
        for number, node in enumerate(module.body):
            match node:
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    node.body.append(documents)
                case ast.Assign(value=ast.Dict() as table):
                    _add_names(table, documents)
                case ast.FunctionDef(name="__getattr__"):
                    node.args.args[0].annotation = ast.Name("str")
                    node.returns = ast.Name("object")
                    runs = ast.UnaryOp(ast.Not(), ast.Name("TYPE_CHECKING"))
                    module.body[number] = ast.If(runs, [node], [])
                case ast.FunctionDef(name="__dir__"):
                    node.returns = ast.Subscript(ast.Name("list"), ast.Name("str"))
        return ast.fix_missing_locations(module)

    def generate_init_import(self, import_: ast.ImportFrom) -> ast.ImportFrom:
        """Leave out the names that stood for a fragment."""
        import_.names = [name for name in import_.names if name.name not in self._inlined]
        return import_

    def _inline_fragments(self, module: ast.Module) -> ast.Module:
        fragments = {name: fragment for node in module.body for name, fragment in _only_fragment(node)}
        module.body = [node for node in module.body if not any(_only_fragment(node))]
        self._inlined.update(fragments)
        return cast("ast.Module", _Rename(fragments).visit(module))

    def _may_be_empty(self, parent: GraphQLCompositeType, field: FieldNode) -> bool:
        """Tell whether the schema promises a value of a scalar that has an empty one."""
        if isinstance(parent, GraphQLUnionType) or field.name.value not in parent.fields:
            return False  # `__typename`
        promised = parent.fields[field.name.value].type
        return is_non_null_type(promised) and get_named_type(promised).name in self._empty

    def _parent(self, definition: ExecutableDefinitionNode, field: FieldNode) -> GraphQLCompositeType | None:
        # By identity: nodes that are equal may stand in several places. The documents outlive this object.
        if id(definition) not in self._parents:
            finder = _Parents(TypeInfo(self.schema))
            visit(definition, TypeInfoVisitor(finder.types, finder))
            self._parents[id(definition)] = finder.found
        return self._parents[id(definition)].get(id(field))


class _Parents(Visitor):
    """Finds the type in which each field is selected."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: dict[int, GraphQLCompositeType] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self.types.get_parent_type()
        if parent is not None:
            self.found[id(node)] = parent


class _Rename(ast.NodeTransformer):
    """Replaces names, also those that ariadne-codegen quotes inside a name."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        bare = node.id.strip("'\"")
        return ast.Name(node.id.replace(bare, self._names.get(bare, bare)))


class _TimeOrText(ast.NodeTransformer):
    """Widens `datetime` to `datetime | str`."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.BinOp(node, ast.BitOr(), ast.Name("str")) if node.id == "datetime" else node


def _require_field(schema: GraphQLSchema, coordinate: str) -> None:
    type_name, _, field_name = coordinate.partition(".")
    owner = schema.type_map.get(type_name)
    if not isinstance(owner, GraphQLObjectType | GraphQLInterfaceType) or field_name not in owner.fields:
        raise UnknownFieldError(f"codegen/mapi.toml corrects {coordinate!r}, which the schema does not have")


def _annotated(annotation: ast.expr) -> ast.expr:
    marked = ast.Tuple([annotation, ast.Name("NULL_IS_EMPTY")])
    return ast.Subscript(ast.Name("Annotated"), marked)


def _rebase(class_def: ast.ClassDef, base: str) -> ast.ClassDef:
    return cast("ast.ClassDef", _Rename({"BaseModel": base}).visit(class_def))


def _only_fragment(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the name and its fragment if a statement only gives a fragment another name."""
    match node:
        case ast.ClassDef(name=name, bases=[ast.Name(id=fragment)], body=[ast.Pass()]):
            yield name, fragment
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=fragment)):
            yield name, fragment


def _import_base(module: ast.Module, base: str) -> ast.Module:
    module.body.insert(0, ast.ImportFrom("base_model", [ast.alias(base)], 1))
    return module


def _import_result(module: ast.Module) -> ast.Module:
    """Import the base of results, and what marks their fields; what is not needed is dropped later."""
    module.body.insert(0, ast.ImportFrom("typing", [ast.alias("Annotated")], 0))
    return _import_base(_import_base(module, "NULL_IS_EMPTY"), "Result")


def _simplify(field: ast.AnnAssign) -> ast.AnnAssign:
    """Spell an alias as its two halves: `alias=` would also rename the parameter that type checkers see."""
    match field.value:
        case ast.Call(keywords=[ast.keyword(arg="default", value=default)]):
            field.value = default
        case ast.Call(keywords=keywords):
            for keyword in [keyword for keyword in keywords if keyword.arg == "alias"]:
                keyword.arg = "validation_alias"
                keywords.append(ast.keyword("serialization_alias", keyword.value))
    return field


def _make_lenient(field: ast.AnnAssign) -> None:
    if isinstance(field.annotation, ast.Subscript) and ast.unparse(field.annotation.value).lower() == "list":
        default: ast.expr = ast.List([])
    else:
        field.annotation = ast.Subscript(ast.Name("Optional"), field.annotation)
        default = ast.Constant(None)
    if isinstance(field.value, ast.Call):
        field.value.keywords.append(ast.keyword("default", default))
    else:
        field.value = default


def _document(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr:
    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
    return next(keyword.value for call in calls for keyword in call.keywords if keyword.arg == "query")


def _variables(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr:
    values = (node.value for node in ast.walk(method) if isinstance(node, ast.AnnAssign))
    return next(value for value in values if value is not None)


def _add_names(table: ast.Dict, import_: ast.stmt) -> None:
    if not isinstance(import_, ast.ImportFrom):
        raise TypeError("ariadne-codegen no longer imports the documents first")
    for name in import_.names:
        table.keys.append(ast.Constant(name.name))
        table.values.append(ast.Constant(f".{import_.module}"))
