"""What the platform's store costs at 1,000, 100,000 and 1,000,000 runs: `python -m bench.store [RUNS...]`.

Each line has the medians of a call, and how they grow from the smallest store to the largest. The runs of a store are
copies of one. The stores are made in a temporary folder: a million runs take 3 GB.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from mcli.platform.clock import SystemClock
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.state import selection
from mcli.platform.state.store import Store, Transaction
from mcli.platform.state.users import Keys, User
from mcli.platform.submission import runs
from tests.platform.many import copy_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZES = (1_000, 100_000, 1_000_000)
CALLS = 200
RUN = {"runName": "a", "image": "a", "command": "true", "compute": {"gpus": 0}}


async def measure(folder: Path, count: int) -> dict[str, tuple[float, float]]:
    """Return median and minimum, in milliseconds, of each call on a store of so many runs."""
    store = Store(folder / "db", SystemClock(), lambda _: None)
    try:
        user = await Keys(store).add_user("ann", "ann@localhost")
        cluster = virtual(2, 8)
        await store.write(lambda transaction: runs.create(transaction, user, RUN, cluster))
        await asyncio.to_thread(copy_runs, folder / "db", count)
        return {name: await timed(call) for name, call in calls(store, user, count).items()}
    finally:
        store.close()


def calls(store: Store, user: User, count: int) -> dict[str, Callable[[int], Awaitable[object]]]:
    """Name the calls; each is given its number."""
    cluster = virtual(2, 8)

    def named(number: int) -> dict[str, Any]:
        return {"filters": {"name": {"in": [f"copy-{1 + number * 7919 % count}"]}}}

    def update(transaction: Transaction, number: int) -> None:
        (run,) = selection.changeable(transaction.db, user, named(number))
        runs.update_metadata(transaction, run, {"batch": number})

    def page(**filters: Any) -> Callable[[int], Awaitable[object]]:
        return lambda _: store.read(lambda db: selection.page(db, user, {"filters": filters}))

    return {
        "get by name": lambda number: store.read(lambda db: selection.matching(db, user, named(number))),
        "page of 100": page(),
        "page by status": page(status={"in": ["COMPLETED", "FAILED"]}),
        "page by a rare status": page(status={"in": ["PENDING", "QUEUED"]}),
        "update of metadata": lambda number: store.write(lambda transaction: update(transaction, number)),
        "create": lambda _: store.write(lambda transaction: runs.create(transaction, user, RUN, cluster)),
    }


async def timed(call: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Return median and minimum of many calls, in milliseconds."""
    times = list[float]()
    for number in range(CALLS):
        begin = time.perf_counter()
        await call(number)
        times.append(1000 * (time.perf_counter() - begin))
    return median(times), min(times)


def main(sizes: tuple[int, ...]) -> None:
    """Measure all sizes, and print a line for each call and the whole as JSON."""
    found = dict[int, dict[str, tuple[float, float]]]()
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found[size] = asyncio.run(measure(Path(folder), size))
    smallest, largest = found[sizes[0]], found[sizes[-1]]
    for name in smallest:
        figures = "  ".join(f"{size:>9,}: {found[size][name][0]:7.3f} ms" for size in sizes)
        growth = largest[name][0] / smallest[name][0]
        print(f"{name:22} {figures}  x {growth:.2f} {'' if growth <= 2 else 'MISSED: 2'}")
    print(json.dumps({str(size): each for size, each in found.items()}))


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
