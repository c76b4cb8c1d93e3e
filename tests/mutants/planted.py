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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.faults import FAULTS, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PARTS = ("mcli", "generated", "schema", "codegen", "tests", "examples", "docs")
FILES = ("pyproject.toml", "conftest.py")
PATIENCE = {True: 600, False: 3600}
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
    for file in FILES:
        shutil.copy(ROOT / file, to)


def hinted(copy: Path, fault: Fault) -> list[str]:
    """Return the tests that are tried first."""
    found = [f"tests/{test}" for test in fault.tests.split()]
    return [test for test in found if (copy / test.partition("::")[0]).exists()]


def is_caught(copy: Path, fault: Fault) -> bool:
    """Plant one fault, run the tests, and take the fault out again."""
    begun = time.monotonic()
    with planted(copy, fault):
        first = hinted(copy, fault)
        by = "" if not first or passes(copy, first) else noticed(copy)[0]
    by = by or others_that_notice(copy, fault)
    outcome = f"caught by {by}" if by else "MISSED"
    print(f"{time.monotonic() - begun:5.0f} s  {fault.title}: {outcome}", flush=True)
    return bool(by)


@contextmanager
def planted(copy: Path, fault: Fault) -> Iterator[None]:
    """Have a fault in the copy for the length of a block."""
    path = copy / fault.path
    text = path.read_text("utf-8")
    if text.count(fault.right) != 1:
        raise SystemExit(
            f"{fault.title}: the text to change is {text.count(fault.right)} times in {fault.path}"
        )
    path.write_text(text.replace(fault.right, fault.wrong), "utf-8")
    try:
        yield
    finally:
        path.write_text(text, "utf-8")


def others_that_notice(copy: Path, fault: Fault) -> str:
    """Run all tests; return one that fails with the fault, fails again alone, and passes without the fault."""
    with planted(copy, fault):
        failed = [] if passes(copy, ["tests"]) else noticed(copy)
        failed = [name for name in failed if not passes(copy, [name])]
    return next((name for name in failed if passes(copy, [name])), "")


def noticed(copy: Path) -> list[str]:
    """Return the tests that failed, from what pytest printed."""
    lines = (copy / "last.txt").read_text("utf-8").splitlines()
    names = [line.split()[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return names or ["tests that hung, or could not begin"]


def passes(copy: Path, tests: list[str]) -> bool:
    """Tell whether tests pass in the copy."""
    environment = os.environ | {
        "HYPOTHESIS_PROFILE": "planted",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'generated'}",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--maxfail=5",
        "--timeout=100",
        "-q",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    (copy / "last.txt").write_text("")
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
