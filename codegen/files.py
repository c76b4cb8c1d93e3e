"""Files that are made: compared with what is there, or written in its place."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from codegen.settings import Settings

__all__ = ["contents", "report", "swap", "write"]


def contents(package: Path, home: Path | None = None) -> dict[Path, str]:
    """Return the text of every file of a package, by its path there or in `home`; nothing if there is no package."""
    paths = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {(home or package) / path.relative_to(package): path.read_text("utf-8") for path in paths}


def report(settings: Settings, actual: Mapping[Path, str], expected: Mapping[Path, str]) -> int:
    """Print how the files that are there differ from what they should be, and return 1 if they do."""
    stale = [path for path in sorted(actual.keys() | expected) if actual.get(path) != expected.get(path)]
    for path in stale:
        difference = difflib.unified_diff(
            actual.get(path, "").splitlines(keepends=True),
            expected.get(path, "").splitlines(keepends=True),
            f"{settings.shown(path)} (committed)" if path in actual else "/dev/null",
            f"{settings.shown(path)} (from its sources)" if path in expected else "/dev/null",
        )
        sys.stdout.writelines(difference)
    if stale:
        names = ", ".join(map(settings.shown, stale))
        print(f"codegen: not up to date: {names}. Run `python -m codegen`.", file=sys.stderr)
    return 1 if stale else 0


def swap(old: Path, new: Path, folder: Path) -> None:
    """Put a package in the place of another one; what the new one lacks is gone."""
    if old.exists():
        old.rename(folder / "old")
    new.rename(old)


def write(texts: Mapping[Path, str], stale: Iterable[Path]) -> None:
    """Write the files that changed, and remove those that nothing asks for any more."""
    for path, text in texts.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for path in stale:
        path.unlink()
