"""What one API needs said about it: a TOML file, by default `codegen/mapi.toml`. Nothing else here knows of MAPI."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["DEFAULT", "Settings", "SettingsError", "load"]

DEFAULT = Path(__file__).parent / "mapi.toml"


class SettingsError(Exception):
    """The file of settings cannot be read, or does not say what it must."""


@dataclass(frozen=True)
class Settings:
    """Where the sources are, what is made of them, and where a schema promises too much."""

    file: Path
    """The TOML file. Its paths are relative to its folder."""
    schema: Path
    """The schema, as one `.graphql` file."""
    operations: Path
    """Folder of the `.graphql` files with the operations that are sent."""
    root: Path
    """Folder that paths in messages and in generated files start from."""
    package: Path
    """Folder of the generated package; its name is the package's."""
    manifest: Path
    """JSON file that lists the operations."""
    client: str = "Client"
    """Name of the class that has a method for each operation."""
    api_key: str = ""
    """Environment variable of the key that an endpoint asks for, sent as `Authorization`."""
    readers: tuple[Path, ...] = ()
    """Folders of the code that reads the generated types, for the report on coverage."""
    scalars: dict[str, dict[str, str]] = field(default_factory=dict)
    """Python's `type` of each scalar; with `input`, what an input takes as well."""
    empty: frozenset[str] = frozenset()
    """Scalars whose null is read as their empty value, although the schema promises one."""
    fatal: dict[str, str] = field(default_factory=dict)
    """Fields of these scalars whose null fails an answer all the same, each with the reason."""
    lenient: dict[str, str] = field(default_factory=dict)
    """Fields that the schema promises and an answer may lack, each with the reason."""
    defaults: Path | None = None
    """Markdown file with a marked place for the list of fields whose null is read as a default."""
    doors: Path | None = None
    """Package that has a table of public names in its `__init__.py`."""
    extras: tuple[str, ...] = ()
    """Modules that make one file more each: `PATH`, and `text()`."""
    import_paths: Path | None = None
    """TOML file of the import paths of older programs."""

    def shown(self, path: Path) -> str:
        """Return a path for people: from `root`, if it is below that."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


_PATHS = {"root", "schema", "operations", "package", "manifest", "defaults", "doors", "import_paths"}
_REQUIRED = ("schema", "operations", "package", "manifest")


def load(file: Path = DEFAULT) -> Settings:
    """Read the settings of one API.

    Raises:
        SettingsError: The file is not there, is not TOML, or lacks something.
    """
    try:
        given: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    if missing := [name for name in _REQUIRED if name not in given]:
        raise SettingsError(f"{file} must say {', '.join(missing)}")
    nulls = given.pop("nulls", {})
    given |= {"empty": frozenset(nulls.get("empty", ())), "fatal": nulls.get("fatal", {})}
    given.setdefault("root", "..")
    folder = file.resolve().parent
    for name in _PATHS & given.keys():
        given[name] = (folder / given[name]).resolve()
    given["readers"] = tuple((folder / path).resolve() for path in given.get("readers", ()))
    try:
        return Settings(file=file.resolve(), **given)
    except TypeError as error:
        raise SettingsError(f"{file}: {error}") from error
