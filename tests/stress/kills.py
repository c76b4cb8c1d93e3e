"""Kill the server again and again, also twice within a moment, while runs are submitted, start, write and end."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import httpx

from tests.platform.caller import CREATE
from tests.stress.server import Server, until

if TYPE_CHECKING:
    import random
    from pathlib import Path

__all__ = ["play"]

KILLS = 40
RUNS = 3
"""Runs that are submitted between two kills."""
ENDED = {"COMPLETED", "FAILED", "STOPPED"}


def play(folder: Path, chance: random.Random) -> dict[str, int]:
    """Return what became of the runs."""
    marks, names = folder / "marks", list[str]()
    command = (
        f'echo "$RUN_NAME/$RESUMPTION_INDEX" >> {marks}; sleep $(($RANDOM % 10)).$RANDOM; echo done'.replace(
            "$(($RANDOM % 10))", "0"
        )
    )
    with Server(folder / "data", "--grace=2", "--nodes=4") as server:
        for _ in range(KILLS):
            for _ in range(RUNS):
                names.append(submit(server, command, chance))
            time.sleep(chance.random())
            server.kill()
            server.start()
        for _ in range(3):  # in a row, before anything can have settled
            server.kill()
            server.start()
        stuck = 0 if until(lambda: all(run["status"] in ENDED for run in server.runs().values()), 180) else 1
        runs, caller = server.runs(), server.caller()
        logs = {name: caller.logs(name) for name in runs}
        caller.close()
    seen = Counter(marks.read_text().split())
    return {
        "runs": len(names),
        "kills": KILLS + 3,
        "lost": len(set(names) - set(runs)) + sum(logs[name] != b"done\n" for name in runs),
        "doubled": len(set(runs) - set(names)) + sum(count > 1 for count in seen.values()),
        "stuck": stuck and sum(run["status"] not in ENDED for run in runs.values()),
        "failed without reason": sum(run["status"] in ENDED - {"COMPLETED"} for run in runs.values()),
    }


def submit(server: Server, command: str, chance: random.Random) -> str:
    """Submit a run, perhaps while the server is killed: it is asked again with the same key until it has answered."""
    key = str(uuid.uuid4())
    given = {
        "runName": "stress",
        "image": "i",
        "command": command,
        "compute": {"gpus": chance.choice([0, 1, 8])},
    }
    if chance.random() < 0.1:
        killed = httpx.Client(timeout=0.01)
        try:
            body = {"query": CREATE, "variables": {"createRunData": {"runInput": given}}}
            killed.post(
                server.endpoint, json=body, headers={"Authorization": server.api_key, "Idempotency-Key": key}
            )
        except httpx.TransportError:
            pass
        finally:
            killed.close()
        server.kill()
        server.start()
    caller = server.caller()
    answer = caller.post(CREATE, {"createRunData": {"runInput": given}}, **{"Idempotency-Key": key}).json()
    caller.close()
    return str(answer["data"]["createRun"][0]["name"])
