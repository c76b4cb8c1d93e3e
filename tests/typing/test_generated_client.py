"""What type checkers make of a generated client: that of an API with everything awkward."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ariadne_codegen", reason="only environments for development can generate")
from codegen.__main__ import main

ZOO = Path(__file__).parents[1] / "codegen" / "awkward"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the package of the other API."""
    folder = tmp_path_factory.mktemp("zoo")
    shutil.copytree(ZOO, folder, dirs_exist_ok=True)
    assert main(["--config", str(folder / "zoo.toml")]) == 0
    return folder / "generated"


def checked(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_mypy_accepts_the_generated_client(generated: Path) -> None:
    """`mypy --strict` finds nothing, whatever the names."""
    pytest.importorskip("mypy")
    assert "" == checked(["mypy", "--strict", "--cache-dir", ".mypy", "zoo_api"], generated)


def test_pyright_accepts_the_generated_client(generated: Path) -> None:
    """Strict pyright finds nothing, whatever the names."""
    pytest.importorskip("pyright")
    settings = {"include": ["zoo_api"], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (generated / "pyrightconfig.json").write_text(json.dumps(settings))
    assert "" == checked(["pyright", "--pythonpath", sys.executable], generated)
