"""Plant faults in a copy of `mcli/`, one at a time, and see whether the tests notice: `nox -s planted`.

Prints one line for each fault, and fails where fewer than 29 in 30 were caught, or where a fault no longer fits
the code. `python -m tests.mutants.planted WORD ...` plants those whose titles have one of the words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
PARTS = ("mcli", "generated", "schema", "codegen", "tests", "examples")
PATIENCE = {True: 120, False: 900}
"""Seconds after which tests that a fault makes hang are ended, for a few tests and for all; it is caught then."""


def main(words: list[str]) -> int:
    """Plant the faults, and return the exit status."""
    chosen = [each for each in FAULTS if not words or any(word in each.title for word in words)]
    with tempfile.TemporaryDirectory(prefix="mcli-planted-") as folder:
        copy = Path(folder)
        copy_project(copy)
        hints = dict.fromkeys(test for each in chosen for test in hinted(copy, each))
        if not all(passes(copy, [hint]) for hint in hints):
            print((copy / "last.txt").read_text("utf-8"), "The tests fail without a fault.", sep="\n")
            return 1
        missed = [each for each in chosen if not is_caught(copy, each)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults were caught.")
    return int(len(missed) * 30 > len(chosen))  # 29 of 30


def copy_project(to: Path) -> None:
    """Copy what the tests need."""
    for part in PARTS:
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)


def hinted(copy: Path, fault: Fault) -> list[str]:
    """Return the tests that are tried first."""
    found = [f"tests/{test}" for test in fault.tests.split()]
    return [test for test in found if (copy / test.partition("::")[0]).exists()]


def is_caught(copy: Path, fault: Fault) -> bool:
    """Plant one fault, run the tests, and take the fault out again."""
    path = copy / fault.path
    text = path.read_text("utf-8")
    if text.count(fault.right) != 1:
        raise SystemExit(
            f"{fault.title}: the text to change is {text.count(fault.right)} times in {fault.path}"
        )
    begun = time.monotonic()
    path.write_text(text.replace(fault.right, fault.wrong), "utf-8")
    try:
        first = hinted(copy, fault)
        caught = (bool(first) and not passes(copy, first)) or not passes(copy, ["tests"])
    finally:
        path.write_text(text, "utf-8")
    print(f"{'caught' if caught else 'MISSED'}  {time.monotonic() - begun:5.0f} s  {fault.title}", flush=True)
    return caught


def passes(copy: Path, tests: list[str]) -> bool:
    """Tell whether tests pass in the copy."""
    environment = os.environ | {
        "HYPOTHESIS_PROFILE": "planted",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'generated'}",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=PATIENCE[tests != ["tests"]],
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    (copy / "last.txt").write_bytes(done.stdout)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
