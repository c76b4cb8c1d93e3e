"""What srun starts on each node of a job: one rank's supervisor, fed with what only the node knows.

Run as a program (`python -I -S node.py FOLDER`, only the standard library) in the folder of a job. srun makes it the
leader of a process group, which the supervisor must not be, and sends it the same signals as all others of the job.
It starts nothing before all ranks are ready, and touches `alive` while it lives: by that a server knows a rank that
Slurm has forgotten. What keeps a rank from starting becomes its `exit.json`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["ALIVE", "READY", "REDO", "STOPPING"]

ALIVE = "alive"
READY = "ready"
REDO = "redo"
STOPPING = "stopping"
_CLAIM = "claim"
_ORDER = "job.json"
_ALIVE_SECONDS = 10.0
_LOOK_SECONDS = 0.1


class _NotStarted(Exception):  # noqa: N818 - no error of ours
    """Why a rank was not started."""


def main(folder: Path) -> int:
    """Attend one rank to its end; returns its exit status."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGURG):
        signal.signal(each, lambda *_: None)  # the supervisor gets the same
    number = int(os.environ["SLURM_PROCID"])
    try:
        order = json.loads((folder / _ORDER).read_text())
    except FileNotFoundError:
        return 0  # it was forgotten meanwhile
    rank: dict[str, Any] = order["ranks"][number]
    rank["environment"] = _meeting() | rank["environment"]
    mine, ranks = folder / str(number), [folder / str(each) for each in range(len(order["ranks"]))]
    try:
        _attend(rank, mine, ranks)
    except _NotStarted as problem:
        write = importlib.import_module("supervisor").write_atomically
        end = {"code": 1, "lost": True, "started": False, "problem": str(problem), "ended_at": time.time()}
        write(mine / "exit.json", end)
    return _status(mine)


def _meeting() -> dict[str, str]:
    names = {"MASTER_ADDR": "MCLI_MASTER_ADDR", "MASTER_PORT": "MCLI_MASTER_PORT"}
    given = {name: os.environ[source] for name, source in names.items()}
    # Slurm has chosen the cards, and numbers them by their PCI addresses
    cards = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return given | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": cards}


def _attend(rank: dict[str, Any], mine: Path, ranks: list[Path]) -> None:
    program = Path(__file__).with_name("supervisor.py")
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with (mine / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
    with supervisor:
        assert supervisor.stdin  # noqa: S101 - for checkers
        assert supervisor.stdout  # noqa: S101 - for checkers
        supervisor.stdin.write(json.dumps(rank).encode() + b"\n")
        supervisor.stdin.flush()
        answer = supervisor.stdout.readline()
        (mine / READY).write_bytes(answer)
        if answer != b"ready\n":
            raise _NotStarted(f"The rank could not be started: {answer.decode(errors='replace').strip()}")
        _await_all(mine, ranks)
        supervisor.stdin.write(b"go\n")
        supervisor.stdin.close()
        while supervisor.poll() is None:
            (mine / ALIVE).touch()
            try:
                supervisor.wait(_ALIVE_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def _await_all(mine: Path, ranks: list[Path]) -> None:
    """Return when all ranks are ready to start."""
    while True:
        if (mine.parent / STOPPING).exists():
            raise _NotStarted("The run was stopped before it started.")
        answers = [_answer(rank / READY) for rank in ranks]
        for number, answer in enumerate(answers):
            if answer not in {b"", b"ready\n"}:
                raise _NotStarted(f"Rank {number} could not be started.")
        if _answer(mine.parent / _CLAIM).decode().strip() != os.environ["SLURM_JOB_ID"]:
            sys.exit(0)  # Slurm had lost this job, and another one has it now
        if all(answers):
            return
        (mine / ALIVE).touch()
        time.sleep(_LOOK_SECONDS)


def _answer(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _status(mine: Path) -> int:
    try:
        status: int = json.loads((mine / "exit.json").read_text())["code"]
    except (OSError, ValueError, KeyError):
        return 1
    return status


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))  # alone, it finds its neighbours by name
    sys.exit(main(Path(sys.argv[1])))
