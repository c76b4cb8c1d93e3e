"""A local platform in a process of its own, which can be killed at any instruction; its clock is turned from here."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from mcli.platform import Platform
from mcli.platform.clock import VirtualClock
from mcli.platform.scheduling.cluster import virtual

__all__ = ["KillablePlatform"]


class KillablePlatform:
    """A platform with one node. Its time, and what it has on the disk, go on where a killed server left them."""

    def __init__(self, folder: Path, gpus: int) -> None:
        self.folder = folder
        self.gpus = gpus
        self.now = VirtualClock().now()
        self.start()

    def start(self) -> None:
        """Start a server; requests are accepted when this returns."""
        self.server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self.folder), str(self.gpus), self.now.isoformat()],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self._answer()
        self.api_key = (self.folder / "api_key").read_text()

    def kill(self) -> None:
        """End the server at once, wherever it is."""
        self.server.kill()
        self._reap()

    def advance(self, seconds: float) -> None:
        """Let time pass, whether a server is there or not."""
        self.now += timedelta(seconds=seconds)
        if self.server.poll() is None:
            assert self.server.stdin
            print(seconds, file=self.server.stdin, flush=True)
            self._answer()

    def stop(self) -> None:
        """End the server and its runs."""
        assert self.server.stdin
        self.server.stdin.close()
        self._reap()
        assert self.server.returncode == 0

    def _answer(self) -> str:
        assert self.server.stdout
        return self.server.stdout.readline().strip()

    def _reap(self) -> None:
        self.server.wait()
        for pipe in (self.server.stdin, self.server.stdout):
            assert pipe
            pipe.close()


def serve(folder: str, gpus: str, now: str) -> None:
    """Serve until the input ends, each line of which lets so many seconds pass."""
    clock = VirtualClock(datetime.fromisoformat(now))
    cluster = virtual(1, int(gpus), "a100_80gb")
    with Platform(folder, cluster=cluster, clock=clock, grace=2) as platform:
        print(platform.endpoint, flush=True)
        for line in sys.stdin:
            clock.advance(float(line))
            print(flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
