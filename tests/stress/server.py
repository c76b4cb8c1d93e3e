"""A platform in a process of its own, started as people start it, that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.platform.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Server", "until"]

LIST = """query L($data: GetRunsPaginatedInput!) { getRunsPaginated(getRunsPaginatedData: $data) {
cursor runs { name status reason } } }"""


class Server:
    """`python -m mcli.platform serve` on a folder; what it has on the disk goes on where a killed one left it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.endpoint = ""
        self.api_key = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)  # stops the runs as well
        self.process.wait(120)

    def start(self) -> None:
        """Start a server; requests are accepted when this returns."""
        log = (self.folder.parent / f"{self.folder.name}.log").open("ab")
        command = [sys.executable, "-m", "mcli.platform", "serve", f"--data-dir={self.folder}", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        log.close()
        assert self.process.stdout
        found = json.loads(self.process.stdout.readline())
        self.process.stdout.close()
        self.endpoint, self.api_key = found["endpoint"], Path(found["api_key_file"]).read_text()

    def kill(self) -> None:
        """End the server at once, wherever it is."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def caller(self) -> Caller:
        """Return somebody who uses the platform as it is reached now."""
        platform: Any = self
        return Caller(platform)

    def runs(self) -> dict[str, dict[str, Any]]:
        """Return all runs by their names."""
        caller, found, cursor = self.caller(), list[dict[str, Any]](), None
        while True:
            page = caller.send(LIST, data={"filters": {}, "limit": 1000, "cursor": cursor})
            found, cursor = found + page["runs"], page["cursor"]
            if cursor is None:
                caller.close()
                return {run["name"]: run for run in found}


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; tell whether it became so in time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
