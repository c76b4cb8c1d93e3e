"""What importing costs, and who may import whom."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mcli

PACKAGE = Path(mcli.__file__).parent

LAYERS = {
    "words": "_retry _spelling _version _warnings exceptions status vocabulary",
    "values": """_arguments _config_file _log_text _run_input _run_names _run_sections _yaml cluster_details config
        metadata run run_config run_details secret_types""",
    "the wire": "mcli_mapi",
    "wire forms": "_run_filters _training_arguments finetune finetune_config",
    "machinery": """_answers _connection _endpoint _exit _failures _link _local _loop _network _operations
        _socket _streams _transport""",
    "lists": "pages",
    "nouns": "_run_reader clusters finetunes logs pretrains runs secrets users watches",
    "doors": "__init__ aio api models objects sdk testing utils",
}
"""The client, from the bottom: a module imports from its own layer and from those above it in this table."""

HEIGHT = {module: height for height, modules in enumerate(LAYERS.values()) for module in modules.split()}

IN_FUNCTIONS = {
    ("_connection", "_local"),  # only for those who use the local platform
    ("_transport", "_socket"),  # 40 ms that a process without subscriptions saves
    ("testing", "local"),  # an extra
}
"""Imports that wait for the call."""


class Imports(ast.NodeVisitor):
    """The modules of ours that a file imports: at import, and in functions."""

    def __init__(self, file: Path) -> None:
        self.at_import: set[str] = set()
        self.in_functions: set[str] = set()
        self._found = self.at_import
        self.visit(ast.parse(file.read_text()))

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside, self._found = self._found, self.in_functions
        self.generic_visit(node)
        self._found = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # ast's name

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._add(name.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "mcli":
            for name in node.names:
                self._add(f"mcli.{name.name}")
        elif node.level > 1:  # out of its folder
            self._found.add(ast.unparse(node))
        elif node.module and not node.level:
            self._add(node.module)

    def _add(self, name: str) -> None:
        package, _, rest = name.partition(".")
        if package == "mcli_mapi":
            self._found.add(package)
        elif package == "mcli" and rest:
            self._found.add(rest.partition(".")[0])


def files() -> dict[str, Path]:
    """Return the client's files by their paths in the package."""
    return {
        str(path.relative_to(PACKAGE)): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] != "local"
    }


def module(file: str) -> str:
    return Path(file).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", files())
def test_imports_run_one_way(file: str) -> None:
    """A module imports nothing that stands after it in the table of layers."""
    imports = _names(files()[file]) - {"local"}
    assert set() == {other for other in imports if HEIGHT.get(other, 99) > HEIGHT[module(file)]}


def test_no_import_is_circular() -> None:
    """Modules can be put in an order in which each imports earlier ones only."""
    graph = {module(file): Imports(path).at_import for file, path in files().items() if "/" not in file}
    assert len(graph) <= len(list(TopologicalSorter(graph).static_order()))


def test_imports_in_functions_have_a_reason() -> None:
    """An import waits for the call only where the table names it."""
    waiting = {
        (module(file), other) for file, path in files().items() for other in Imports(path).in_functions
    }
    assert IN_FUNCTIONS == waiting


def test_the_local_platform_meets_the_client_on_the_wire_only() -> None:
    """The local platform imports nothing of the client, and the client nothing of it, but for tests."""
    of_local = {other for path in (PACKAGE / "local").rglob("*.py") for other in _names(path)}
    assert set() == of_local - {"local"}
    assert {"testing"} == {module(file) for file, path in files().items() if "local" in _names(path)}


def _names(path: Path) -> set[str]:
    imports = Imports(path)
    return imports.at_import | imports.in_functions


def imported_by(code: str) -> set[str]:
    """Return the modules that a new interpreter has after this code."""
    program = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_imports_little() -> None:
    """`import mcli` brings in none of the libraries below it, nor asyncio."""
    assert set() == {"httpx", "pydantic", "websockets", "yaml", "asyncio", "mcli_mapi"} & imported_by(
        "import mcli"
    )


def test_configuring_needs_no_network() -> None:
    """A name brings in what it needs: configurations and statuses need no network."""
    loaded = imported_by("import mcli\nmcli.RunConfig, mcli.RunStatus, mcli.MAPIException")
    assert set() == {"httpx", "pydantic", "websockets", "asyncio", "mcli_mapi"} & loaded


def test_calls_need_no_websockets() -> None:
    """Who subscribes to nothing does not import websockets."""
    assert set() == {"websockets", "pandas", "yaml"} & imported_by(
        "import mcli\nmcli.get_run, mcli.create_run"
    )
