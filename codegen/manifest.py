"""The list of all operations, for machines: what is sent, under which digest, and what comes back."""

from __future__ import annotations

import ast
import hashlib
import json
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, OperationDefinitionNode, print_ast

from codegen.sources import line_of

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.sources import Sources

__all__ = ["manifest"]


def manifest(sources: Sources, package: Path) -> str:
    """Return the manifest of a package, as JSON.

    The digest is the SHA-256 of the text that is sent, as servers with a list of trusted documents want it.
    """
    written = {
        node.name.value: node
        for node in sources.operations.definitions
        if isinstance(node, OperationDefinitionNode) and node.name
    }
    entries = [
        _entry(sources, written[name], text, result)
        for name, (text, result) in sorted(_sent(package).items())
    ]
    return json.dumps({"operations": entries}, indent=2) + "\n"


def _entry(sources: Sources, node: OperationDefinitionNode, text: str, result: str) -> dict[str, Any]:
    file, line = line_of(node)
    root = sources.schema.get_root_type(node.operation)
    fields = [each.name.value for each in node.selection_set.selections if isinstance(each, FieldNode)]
    return {
        "name": node.name.value if node.name else "",
        "kind": node.operation.value,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "source": {"file": file, "line": line},
        "variables": {each.variable.name.value: print_ast(each.type) for each in node.variable_definitions},
        "result": result,
        "answers": {name: str(root.fields[name].type) for name in fields if root and name in root.fields},
    }


def _sent(package: Path) -> dict[str, tuple[str, str]]:
    """Return the text of each operation as the package sends it, and the class of its result."""
    texts = {
        node.targets[0].id: node.value.value
        for node in ast.parse((package / "operations.py").read_text("utf-8")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    found = {}
    for node in ast.walk(ast.parse((package / "client.py").read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="execute" | "subscribe"),
                args=[ast.Name(id=result), ast.Name(id=document), ast.Constant(value=str(name)), _],
            ):
                text = texts[document]
                found[name] = str(text), result
    return found
