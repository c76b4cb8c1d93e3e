"""Write the doors of `mcli`: stubs and re-exporting modules, from the table of public names in `mcli/__init__.py`.

`mcli/__init__.py` has the one list of public names, each under the module that it lives in. From it come

* `mcli/__init__.pyi` and `mcli/aio.pyi`, so that editors and checkers see names that are loaded lazily;
* `mcli/sdk.py` and the import paths of older programs, which `codegen/paths.toml` lists.
"""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEADER", "NamesError", "stale", "texts"]

HEADER = "# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.\n"

# Editors find no docstring in `aio.py`, whose calls are made when they are asked for.
_RULES = "# ruff: noqa: A002, ASYNC109, PYI021 - what the calls are like; editors show the docstrings\n"


class NamesError(Exception):
    """The table of names or the list of import paths does not fit the modules."""


class Names:
    """The public names of a package, by the modules that they live in."""

    def __init__(self, package: Path) -> None:
        self.package = package
        tables = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in _parse(package / "__init__.py").body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in {"_CALLS", "_OTHERS", "_MODULES"}
        }
        self.calls: dict[str, tuple[str, ...]] = tables["_CALLS"]
        others: dict[str, tuple[str, ...]] = tables["_OTHERS"]
        self.modules: tuple[str, ...] = tables["_MODULES"]
        self.homes = {
            module: sorted({*self.calls.get(module, ()), *others.get(module, ())})
            for module in sorted(self.calls.keys() | others)
        }
        self._refuse_twice()
        for module, names in self.homes.items():
            self._require(module, names)

    def _refuse_twice(self) -> None:
        listed = [name for names in self.homes.values() for name in names]
        if twice := sorted({name for name in listed if listed.count(name) > 1}):
            raise NamesError(f"mcli/__init__.py lists {', '.join(twice)} under more than one module")

    def source(self, module: str) -> ast.Module:
        """Return the syntax tree of a module."""
        path = self.package.joinpath(*module.split(".")).with_suffix(".py")
        if not path.exists():
            raise NamesError(f"there is no module mcli.{module}, under which names are listed")
        return _parse(path)

    def _require(self, module: str, names: list[str]) -> None:
        defined = {name for node in self.source(module).body for name in _defined(node)}
        if missing := [name for name in names if name not in defined]:
            raise NamesError(f"mcli.{module} does not define {', '.join(missing)}")

    def find(self, entry: str) -> tuple[str, list[str]]:
        """Return the module and the names that `module` or `module.name` of the list of import paths stands for."""
        if entry in self.homes:
            return entry, self.homes[entry]
        module, _, name = entry.rpartition(".")
        if not module:
            raise NamesError(f"codegen/paths.toml names {entry!r}, a module without public names")
        self._require(module, [name])
        return module, [name]


def texts(package: Path, paths: Path) -> dict[Path, str]:
    """Return the text of each module and stub that follows from the table of names, before it is formatted."""
    names = Names(package)
    written = {package / "__init__.pyi": _stub(names), package / "aio.pyi": _aio_stub(names)}
    listed: dict[str, list[str]] = tomllib.loads(paths.read_text("utf-8"))["paths"]
    for path, entries in listed.items():
        file = package.joinpath(*path.split("."))
        is_package = file.is_dir() or any(other.startswith(f"{path}.") for other in listed)
        file = file / "__init__.py" if is_package else file.with_suffix(".py")
        written[file] = _reexports([names.find(entry) for entry in entries])
    homes = [(module, found) for module, found in names.homes.items() if module != "_version"]
    return written | {package / "sdk.py": _reexports(homes)}


def stale(package: Path, written: dict[Path, str]) -> list[Path]:
    """Return the files that once were written here and that nothing asks for any more."""
    files = [*package.rglob("*.py"), *package.rglob("*.pyi")]
    return [
        path for path in sorted(files) if path not in written and path.read_text("utf-8").startswith(HEADER)
    ]


def _stub(names: Names) -> str:
    # `as` says that a stub gives a name on; jedi looks at nothing else.
    imports = "\n".join(
        f"from mcli.{module} import {name} as {name}"
        for module, found in names.homes.items()
        for name in found
    )
    modules = "\n".join(f"from mcli import {module} as {module}" for module in sorted(names.modules))
    everything = sorted(name for found in names.homes.values() for name in found)
    return f"{HEADER}\n{modules}\n{imports}\n\n__all__ = {everything}\n"


def _reexports(found: list[tuple[str, list[str]]]) -> str:
    listed = sorted(name for _, names in found for name in names)
    listing = f"\n{_imports(found)}\n__all__ = {listed}\n" if listed else ""
    return f'{HEADER}\n"""An import path of older programs; `mcli` has every public name."""\n{listing}'


def _imports(found: list[tuple[str, list[str]]]) -> str:
    return "".join(f"from mcli.{module} import {', '.join(names)}\n" for module, names in found if names)


def _aio_stub(names: Names) -> str:
    """Return a stub with the whole signature of each call: unused imports are for ruff to drop."""
    imports: dict[str, str] = {}
    calls = []
    for module, listed in sorted(names.calls.items()):
        tree = names.source(module)
        imports |= _importable(tree, f"mcli.{module}", imports)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        if missing := [name for name in listed if name not in functions]:
            raise NamesError(f"mcli.{module} has no function {', '.join(missing)}, which is listed as a call")
        calls += [_asynchronous(functions[name]) for name in listed]
    everything = sorted(name for listed in names.calls.values() for name in listed)
    needed = {line for name, line in imports.items() if name not in everything}
    head = f"{HEADER}{_RULES}\n" + "\n".join(sorted(needed))
    bodies = [ast.unparse(ast.fix_missing_locations(call)) for call in sorted(calls, key=lambda it: it.name)]
    return "\n\n".join([head, f"__all__ = {everything}", *bodies]) + "\n"


def _importable(tree: ast.Module, module: str, known: dict[str, str]) -> dict[str, str]:
    """Return how each name that a module knows is imported, its own definitions included."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(origin), names=aliases) if origin != "__future__":
                found |= {each.asname or each.name: _one_import(origin, each) for each in aliases}
            case ast.Import(names=aliases):
                found |= {each.asname or each.name: f"import {ast.unparse(each)}" for each in aliases}
    own = {name for node in tree.body for name in _defined(node) if not name.startswith("__")}
    found |= {name: f"from {module} import {name}" for name in own if name not in found}
    # `TYPE_CHECKING` and the like may differ; a name of two meanings in annotations would be told by the checkers.
    return {name: line for name, line in found.items() if name not in known}


def _one_import(origin: str, name: ast.alias) -> str:
    return f"from {origin} import {ast.unparse(name)}"


def _asynchronous(call: ast.FunctionDef) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Return the form for asyncio of a function that prepares a call."""
    match call.returns:
        case ast.Subscript(value=ast.Name(id="Coroutine"), slice=ast.Tuple(elts=[_, _, result])):
            make: type[ast.FunctionDef | ast.AsyncFunctionDef] = ast.AsyncFunctionDef
        case ast.Subscript(
            value=ast.Name(id="AsyncGenerator"),
            slice=ast.Tuple(elts=[ast.Subscript(slice=item), _]) | ast.Subscript(slice=item),
        ):
            make, result = ast.FunctionDef, ast.Name(f"AsyncGenerator[{ast.unparse(item)}, None]")
        case other:
            raise NamesError(f"{call.name} returns {other and ast.unparse(other)}: not the form of a call")
    # a default that has a name is not for stubs to tell
    call.args.kw_defaults = [
        ast.Constant(...) if isinstance(each, ast.Name) else each for each in call.args.kw_defaults
    ]
    first = (ast.get_docstring(call) or "").partition("\n")[0]
    body: list[ast.stmt] = [ast.Expr(ast.Constant(f"{first}\n\n    See `mcli.{call.name}`.\n    "))]
    return make(call.name, call.args, body, [], result)


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.ImportFrom(names=aliases):
            return [each.asname or each.name for each in aliases]
    return []


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))
