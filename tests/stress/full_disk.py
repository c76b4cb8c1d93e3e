"""Fill the disk that the platform is on while runs end, and free it again."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.platform.caller import CREATE
from tests.stress.server import Server, until

if TYPE_CHECKING:
    import random
    from pathlib import Path

__all__ = ["play"]

RUNS = 20
SIZE = 96 << 20
ENDED = {"COMPLETED", "FAILED", "STOPPED"}


def play(folder: Path, _: random.Random) -> dict[str, Any]:
    """Return what became of the runs, or why this could not be tried."""
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        return {"skipped": "only root can mount a small disk"}
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        return {"skipped": f"no small disk can be mounted here: {mounted.stderr.strip()}"}
    try:
        return play_on(disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def play_on(disk: Path) -> dict[str, Any]:
    """Let runs end on a full disk."""
    with Server(disk / "data", "--grace=2") as server:
        caller = server.caller()
        names = [caller.create("echo begin; sleep 3; true") for _ in range(RUNS)]
        for name in names:
            caller.wait(name, "RUNNING")
        fill(disk / "filler")
        time.sleep(5)  # the runs end meanwhile
        refused = caller.post(
            CREATE,
            {
                "createRunData": {
                    "runInput": {
                        "runName": "x" * 50,
                        "image": "i",
                        "command": "x" * 100_000,
                        "compute": {"gpus": 0},
                    }
                }
            },
        ).json()
        (disk / "filler").unlink()
        ended = until(lambda: all(run["status"] in ENDED for run in server.runs().values()), 120)
        runs = server.runs()
        after = caller.finish("true")["status"]
        caller.close()
    messages = " ".join(error["message"] for error in refused.get("errors", ()))
    return {
        "runs": len(names),
        "told that the disk is full": int("full" in messages),
        "lost": len(set(names) - set(runs)),
        "doubled": len(runs) - len(set(runs) | set(names)),
        "stuck": 0 if ended else sum(run["status"] not in ENDED for run in runs.values()),
        "failed without reason": sum(run["status"] == "FAILED" and not run["reason"] for run in runs.values())
        + (after != "COMPLETED"),
    }


def fill(file: Path) -> None:
    """Write until nothing more fits."""
    with file.open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue
