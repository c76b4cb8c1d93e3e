"""Store a thousand runs and a million, and compare what is asked most."""

from __future__ import annotations

import sqlite3
import statistics
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import format_time
from tests.stress.server import Server

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.platform.caller import Caller

__all__ = ["play"]

FEW, MANY = 1_000, 1_000_000
REPEATS = 20
BEARABLE = 5.0
"""How much longer a question may take among many runs, on a machine that does other things as well."""
UPDATE = """mutation U($runs: GetRunsInput!, $update: UpdateRunMetadataInput!) {
updateRunMetadata(getRunsData: $runs, updateRunMetadataData: $update) { name } }"""


def play(folder: Path, chance: random.Random) -> dict[str, Any]:
    """Return how much slower each question is, and the milliseconds that it takes among many runs."""
    few, many = (measure(folder / str(count), count, chance) for count in (FEW, MANY))
    growth = {question: many[question] / few[question] for question in few}
    return {
        "runs": MANY,
        "stuck": sum(times > BEARABLE and many[question] > 0.05 for question, times in growth.items()),
        **{
            f"{question} (ms, times longer)": f"{many[question] * 1000:.1f}, {times:.1f}"
            for question, times in growth.items()
        },
    }


def measure(folder: Path, count: int, chance: random.Random) -> dict[str, float]:
    """Return the median seconds of each question among so many runs."""
    with Server(folder) as server:
        caller = server.caller()
        name = caller.finish("true")["name"]
        caller.close()
    names = fill(folder / "platform.sqlite3", name, count)
    with Server(folder) as server:
        caller = server.caller()
        ask: dict[str, Callable[[], object]] = {
            "get by name": lambda: caller.run(chance.choice(names)),
            "page": lambda: caller.page(limit=100),
            "page of a status": lambda: caller.page(limit=100, filters={"status": {"in": ["COMPLETED"]}}),
            "update of metadata": lambda: update(caller, chance.choice(names)),
        }
        times = {
            question: statistics.median(seconds(call) for _ in range(REPEATS))
            for question, call in ask.items()
        }
        caller.close()
    return times


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def update(caller: Caller, name: str) -> None:
    data = {"filters": {"name": {"in": [name]}}}
    caller.send(UPDATE, runs=data, update={"metadata": {"x": str(uuid.uuid4())}})


def fill(file: Path, name: str, count: int) -> list[str]:
    """Store copies of a run, and return some of their names."""
    with closing(sqlite3.connect(file)) as db:
        db.row_factory = sqlite3.Row
        model = dict(db.execute("SELECT * FROM runs WHERE name = ?", (name,)).fetchone())
        del model["sequence"]
        statement = f"INSERT INTO runs ({', '.join(model)}) VALUES ({', '.join('?' * len(model))})"
        db.execute("PRAGMA synchronous = OFF")
        with db:
            db.executemany(statement, copies(model, count))
    return [f"copy-{number}" for number in range(0, count, max(1, count // 500))]


def copies(model: dict[str, Any], count: int) -> Iterator[tuple[Any, ...]]:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(count):
        own = model | {"id": str(uuid.uuid4()), "name": f"copy-{number}"}
        own["created_at"] = format_time(begin + timedelta(seconds=number))
        document: str = model["document"]
        for key in ("id", "name", "created_at"):
            document = document.replace(model[key], own[key])
        yield tuple((own | {"document": document}).values())
