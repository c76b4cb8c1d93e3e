"""What importing costs, and who may import whom."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mcli

PACKAGE = Path(mcli.__file__).parent
ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"

LATE = "cli"
"""Commands import the SDK when they run: `mcli --help` and completion answer without it."""

IN_FUNCTIONS = {
    ("_core.operations", "_core.background"),  # asyncio, 40 ms that a program without futures saves
    ("_core.process", "_core.loop"),  # asyncio, too: only where something was opened with it
    ("_core.transport", "_core.endpoint"),  # asyncio, too
    ("_core.transport", "_core.loop"),  # asyncio, too
    ("_core.connection", "_core.local"),  # only for those who use the local platform
    ("_core.transport", "_core.socket"),  # 40 ms that a process without subscriptions saves
    ("cluster_details", "_display"),  # only notebooks show HTML
    ("pages", "_display"),
    ("run", "_display"),
    ("platform", "platform.service"),  # the platform's parts are also programs, which must not load a server
    ("platform.commands", "platform.execution.slurm"),  # asyncio and what else only `serve` needs
    ("platform.commands", "platform.service"),  # the other commands would take twice as long with it
    ("testing.plugin", "testing"),  # pytest imports the plugin in every project
    ("testing.plugin", "testing.platform"),
}
"""Imports that wait for the call."""


def layers(half: str) -> list[list[str]]:
    """Return the lines of a table of `docs/architecture.md`, from the bottom, each as its modules or folders."""
    table = re.search(rf"```imports {half}\n(.*?)```", ARCHITECTURE.read_text("utf-8"), re.DOTALL)
    assert table
    rows = re.split(r"\n(?=\S)", table[1].rstrip())
    return [re.split(r"\s{2,}", row, maxsplit=1)[1].split() for row in rows]


HEIGHT = {
    half: {each: height for height, row in enumerate(layers(half)) for each in row}
    for half in ("client", "platform")
}


class Imports(ast.NodeVisitor):
    """The modules of ours that a file imports, by their names below `mcli`: at import, and in functions."""

    def __init__(self, file: Path) -> None:
        self.at_import: set[str] = set()
        self.in_functions: set[str] = set()
        self._found = self.at_import
        self.visit(ast.parse(file.read_text("utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside, self._found = self._found, self.in_functions
        self.generic_visit(node)
        self._found = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._add(name.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            self._found.add(ast.unparse(node))  # of no layer: imports are absolute
        elif _is_package(module):
            for name in node.names:
                self._add(f"{module}.{name.name}" if _exists(f"{module}.{name.name}") else module)
        else:
            self._add(module)

    def _add(self, name: str) -> None:
        package, _, rest = name.partition(".")
        if package == "mcli_mapi":
            self._found.add(package)
        elif package == "mcli" and rest:
            self._found.add(rest)


def _path(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])


def _is_package(module: str) -> bool:
    return module.partition(".")[0] == "mcli" and _path(module).is_dir()


def _exists(module: str) -> bool:
    return _path(module).is_dir() or _path(module).with_suffix(".py").exists()


def files() -> dict[str, Path]:
    """Return the files of the package by the names of their modules below `mcli`; its own is `__init__`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
        found[".".join(name)] = path
    return found


MODULES = files()


def height(module: str) -> int | None:
    """Return the line of its half's table that a module stands in, or None if it stands in none."""
    first, _, rest = module.partition(".")
    half, name = ("platform", rest or "__init__") if first == "platform" else ("client", module)
    table = HEIGHT[half]
    return table.get(name, table.get(name.partition(".")[0]))


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    """A module imports nothing that stands below it in its table of `docs/architecture.md`."""
    own = height(module)
    assert own is not None, "it stands in no table"
    imported = {each for each in _all(module) if not _meets_the_other_half(module, each)}
    assert set() == {each for each in imported if (found := height(each)) is None or found > own}


@pytest.mark.parametrize("part", ["", "platform"])
def test_no_import_is_circular(part: str) -> None:
    """Modules can be put in an order in which each imports earlier ones only."""
    graph = {name: Imports(path).at_import for name, path in MODULES.items()}
    ours = {name: others for name, others in graph.items() if name.startswith("platform") == bool(part)}
    assert len(ours) <= len(list(TopologicalSorter(ours).static_order()))


def test_imports_in_functions_have_a_reason() -> None:
    """An import waits for the call only where the table names it."""
    waiting = {
        (name, other)
        for name, path in MODULES.items()
        if name.partition(".")[0] != LATE
        for other in Imports(path).in_functions
    }
    assert IN_FUNCTIONS == waiting


def test_the_platform_meets_the_client_on_the_wire_only() -> None:
    """The platform imports nothing of the client, and the client nothing of it, but for tests and the command."""
    of_platform = {other for name in MODULES if name.startswith("platform") for other in _all(name)}
    assert set() == {other for other in of_platform if not other.startswith("platform")}
    users = {name for name in MODULES if not name.startswith("platform") and _uses_platform(name)}
    assert {"cli", "testing"} == {name.partition(".")[0] for name in users}


def _all(module: str) -> set[str]:
    imports = Imports(MODULES[module])
    return imports.at_import | imports.in_functions


def _uses_platform(module: str) -> bool:
    return any(other.partition(".")[0] == "platform" for other in _all(module))


def _meets_the_other_half(module: str, other: str) -> bool:
    """Tell whether the testing kit or the command, which bring both halves together, import the platform."""
    return module.partition(".")[0] in {"cli", "testing"} and other.partition(".")[0] == "platform"


def imported_by(code: str) -> set[str]:
    """Return the modules that a new interpreter has after this code."""
    program = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


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
