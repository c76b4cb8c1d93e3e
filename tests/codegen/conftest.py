"""A copy of the project, and the command that makes what is generated in it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

if importlib.util.find_spec("ariadne_codegen"):
    from codegen.__main__ import main
else:  # an environment that only runs the product
    collect_ignore_glob = ["test_*.py"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of everything that generation reads and writes."""
    ignore = shutil.ignore_patterns("__pycache__", ".codegen-*", "platform")
    for name in ("schema", "codegen", "generated", "mcli"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    return tmp_path


class Done(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


def run(project: Path, *arguments: str) -> Done:
    """Run `python -m codegen` on a copy of the project."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*arguments, "--config", str(project / "codegen" / "mapi.toml")])
    return Done(status, out.getvalue(), err.getvalue())


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first place of a text in a file."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
