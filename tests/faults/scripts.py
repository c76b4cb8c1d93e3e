"""Scripts in a process of their own, behind a proxy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.proxy import Proxy, RequestFault
from tests.faults.stage import BOUND

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.faults.stage import Stage

ROOT = os.pathsep.join(sys.path)
BEGIN = """
import atexit, os, signal, sys, threading, time
import mcli

def config(name):
    return mcli.RunConfig(name=name, image="bash", command="true", compute={"gpus": 0})

def ready():
    os.write(1, b"ready\\n")  # at once, whole: a signal may come right after
"""


@dataclass
class Script:
    """A script that runs, behind a proxy."""

    process: subprocess.Popen[str]
    proxy: Proxy

    def until_ready(self) -> None:
        """Wait until the script says that it is ready."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> Ended:
        """Wait for the end of the script."""
        begin = time.monotonic()
        out, err = self.process.communicate(timeout=BOUND)
        return Ended(self.process.returncode, out, err, time.monotonic() - begin)

    def interrupt(self) -> Ended:
        """Press Ctrl-C, and wait for the end of the script."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


@dataclass
class Ended:
    """How a script ended."""

    code: int
    out: str
    err: str
    seconds: float


@contextmanager
def script(stage: Stage, text: str, *requests: RequestFault, **names: str) -> Generator[Script]:
    """Run a script whose calls go through a proxy; `names` are variables of it."""
    values = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    with Proxy(stage.platform.endpoint, requests=list(requests)) as proxy:
        environment = os.environ | {
            "MOSAICML_API_ENDPOINT": proxy.endpoint.replace("127.0.0.1", "localhost"),
            "MOSAICML_API_KEY": stage.platform.api_key,
            "PYTHONPATH": ROOT,
        }
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore::DeprecationWarning",
                "-c",
                BEGIN + values + textwrap.dedent(text),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Script(process, proxy)
        finally:
            process.kill()
            process.communicate()


def run(stage: Stage, text: str, **names: str) -> str:
    """Run a script that must end well, and return what it printed."""
    with script(stage, text, **names) as running:
        ended = running.end()
    assert (0, "") == (ended.code, ended.err)
    return ended.out
