"""Keep a log within a size, while commands go on appending to it.

A command writes to its log without anybody between, so what it writes can only be dropped afterwards: the supervisor
looks at the log once a second. It loads this file by its path, so this imports the standard library only.
"""

from __future__ import annotations

import os

__all__ = ["LOG_LIMIT", "cut", "notice"]

LOG_LIMIT = 10 << 30
"""Bytes of a log that are kept unless the settings say otherwise."""


def notice(limit: int) -> bytes:
    """Return what a log that was cut ends with, after its first `limit` bytes.

    >>> notice(10 << 30)
    b'\\n[mcli] The log has reached its limit of 10 GiB; what was written after this is dropped.\\n'
    """
    size, unit = float(limit), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    text = f"The log has reached its limit of {size:g} {unit}; what was written after this is dropped."
    return f"\n[mcli] {text}\n".encode()


def cut(path: str, limit: int) -> bool:
    """Cut a log that is longer than `limit` bytes to these and the notice; tell whether it is longer.

    Whoever has opened the log for appending goes on behind the notice, until it is cut again.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(file).st_size <= limit:
            return False
        end = notice(limit)
        if os.pread(file, len(end) + 1, limit) != end:
            os.pwrite(file, end, limit)
            os.ftruncate(file, limit + len(end))
        return True
    finally:
        os.close(file)
