"""What the scenarios play on: a platform, runs on it, and a count of what came out of a call."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import mcli
from mcli._core import process
from mcli._core.connection import MAPIConnection, current
from mcli._core.socket import GraphQLSocket
from mcli._core.transport import HttpTransport
from mcli.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from tests.faults.proxy import Proxy

BOUND = 60.0
"""Seconds that no call of a scenario may take."""
BOOK = "".join(f"{number:06} Καλημέρα, κόσμε 🌍 {'=' * (number % 90)}\n" for number in range(6000))
"""The log that scenarios read: no line is like another, and many characters have several bytes."""


@dataclass(frozen=True)
class Result:
    """What a call came to."""

    outcome: str
    """`whole`, or the type of the exception and its status."""
    lost: int = 0
    """Bytes that are missing, or statuses."""
    repeated: int = 0
    """Bytes that came more than once, or statuses."""
    duplicates: int = 0
    """Runs that were created beyond the one that was asked for."""
    seconds: float = field(default=0.0, compare=False)
    """From the last fault to the next data."""


@dataclass
class Stage:
    """A platform with a run whose log is `BOOK`."""

    platform: Platform
    folder: Path
    """Where scenarios put their files."""
    book: str
    """Name of the run."""
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    @contextmanager
    def behind(self, proxy: Proxy, silence: float | None = None) -> Generator[Proxy]:
        """Send the calls of a block through a proxy; its websocket is as impatient as `silence` says."""
        with proxy, MAPIConnection(proxy.endpoint, self.platform.api_key):
            if silence is not None:
                have_socket(silence)
            yield proxy

    def name(self, stem: str) -> str:
        """Return a name that no run has."""
        return f"{stem}-{next(self.numbers)}"

    def run(self, command: str, **scheduling: int) -> mcli.Run:
        """Create a run of a shell command, without the proxy."""
        with self.directly():
            return mcli.create_run(config(self.name("part"), command, **scheduling))

    def gated(self, after: str = "true", before: str = "true", **scheduling: int) -> tuple[mcli.Run, Path]:
        """Create a run that goes on once a file is there."""
        gate = self.folder / self.name("gate")
        wait = f"while [ ! -e {gate} ]; do sleep 0.02; done"
        return self.run(f"{before}\n{wait}\n{after}", **scheduling), gate

    @contextmanager
    def directly(self) -> Generator[None]:
        """Send the calls of a block to the platform itself."""
        with MAPIConnection(self.platform.endpoint, self.platform.api_key):
            yield

    def count(self, stem: str) -> int:
        """Return how many runs there are with a name that begins so."""
        with self.directly():
            return sum(run.name.startswith(f"{stem}-") for run in mcli.get_runs(limit=None))


def config(name: str, command: str, **scheduling: int) -> mcli.RunConfig:
    """Return the configuration of a run on this machine."""
    return mcli.RunConfig(
        name=name, image="bash", command=command, compute={"gpus": 0}, scheduling=dict(scheduling)
    )


def have_socket(silence: float) -> None:
    """Let the current connection have a websocket that waits so many seconds for a byte."""
    connection = current()
    key = ("socket", connection.endpoint, connection.authorization())
    greeting = {"Authorization": connection.authorization()}
    process.resource(key, lambda: GraphQLSocket(connection.endpoint, lambda: greeting, silence=silence))
    assert HttpTransport(connection).socket() is process.resource(key, object)


def compare(expected: Iterable[str], actual: Iterable[str]) -> Result:
    """Count what is missing and what is too much; where neither is, the order counts.

    What the platform itself says in a log, e.g. where the working folder is, is left out.
    """
    expected, actual = list(expected), [each for each in actual if not each.startswith("[mcli] ")]
    if expected == actual:
        return Result("whole")
    missing, surplus = Counter(expected) - Counter(actual), Counter(actual) - Counter(expected)
    lost = sum(len(each.encode()) for each in missing.elements())
    return Result("other", lost, sum(len(each.encode()) for each in surplus.elements()))


def failure(error: BaseException) -> Result:
    """Tell how a call failed."""
    status = getattr(error, "status", None)
    return Result(type(error).__name__ + ("" if status is None else f" {int(status)}"))


class Served:
    """A platform in a process of its own, which can end and come back at the same place, with the same data."""

    def __init__(self, folder: Path, ending: signal.Signals = signal.SIGTERM) -> None:
        folder.mkdir()
        self._folder, self._ending = folder, ending
        self._start(port=0)
        self.api_key = (folder / "api_key").read_text()

    def _start(self, port: int) -> None:
        command = [sys.executable, "-m", "mcli.platform", "serve", "--data-dir", str(self._folder)]
        self._process = subprocess.Popen(
            [*command, "--port", str(port), "--grace", "1"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.endpoint = str(json.loads(self._process.stdout.readline())["endpoint"])

    def restart(self) -> None:
        """End it, but not its runs, and start it again."""
        self._end(self._ending)
        self._start(int(urlsplit(self.endpoint).port or 0))

    def close(self) -> None:
        """End it with its runs."""
        self._end(signal.SIGUSR1)

    def _end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.communicate()
