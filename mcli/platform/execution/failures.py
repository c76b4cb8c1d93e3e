"""Why a command failed, in words: from its exit status, and from what its script has noted."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mcli.platform.execution.engine import Exit
    from mcli.platform.execution.folders import NodeFolder

__all__ = ["explain"]

_NOT_FOUND = 127
_SHELLS_OWN = ("", "environment", "main")
"""What bash calls the source of a line that stands in the command itself."""
_LONGEST = 200  # characters of a line


def explain(folder: NodeFolder, end: Exit, command: str) -> str:
    """Return what is known beyond the exit status of a rank that failed; "" if nothing is."""
    if end.lost or not end.code:
        return ""
    status, *noted = _lines(folder.why) or ["0"]
    missing = _lines(folder.why.with_name(f"{folder.why.name}-missing"))
    is_noted = status == str(end.code)
    # a container hides the signal that ended its command
    if end.signal or ((is_noted or folder.container.exists()) and end.code in _KILLED):
        return f"killed by {_KILLED.get(end.code, f'signal {end.signal}')}"
    if end.code == _NOT_FOUND and missing:
        return f"command not found: {missing[0][:_LONGEST]}"
    return _place(noted, command) if is_noted else ""


_KILLED = {128 + number: number.name for number in signal.Signals}


def _place(noted: list[str], command: str) -> str:
    """Return where a command failed, or which step before it."""
    if len(noted) == 1:
        return noted[0]
    number, before, source = int(noted[0]), int(noted[1]), noted[2]
    lines = command.splitlines()
    if source in _SHELLS_OWN or source.endswith("/command.sh"):
        number -= before
        text = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        return f"line {number}: {text[:_LONGEST]}" if text else f"line {number}"
    return f"line {number} of {source}"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []
