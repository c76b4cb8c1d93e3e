"""Read logs of gigabytes in every way at once, and measure how long others wait meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.stress.server import Server

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.platform.caller import Caller

__all__ = ["play"]

SIZE = 17 * 120_000_000  # whole lines
LIMIT = 50 << 20
PATIENCE = 5.0
"""Seconds that nobody may wait for an answer."""
TRACEBACK = "Traceback (most recent call last):\n  File\nValueError: the end\n"
ME = "{ getUsers(getUsersData: {}) { email } }"


def play(folder: Path, _: random.Random) -> dict[str, float]:
    """Return how much was read and lost, and how long others waited."""
    with Server(folder / "data", "--grace=2") as server:
        waits = Waits(server.caller())
        caller = server.caller()
        command = f"yes 0123456789abcdef | head -c {SIZE}; printf '{TRACEBACK}'; exit 1".replace("\n", "\\n")
        name = caller.create(command)
        counts: list[list[int]] = [[0], [0]]
        readers = [threading.Thread(target=read, args=(server.caller(), name, count)) for count in counts]
        for reader in readers:
            reader.start()
        caller.statuses(name)
        tail = caller.logs(name, tail=100_000_000)
        found = caller.logs(name, failed=True, exceptionOnly=True)
        for reader in readers:
            reader.join()
        longest = waits.stop()
        caller.close()
    wanted = SIZE + len(TRACEBACK)
    return {
        "bytes": wanted,
        "lost": sum(wanted - count[0] for count in counts)
        + (len(tail) != 100_000_000)
        + (found != TRACEBACK.encode()),
        "stuck": int(longest > PATIENCE),
        "longest wait of others (s)": round(longest, 2),
        "log with a limit (bytes over it)": limited(folder) - LIMIT,
    }


def read(caller: Caller, name: str, count: list[int]) -> None:
    """Follow a log to its end, and count its bytes but for the platform's first line."""
    with caller.socket() as socket:
        socket.follow(name)
        first = True
        for chunk in socket.results():
            text = chunk["chunk"]
            size = len(text) * 3 // 4 - text[-2:].count("=")
            count[0] = chunk["endOffset"] if first else count[0] + size
            first = False
    caller.close()
    count[0] -= heading(caller, name)


def heading(caller: Caller, name: str) -> int:
    """Return the length of the line that the platform writes before the command's output."""
    file = next((caller.platform.folder / "runs" / name).rglob("log.txt"))  # type: ignore[attr-defined] # a Server
    with file.open("rb") as log:
        line = log.readline()
    return len(line) if line.startswith(b"[mcli]") else 0


def limited(folder: Path) -> int:
    """Return how long a log with a limit becomes, though ten times as much is written to it."""
    with Server(folder / "limited", "--grace=2", f"--log-limit={LIMIT}") as server:
        caller = server.caller()
        name = caller.finish(f"yes | head -c {10 * LIMIT}")["name"]
        size = next((folder / "limited" / "runs" / name).rglob("log.txt")).stat().st_size
        caller.close()
    return size


class Waits:
    """Somebody who asks a small question again and again."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._over = threading.Event()
        self._longest = 0.0
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._over.is_set():
            begin = time.monotonic()
            self._caller.send(ME)
            self._longest = max(self._longest, time.monotonic() - begin)
            time.sleep(0.05)

    def stop(self) -> float:
        """End, and return the longest time to an answer, in seconds."""
        self._over.set()
        self._thread.join()
        self._caller.close()
        return self._longest
