"""Environments of packages: one for each node of a resumption, above the Python that stands for the image.

Made in a few milliseconds, because nothing is copied: a folder as `python -m venv` makes it, whose packages come before
those of the base. `pip`, `uv pip` and `python -m pip` in a run change this one. Programs of the base (`composer`,
`torchrun`) run by its interpreter, so they see what the run has installed.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Base", "examine", "make_environment", "variables"]

_EXAMINE = """
import glob, json, os, site, sys, sysconfig
users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
sites = [*site.getsitepackages(), *users]
scripts = [sysconfig.get_path("scripts")]
if site.ENABLE_USER_SITE:
    scripts.append(sysconfig.get_path("scripts", os.name + "_user"))
wheel = None
try:
    import pip
except ImportError:
    places = [sysconfig.get_config_var("WHEEL_PKG_DIR")]
    try:
        import ensurepip
        places.append(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"))
    except ImportError:
        pass
    found = [each for place in places if place for each in glob.glob(os.path.join(place, "pip-*.whl"))]
    wheel = found[0] if found else None
is_own = sys.prefix != sys.base_prefix or os.path.isdir(os.path.join(sys.prefix, "conda-meta"))
print(json.dumps({
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "version": sys.version_info[:3],
    "prefix": sys.prefix if is_own else None,
    "changed": [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *users],
    "sites": list(filter(os.path.isdir, sites)),
    "scripts": scripts,
    "wheel": wheel,
}))
"""
_SECONDS = 60  # for a Python to say what it is: a cold one on a network drive takes long
_READ = 512  # bytes of a program, in which its interpreter is named
_LAST = "zzz_mcli_base.pth"
"""Python reads such files by their names: folders of the run's own editable packages come before those of the base."""
_OURS = ("python", "pip", "activate", "deactivate")


@dataclass(frozen=True)
class Base:
    """A Python whose packages the environments of runs see beneath their own."""

    executable: Path
    """The interpreter itself, not the link to it in an environment."""
    version: tuple[int, int, int]
    prefix: Path | None
    """The folder of its environment; None when it is a Python of the whole machine."""
    changed: tuple[Path, ...]
    """Where its pip installs to."""
    sites: tuple[Path, ...]
    """Where all of its packages are, the first first; some may be its distribution's."""
    scripts: tuple[Path, ...]
    """Where its programs are."""
    wheel: Path | None
    """A wheel of pip, when it has none installed."""

    @property
    def belongings(self) -> list[str]:
        """What no run may change: the environment, or of a Python of the whole machine what its pip would change."""
        folders = {path.resolve() for path in (self.prefix, *self.changed) if path and path.is_dir()}
        outermost = {path for path in folders if not any(parent in folders for parent in path.parents)}
        return sorted(map(str, outermost))


@functools.cache
def examine(python: str) -> Base:
    """Return what a Python is and where its packages are.

    Raises:
        OSError: There is none at this path, or it does not work.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [python, "-c", _EXAMINE],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"{python} does not work as a Python: {error}") from error
    found = json.loads(done.stdout)
    return Base(
        executable=Path(found["executable"]),
        version=tuple(found["version"]),
        prefix=found["prefix"] and Path(found["prefix"]),
        changed=tuple(map(Path, found["changed"])),
        sites=tuple(map(Path, found["sites"])),
        scripts=tuple(map(Path, found["scripts"])),
        wheel=found["wheel"] and Path(found["wheel"]),
    )


def make_environment(folder: Path, base: Base) -> None:
    """Make an environment of packages in a folder that does not exist."""
    major, minor, _ = base.version
    programs, packages = folder / "bin", folder / "lib" / f"python{major}.{minor}" / "site-packages"
    for each in (programs, packages, folder / "include"):
        each.mkdir(parents=True)
    (folder / "lib64").symlink_to("lib")
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.executable.parent}\ninclude-system-site-packages = false\n"
        f"version = {'.'.join(map(str, base.version))}\n"
    )
    for name in ("python", f"python{major}", f"python{major}.{minor}"):
        (programs / name).symlink_to(base.executable)
    (packages / _LAST).write_text("".join(_beneath(base)))
    for name in ("pip", f"pip{major}", f"pip{major}.{minor}"):
        _write_program(programs / name, '"${0%/*}/python" -m pip')
    for name, line in _programs(base):
        _write_program(programs / name, line)


def variables(folder: Path, path: str) -> Mapping[str, str]:
    """Return the variables that make an environment the one that is used."""
    return {"PATH": f"{folder / 'bin'}{os.pathsep}{path}", "VIRTUAL_ENV": str(folder), "PIP_USER": "0"}


def _beneath(base: Base) -> Iterator[str]:
    """Yield the lines of a file that Python reads at its start, to see the packages of the base after its own."""
    for site in base.sites:
        yield f"import site; site.addsitedir({str(site)!r})\n"
    if base.wheel:
        yield f"{base.wheel}\n"


def _programs(base: Base) -> Iterator[tuple[str, str]]:
    """Yield the programs of the base by their names, and how each is called."""
    pythons = [os.fsencode(f"{folder}/python") for folder in (*base.scripts, base.executable.parent)]
    seen: set[str] = set()
    for entry in (each for folder in base.scripts if folder.is_dir() for each in os.scandir(folder)):
        if (
            entry.name in seen
            or entry.name.startswith(_OURS)
            or not (entry.is_file() and os.access(entry, os.X_OK))
        ):
            continue
        with Path(entry).open("rb") as file:
            head = file.read(_READ)
        called = shlex.quote(entry.path)
        if head.startswith(b"#!") and any(python in head for python in pythons):
            seen.add(entry.name)
            yield entry.name, f'"${{0%/*}}/python" {called}'
        elif base.prefix:  # programs look for their own kind beside the interpreter
            seen.add(entry.name)
            yield entry.name, called


def _write_program(path: Path, line: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    path.chmod(0o755)
