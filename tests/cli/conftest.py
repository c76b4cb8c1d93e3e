"""What tests of the command share: the command itself, and a platform that it talks to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli.cli import main
from mcli.testing import local_platform

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit status, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `mcli` with its arguments."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        status = main(arguments)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def platform() -> Iterator[None]:
    """Have the commands of a module talk to one platform."""
    with local_platform():
        yield


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Return the YAML file of a run that prints two lines."""
    file = tmp_path / "train.yaml"
    file.write_text("name: train\nimage: bash\ncompute: {gpus: 0}\ncommand: |\n  echo one\n  echo two\n")
    return file


@pytest.fixture
def ended(platform: None) -> mcli.Run:
    """Return a run that has completed."""
    run = mcli.create_run(mcli.RunConfig("done", image="bash", command="echo hi", compute={"gpus": 0}))
    return mcli.wait_for_run_status(run, "COMPLETED")
