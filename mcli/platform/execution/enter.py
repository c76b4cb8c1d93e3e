"""Become a command for which some folders are others, by a mount namespace of its own.

A program (`python -I -S enter.py LAYOUT COMMAND…`, only the standard library, few modules: each run waits for it). It
makes a mount namespace, and without root a user namespace in which it is who it was, builds a root folder of the
machine's own entries with the given ones in their places, goes into it and executes the command. So nothing stands
between the command and who watches over it: process id, signals and exit status are the command's own. Capabilities
end with the execution. The layout is the JSON of a `Layout` of namespace.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["FAILED", "main"]

FAILED = 125
"""Exit status when the folders cannot be made; as of a container engine."""

_NEW_MOUNTS, _NEW_USER = 0x20000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _FOLLOWING = 1, 32, 4096, 16384, 1 << 19
_DETACH = 2
_LOCKED = {os.ST_NOSUID: 2, os.ST_NODEV: 4, os.ST_NOEXEC: 8, os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048}
"""Flags that a mount which is changed without root must keep."""
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}  # where the C library does not name it


def _call(name: str, *arguments: Any) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str | None, target: str, flags: int, kind: bytes | None = None) -> None:
    _call("mount", source and os.fsencode(source), os.fsencode(target), kind, flags, None)


def _make_namespace() -> None:
    """Leave the machine's mounts alone from here on: as root if that is enough, else as a user who stays the same."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _call("unshare", _NEW_MOUNTS)
    except PermissionError:
        _call("unshare", _NEW_MOUNTS | _NEW_USER)
        maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
        for file, text in maps.items():
            Path("/proc/self", file).write_text(text)
    _mount(None, "/", _RECURSIVE | _FOLLOWING)


def _enter(layout: dict[str, Any]) -> None:
    """Be where the layout says."""
    root = layout["root"]
    places = {_resolved(path): target for path, target in layout["folders"].items()}
    _make_namespace()
    _mount(root, root, _BIND | _RECURSIVE)
    _lay("/", root, {path for path in places if not Path(path).is_dir() or Path(path).is_symlink()})
    for path in layout["read_only"]:
        _mount(path, root + path, _BIND | _RECURSIVE)
        _forbid_writing(root + path)
    for path in sorted(places):
        Path(root + path).mkdir(parents=True, exist_ok=True)
        _mount(places[path][0], root + path, _BIND | _RECURSIVE)
    for path, (_, read_only) in places.items():
        if read_only:
            _forbid_writing(root + path)
    _change_root(root)
    os.chdir(layout["start"])


def _resolved(path: str) -> str:
    """Return a path without symbolic links above its last part."""
    parent, name = os.path.split(path)
    return os.path.join(os.path.realpath(parent), name)  # noqa: PTH118 - a text is wanted


def _lay(folder: str, target: str, missing: set[str]) -> None:
    """Show the entries of a folder in `target`, but leave free the paths that are missing below it."""
    for entry in os.scandir(folder):
        place = f"{target}/{entry.name}"
        below = {path for path in missing if path.startswith(f"{entry.path}/")}
        if entry.path in missing:
            continue
        if entry.is_symlink():
            with contextlib.suppress(FileExistsError):
                Path(place).symlink_to(Path(entry.path).readlink())
        elif below:
            Path(place).mkdir(exist_ok=True)
            _lay(entry.path, place, below)
        else:
            with contextlib.suppress(OSError):  # what even its owner may not enter, as others' network drives
                Path(place).mkdir(exist_ok=True) if entry.is_dir() else Path(place).touch()
                _mount(entry.path, place, _BIND | _RECURSIVE)


def _forbid_writing(path: str) -> None:
    flags = os.statvfs(path).f_flag
    kept = sum(mount for stat, mount in _LOCKED.items() if flags & stat)
    _mount(None, path, _BIND | _REMOUNT | _READ_ONLY | kept)


def _change_root(root: str) -> None:
    """Make `root` the root folder. The old one is put on top of it and taken away again, so it needs no place."""
    os.chdir(root)
    try:
        _call("pivot_root", b".", b".")
    except AttributeError:
        _call("syscall", _PIVOT_ROOT[os.uname().machine], b".", b".")
    _call("umount2", b".", _DETACH)


def _try() -> None:
    """Enter a layout that is in memory and seen by nobody else, so that nothing stays whatever happens."""
    _make_namespace()
    scratch = "/tmp"  # noqa: S108 - only the place of another folder
    _mount("none", scratch, 0, b"tmpfs")
    for name in ("root", "work"):
        Path(scratch, name).mkdir()
    folders = {"/mcli/probe": (f"{scratch}/work", False), "/mcli/fixed": (f"{scratch}/work", True)}
    _enter({"root": f"{scratch}/root", "folders": folders, "read_only": [], "start": "/mcli/probe"})
    Path("file").touch()


def main(layout: str, *argv: str) -> NoReturn:
    """Execute a command in a layout; with `--try` and no command, only find out whether this machine allows it."""
    try:
        _try() if layout == "--try" else _enter(json.loads(Path(layout).read_text()))
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"[mcli] The folders of the run cannot be made: {error}\n")
        sys.exit(FAILED)
    if not argv:
        sys.exit()
    # Python ignores these, and may add a locale to the environment: the command gets what this program was given.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    given = Path("/proc/self/environ").read_bytes().split(b"\0")
    environment = dict(each.split(b"=", 1) for each in given if b"=" in each)
    os.execve(argv[0], argv, environment)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
