"""Make the generated package, its manifest, and the doors of `mcli`.

`python -m codegen` writes; `python -m codegen --check` writes nothing and fails if something is not what its sources
give. Either says which deprecated parts of the schema are used. `codegen/README.md` tells how to use it for another
API.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from codegen import files, names, nulls
from codegen.deprecations import warnings_about
from codegen.manifest import manifest
from codegen.package import GenerationError, make, style
from codegen.settings import DEFAULT, Settings, SettingsError, load
from codegen.sources import SourceError, Sources, read
from codegen.usage import uses


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m codegen", description="Make what follows from the schema.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it is not up to date")
    parser.add_argument(
        "--fail-on-deprecated", action="store_true", help="fail if something deprecated is used"
    )
    parser.add_argument("--config", type=Path, default=DEFAULT, help="settings of the API (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config)
        sources = read(settings)
        warned = _warn(sources)
        status = _run(settings, sources, check=options.check)
    except (GenerationError, names.NamesError, SettingsError, SourceError) as error:
        print(f"{error}\ncodegen: everything is left as it was.", file=sys.stderr)
        return 1
    return max(status, int(warned and options.fail_on_deprecated))


def _warn(sources: Sources) -> bool:
    lines = list(warnings_about(sources.schema, uses(sources.schema, sources.operations)))
    for line in lines:
        print(f"codegen: {line}", file=sys.stderr)
    return bool(lines)


def _run(settings: Settings, sources: Sources, *, check: bool) -> int:
    # Beside the package, so that putting it there is a rename.
    settings.package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.package.parent, prefix=".codegen-") as name:
        folder = Path(name)
        texts = _doors(settings, folder)
        fresh = make(settings, sources, folder)
        texts |= {settings.manifest: manifest(sources, fresh)} | _defaults(settings, sources)
        texts |= {module.PATH: module.text() for module in map(importlib.import_module, settings.extras)}
        stale = names.stale(settings.doors, texts) if settings.doors else []
        if check:
            actual = {path: path.read_text("utf-8") for path in [*texts, *stale] if path.exists()}
            expected = files.contents(fresh, settings.package) | texts
            return files.report(settings, files.contents(settings.package) | actual, expected)
        files.swap(settings.package, fresh, folder)
        files.write(texts, stale)
    return 0


def _doors(settings: Settings, folder: Path) -> dict[Path, str]:
    """Return the text of each module and stub that follows from the table of public names."""
    if settings.doors is None or settings.import_paths is None or not settings.doors.is_dir():
        return {}
    texts = names.texts(settings.doors, settings.import_paths)
    drafts = {path: folder / "doors" / path.relative_to(settings.doors) for path in texts}
    for path, draft in drafts.items():
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(texts[path], "utf-8")
    style(folder / "doors")
    return {path: draft.read_text("utf-8") for path, draft in drafts.items()}


def _defaults(settings: Settings, sources: Sources) -> dict[Path, str]:
    """Return the text with the list of fields whose null is read as a default."""
    if settings.defaults is None:
        return {}
    selected = [use.coordinate for use in uses(sources.schema, sources.operations) if not use.sends]
    table = nulls.table(settings, sources.schema, selected)
    try:
        return {settings.defaults: nulls.with_table(settings.defaults.read_text("utf-8"), table)}
    except (OSError, ValueError) as error:
        raise GenerationError(f"{settings.shown(settings.defaults)}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
