"""The configuration file: changed by several processes at once, and edited by people."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mcli import _yaml
from mcli.exceptions import MCLIConfigError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from yaml import MappingNode, Node

__all__ = ["change", "edited", "read"]

Edits: TypeAlias = "Mapping[tuple[str, ...], object]"
"""New values by the path to them, of one or two keys; None takes a key away."""


def read(path: Path) -> dict[str, Any]:
    """Read the file; without a file there is nothing in it.

    Raises:
        MCLIConfigError: The file is empty, broken, or cannot be read.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from None
    data = _read_version(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)
    if data is None:
        raise MCLIConfigError(
            f"The configuration file {path} is empty. Delete it, or set a key with mcli.set_api_key(...)."
        )
    return dict(data)


def change(path: Path, edits: Edits) -> None:
    """Change some values in the file, and nothing else: comments and unknown keys stay.

    A reader sees the old file or the new one, and no change of another process is lost.

    Raises:
        MCLIConfigError: The file is broken, or cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link to a file elsewhere stays a link
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock")):
            _replace(path, edited(_text(path), edits, path))
        _read_version.cache_clear()
    except OSError as error:
        raise MCLIConfigError(f"Cannot write the configuration file {path}: {error.strerror}") from error


def edited(text: str, edits: Edits, path: Path) -> str:
    """Return the text of the file with these values changed."""
    wanted = _merged(_parse(text, path) or {}, edits)
    changed = text if text.strip() else "---\n"
    for keys in edits:
        changed = _edit(changed, keys, wanted)
    with contextlib.suppress(MCLIConfigError):
        if _parse(changed, path) == wanted:
            return changed
    # An anchor, a merge, one long flow mapping: its meaning is kept, its looks are not.
    return "---\n" + _yaml.dump(wanted)


def _merged(data: Mapping[str, Any], edits: Edits) -> dict[str, Any]:
    merged: dict[str, Any] = {**data}
    for (key, *rest), value in edits.items():
        inner = merged.get(key)
        new = _merged(inner if isinstance(inner, dict) else {}, {tuple(rest): value}) if rest else value
        if new is None or new == {}:
            merged.pop(key, None)
        else:
            merged[key] = new
    return merged


def _edit(text: str, keys: tuple[str, ...], wanted: Mapping[str, Any]) -> str:
    """Change one value where it stands, as far as that is simple; `edited` looks at what came out."""
    from yaml import MappingNode

    root = _node(text)
    if not isinstance(root, MappingNode):
        return _with_line(text, keys[0], wanted.get(keys[0]))
    key, value = keys[0], wanted.get(keys[0])
    inner = next((node for name, node in root.value if name.value == key), None)
    if len(keys) == 2 and value and isinstance(inner, MappingNode) and inner.value and not inner.flow_style:
        return _put(text, inner, keys[1], value.get(keys[1]))
    return _with_line(text, key, value) if inner is None else _put(text, root, key, value)


def _put(text: str, mapping: MappingNode, key: str, value: object) -> str:
    entry = next(((name, node) for name, node in mapping.value if name.value == key), None)
    if entry is None:
        first = mapping.value[0][0].start_mark
        new = "" if value is None else f"{_inline(key)}: {_inline(value)}\n{' ' * first.column}"
        return text[: first.index] + new + text[first.index :]
    name, old = entry
    start, end = old.start_mark.index, _end(text, old)
    if value is None:
        rest = text.find("\n", end) + 1 or len(text)
        return text[: text.rfind("\n", 0, name.start_mark.index) + 1] + text[rest:]
    blank = " " if text[start - 1] == ":" else ""
    return f"{text[:start]}{blank}{_inline(value)}{text[end:]}"


def _end(text: str, node: Node) -> int:
    """Return the place after a value; YAML's own is that of what follows, where comments may stand between."""
    from yaml import CollectionNode

    while isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return max(node.start_mark.index, len(text[: node.end_mark.index].rstrip()))


def _with_line(text: str, key: str, value: object) -> str:
    if value is None:
        return text
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{_inline(key)}: {_inline(value)}\n"


def _inline(value: object) -> str:
    import yaml

    in_a_list = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=sys.maxsize)
    return str(in_a_list).strip()[1:-1]


def _node(text: str) -> Node | None:
    import yaml

    # The pure Python loader: its marks count characters.
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _parse(text: str, path: Path) -> dict[str, Any] | None:
    try:
        data = _yaml.parse(text).value
    except ValueError as error:
        raise MCLIConfigError(f"The configuration file {path} is broken: {error}") from None
    if data is not None and not isinstance(data, dict):
        raise MCLIConfigError(f"The configuration file {path} is broken: it must hold `key: value` lines.")
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from None


@functools.lru_cache(maxsize=4)
def _read_version(path: Path, inode: int, modified: int, size: int) -> dict[str, Any] | None:  # noqa: ARG001
    # Read at each call of the SDK, parsed once: the further arguments tell one version from the next.
    return _parse(_text(path), path)


def _unusable(path: Path, error: Exception) -> MCLIConfigError:
    reason = (error.strerror or "") if isinstance(error, OSError) else "it is not UTF-8 text"
    return MCLIConfigError(f"Cannot read the configuration file {path}: {reason}")


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    """Hold the lock of all who change the file: a file of its own, because that one is replaced."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # of a process that was killed
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
