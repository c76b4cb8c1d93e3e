"""Folders of this machine that a run takes with it: copied as they are at submission, before the run is stored.

Of a git repository the files are taken that git tracks, as they are now, and the new ones that it does not ignore;
of any other folder all.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.values import is_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["KIND", "METADATA_KEY", "Stage"]

KIND = "local_dir"
METADATA_KEY = "mcli/local_dir"
"""Metadata of a run with such folders: from where and of which commit they are, and whether it was changed."""
LARGEST = 1_000_000_000  # bytes of all files of a run


class Stage:
    """Copies of the folders that one request names, until a run has them.

    Raises:
        RequestError: 400, something named is not a folder of this machine, or it cannot be read, or is too large.
    """

    def __init__(self, incoming: Path, run_input: Mapping[str, Any]) -> None:
        self.metadata: list[dict[str, Any]] = []
        self._folder = incoming / str(uuid.uuid4())
        self._room = LARGEST
        try:
            for number, integration in enumerate(run_input.get("integrations") or ()):
                if integration.get("type") == KIND:
                    self._copy(integration.get("params") or {}, self._folder / str(number))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def is_needed(run_input: Mapping[str, Any]) -> bool:
        """Tell whether a request names folders of this machine."""
        return any(each.get("type") == KIND for each in run_input.get("integrations") or ())

    def keep(self, folder: Path) -> None:
        """Hand over the copies."""
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.rename(folder)

    def close(self) -> None:
        """Remove the copies, unless they were handed over."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copy(self, parameters: Mapping[str, Any], target: Path) -> None:
        given = str(parameters.get("path") or "")
        source = Path(given)
        if not source.is_absolute() or not source.is_dir():
            raise _bad(
                f"path must be an absolute path of a folder on the platform's machine, not {given[:300]!r}"
            )
        untracked = is_true(parameters.get("includeUntracked", True))
        is_repository = _is_repository(source)
        files = _files_of_git(source, untracked=untracked) if is_repository else _all_files(source)
        target.mkdir(mode=0o700, parents=True)
        try:
            for name in files:
                self._copy_file(source / name, target / name, given)
        except OSError as error:
            raise _bad(f"{given} cannot be copied: {error}") from None
        about = _state(source, untracked=untracked) if is_repository else {}
        self.metadata.append({"path": given, **about})

    def _copy_file(self, source: Path, target: Path, given: str) -> None:
        try:
            status = source.lstat()
        except FileNotFoundError:
            return  # tracked, and deleted since
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
            return
        self._room -= status.st_size
        if self._room < 0:
            raise _bad(f"{given} has more than {LARGEST:,} bytes; keep data elsewhere, or let git ignore it")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _is_repository(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def _files_of_git(folder: Path, *, untracked: bool) -> Iterator[str]:
    """Yield the files below a folder that git tracks or could track; those of submodules too."""
    new = ["--others", "--exclude-standard"] if untracked else []
    listed = _git(folder, "ls-files", "-z", "--cached", "--deduplicate", *new).split("\0")
    for name in filter(None, listed):
        path = folder / name
        if path.is_dir() and not path.is_symlink():  # a repository inside
            inner = _files_of_git(path, untracked=untracked) if (path / ".git").exists() else ()
            yield from (f"{name.rstrip('/')}/{each}" for each in inner)
        else:
            yield name


def _state(folder: Path, *, untracked: bool) -> dict[str, Any]:
    """Return the commit of a folder, and whether what was copied differs from it."""
    try:
        commit = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    except RequestError:
        commit = None  # there is none yet
    mode = "normal" if untracked else "no"
    changes = _git(folder, "status", "--porcelain", f"--untracked-files={mode}", "--", ".")
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}  # only looks, writes nothing
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],  # noqa: S607 - the user's own git
            env=environment,
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise _bad("git is not installed on the platform's machine") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise _bad(f"{folder} cannot be read: {said[0]}") from None
    return os.fsdecode(done.stdout)


def _all_files(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(f"{parent}/{name}")]  # noqa: PTH114 - names, not paths
        for name in (*files, *links):
            yield os.path.relpath(f"{parent}/{name}", folder)


def _bad(what: str) -> RequestError:
    return RequestError(400, f"Bad run request: integration {KIND}: {what}")
