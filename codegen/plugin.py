"""Our hooks into ariadne-codegen: bases, names, nulls, open types, docstrings, one-line methods over a transport."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, cast

from ariadne_codegen.plugins.base import Plugin
from graphql import (
    FieldNode,
    GraphQLInputField,
    GraphQLNonNull,
    GraphQLScalarType,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Undefined,
    VariableDefinitionNode,
    Visitor,
    is_specified_scalar_type,
    parse,
    print_ast,
    visit,
)

from codegen import rewriting
from codegen.nulls import default_of, field_of
from codegen.spelling import enum_member, field_name
from codegen.unions import open_typename, open_union

if TYPE_CHECKING:
    from graphql import (
        ExecutableDefinitionNode,
        FragmentDefinitionNode,
        GraphQLEnumType,
        GraphQLField,
        GraphQLInputObjectType,
        GraphQLNamedType,
        GraphQLSchema,
        Node,
        SelectionSetNode,
    )

    from codegen.settings import Settings
    from codegen.spelling import Spelling

__all__ = ["PackagePlugin", "WirePlugin"]

# ariadne-codegen's hooks name some parameters that we do not need.
# ruff: noqa: ARG002


class WirePlugin(Plugin):
    """Gives documents the names that travel; ariadne-codegen knows things by their names in Python."""

    def generate_operation_str(
        self, operation_str: str, operation_definition: ExecutableDefinitionNode
    ) -> str:
        """Return the document as it is sent."""
        spelling: Spelling = self.config_dict["spelling"]
        return print_ast(spelling.as_sent(parse(operation_str)))


class PackagePlugin(Plugin):
    """Makes of ariadne-codegen's package the one that `codegen/runtime` is written for."""

    def __init__(self, schema: GraphQLSchema, config_dict: dict[str, Any]) -> None:
        super().__init__(schema, config_dict)
        self._settings: Settings = config_dict["settings"]
        self._wire_schema: GraphQLSchema = config_dict["wire_schema"]
        self._spelling: Spelling = config_dict["spelling"]
        self._inlined: set[str] = set()
        self._parents: dict[int, dict[int, GraphQLNamedType]] = {}
        self._fields: dict[int, rewriting.Described] = {}
        self._variables: dict[int, str] = {}
        scalars = self._settings.scalars
        self._widened = {
            get["type"].rpartition(".")[2]: get["input"] for get in scalars.values() if "input" in get
        }
        self._annotations = {name.rpartition(".")[2] for name in [get["type"] for get in scalars.values()]}

    def process_name(self, name: str, node: Node | None = None) -> str:
        """Keep a digit with the word before it (`s3_secret`, not `s_3_secret`), and mend what is taken."""
        name = re.sub(r"(?<=[a-z])_(?=\d)", "", name)
        match node:
            case FieldNode():
                return field_name(
                    name, node.name.value, {"self", *self._annotations, *self._spelling.classes}
                )
            case GraphQLInputField():
                return field_name(name, name, {"self", *self._annotations, *self._spelling.classes})
            case VariableDefinitionNode():
                return self._variables.get(id(node)) or field_name(name, node.variable.name.value, {"self"})
        return name

    def name_variables(self, operation: OperationDefinitionNode, names: list[str]) -> None:
        """Decide the names of an operation's arguments, no two alike."""
        taken = {"self"}
        for definition, name in zip(operation.variable_definitions, names, strict=True):
            python = field_name(name, definition.variable.name.value, taken)
            taken.add(python)
            self._variables[id(definition)] = python

    def generate_enum(self, class_def: ast.ClassDef, enum_type: GraphQLEnumType) -> ast.ClassDef:
        """Derive enums from the one that keeps values it does not know."""
        body: list[ast.stmt] = []
        for (name, value), member in zip(enum_type.values.items(), class_def.body, strict=True):
            cast("ast.Assign", member).targets = [ast.Name(enum_member(name))]
            described = rewriting.Described(name, value.description, value.deprecation_reason)
            body += [member, *rewriting.docstring(described)]
        about = rewriting.docstring(rewriting.Described(enum_type.name, enum_type.description))
        return ast.ClassDef(class_def.name, [ast.Name("OpenEnum")], [], [*about, *body], [])

    def generate_enums_module(self, module: ast.Module) -> ast.Module:
        """Import the base of enums."""
        return rewriting.import_bases(module, "OpenEnum")

    def generate_input_class(
        self, class_def: ast.ClassDef, input_type: GraphQLInputObjectType
    ) -> ast.ClassDef:
        """Derive input types from the base that forbids unknown fields."""
        rewriting.rebase(class_def, "OneOf" if input_type.is_one_of else "Input")
        # ariadne-codegen describes fields itself, but says nothing of deprecations.
        class_def.body = [
            node for node in class_def.body if not rewriting.is_text(node, after=class_def.body[0])
        ]
        return rewriting.describe_fields(class_def, self._fields)

    def generate_input_field(
        self, field_implementation: ast.AnnAssign, input_field: GraphQLInputField, field_name: str
    ) -> ast.AnnAssign:
        """Let a time also be text, which is sent as the user wrote it."""
        described = rewriting.Described(field_name, input_field.description, input_field.deprecation_reason)
        self._fields[id(field_implementation)] = described
        annotation = rewriting.Widen(self._widened).visit(field_implementation.annotation)
        field_implementation.annotation = annotation
        if input_field.default_value is not Undefined and not _is_plain(input_field):
            rewriting.without_default(field_implementation)
        return rewriting.simplify(field_implementation)

    def generate_inputs_module(self, module: ast.Module) -> ast.Module:
        """Import the bases of input types."""
        return rewriting.import_bases(module, "Input", "OneOf")

    def generate_result_class(
        self,
        class_def: ast.ClassDef,
        operation_definition: ExecutableDefinitionNode,
        selection_set: SelectionSetNode,
    ) -> ast.ClassDef:
        """Derive result types from the base that ignores unknown fields."""
        return rewriting.describe_fields(rewriting.rebase(class_def, "Result"), self._fields)

    def generate_result_field(
        self,
        field_implementation: ast.AnnAssign,
        operation_definition: ExecutableDefinitionNode,
        field: FieldNode,
    ) -> ast.AnnAssign:
        """Apply the rule for nulls, and keep unions, interfaces and `__typename` open."""
        wire_name = field.alias.value if field.alias else field.name.value
        parent = self._parent(operation_definition, field)
        found = field_of(parent, field.name.value)
        annotation = field_implementation.annotation
        if field.name.value == "__typename":
            field_implementation.annotation = open_typename(annotation, self.schema, self._spelling)
        elif parent is not None and found is not None:
            field_implementation.annotation = open_union(annotation, found.type, self.schema, self._spelling)
            self._bear_nulls(field_implementation, f"{self._wire(parent)}.{field.name.value}", found)
        told = (found.description, found.deprecation_reason) if found is not None else (None, None)
        self._fields[id(field_implementation)] = rewriting.Described(wire_name, *told)
        return rewriting.simplify(field_implementation)

    def _bear_nulls(self, field: ast.AnnAssign, coordinate: str, found: GraphQLField) -> None:
        if coordinate in self._settings.lenient:
            rewriting.make_lenient(field)
        elif default_of(self._settings, self._wire_schema, coordinate) is not None:
            marked = ast.Tuple([field.annotation, ast.Name("NULL_IS_EMPTY")])
            field.annotation = ast.Subscript(ast.Name("Annotated"), marked)

    def generate_result_types_module(
        self, module: ast.Module, operation_definition: ExecutableDefinitionNode
    ) -> ast.Module:
        """Import the bases of result types, and use fragments under their own names."""
        return rewriting.import_for_results(self._inline_fragments(module))

    def generate_fragments_module(
        self, module: ast.Module, fragments_definitions: dict[str, FragmentDefinitionNode]
    ) -> ast.Module:
        """Import the bases of result types, and use fragments under their own names."""
        return rewriting.import_for_results(self._inline_fragments(module))

    def generate_client_method(
        self,
        method_def: ast.FunctionDef | ast.AsyncFunctionDef,
        operation_definition: OperationDefinitionNode,
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Hand result type, document, name and variables to the transport: that is all a method does."""
        if operation_definition.name is None or method_def.returns is None:
            raise TypeError("ariadne-codegen made a method without a name or a result")
        wire_name = self._spelling.wire_operations[operation_definition.name.value]
        result = (
            method_def.returns.slice if isinstance(method_def.returns, ast.Subscript) else method_def.returns
        )
        document, variables = rewriting.document_of(method_def), rewriting.variables_of(method_def)
        streams = operation_definition.operation is OperationType.SUBSCRIPTION
        send = ast.Attribute(
            ast.Attribute(ast.Name("self"), "transport"), "subscribe" if streams else "execute"
        )
        call = ast.Call(send, [result, document, ast.Constant(wire_name), variables], [])
        # Imported when it is first called, so that a program loads only the models that it uses.
        load = ast.ImportFrom(method_def.name, [ast.alias(ast.unparse(result))], 1)
        about = rewriting.docstring(self._about(operation_definition))
        body: list[ast.stmt] = [*about, load, ast.Return(call if streams else ast.Await(call))]
        method_def.args.kwarg = None
        make = ast.FunctionDef if streams else ast.AsyncFunctionDef
        method = make(method_def.name, method_def.args, body, [], method_def.returns)
        return ast.fix_missing_locations(method)

    def _about(self, operation: OperationDefinitionNode) -> rewriting.Described:
        """Return what the schema says of the fields that an operation asks for."""
        root = self.schema.get_root_type(operation.operation)
        names = [
            node.name.value for node in operation.selection_set.selections if isinstance(node, FieldNode)
        ]
        found = [each for each in (field_of(root, name) for name in names) if each is not None]
        texts = [each.description for each in found if each.description]
        reasons = [each.deprecation_reason for each in found if each.deprecation_reason is not None]
        about, why = "\n\n".join(dict.fromkeys(texts)), "; ".join(dict.fromkeys(reasons))
        return rewriting.Described("", about or None, why if reasons else None)

    def generate_client_module(self, module: ast.Module) -> ast.Module:
        """Drop the function that only marked documents for editors."""
        module.body = [node for node in module.body if not isinstance(node, ast.FunctionDef)]
        return module

    def generate_init_module(self, module: ast.Module) -> ast.Module:
        """Load the documents lazily too, and type the hooks."""
        return rewriting.lazy_documents(module)

    def generate_init_import(self, import_: ast.ImportFrom) -> ast.ImportFrom:
        """Leave out the names that stood for a fragment."""
        import_.names = [name for name in import_.names if name.name not in self._inlined]
        return import_

    def _inline_fragments(self, module: ast.Module) -> ast.Module:
        fragments = {
            name: fragment for node in module.body for name, fragment in rewriting.only_fragment(node)
        }
        module.body = [node for node in module.body if not any(rewriting.only_fragment(node))]
        self._inlined.update(fragments)
        return cast("ast.Module", rewriting.Rename(fragments).visit(module))

    def _wire(self, kind: GraphQLNamedType) -> str:
        return self._spelling.wire_types.get(kind.name, kind.name)

    def _parent(self, definition: ExecutableDefinitionNode, field: FieldNode) -> GraphQLNamedType | None:
        # By identity: nodes that are equal may stand in several places. The documents outlive this object.
        if id(definition) not in self._parents:
            finder = _Parents(TypeInfo(self.schema))
            visit(definition, TypeInfoVisitor(finder.types, finder))
            self._parents[id(definition)] = finder.found
        return self._parents[id(definition)].get(id(field))


def _is_plain(field: GraphQLInputField) -> bool:
    """Tell whether the default of an input's field is a text, a number or a flag, which Python has too."""
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    is_plain = isinstance(kind, GraphQLScalarType) and is_specified_scalar_type(kind) and kind.name != "ID"
    return is_plain and field.default_value is not None


class _Parents(Visitor):
    """Finds the type in which each field is selected."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: dict[int, GraphQLNamedType] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self.types.get_parent_type()
        if parent is not None:
            self.found[id(node)] = parent
