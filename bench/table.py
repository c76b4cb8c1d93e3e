"""The client beside its floors, as one table: `nox -s bench`, or `python -m bench.table [FILE.json]`.

Each row measures a call and its floor in turns, in the same process, and gives minimum, median and the ratio of the
minima: a machine that is busy disturbs a minimum least. `README.md` says what the rows and their floors are.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from mcli_mapi.get_runs_paginated import GetRunsPaginated
from mcli_mapi.get_runs_paginated_with_details import GetRunsPaginatedWithDetails

import mcli
from bench.calls import server
from bench.server import page
from bench.streams import LOG, log_frames, serving
from mcli._core.answers import read
from mcli._run_values import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


class Row(NamedTuple):
    """What was measured, in seconds, beside its floor."""

    what: str
    ours: list[float]
    floor: list[float]
    target: float
    """Ratio of the minima that is to be reached."""

    @property
    def ratio(self) -> float:
        return min(self.ours) / min(self.floor)

    def line(self) -> str:
        """Return the row as text."""
        verdict = "met" if self.ratio <= self.target else "missed"
        times = [1e3 * each(of) for of in (self.ours, self.floor) for each in (min, statistics.median)]
        return (
            f"{self.what:44}"
            + "".join(f"{each:10.3f}" for each in times)
            + f"{self.ratio:7.2f} x{self.target:6.2f} x  {verdict}"
        )


def in_turns(
    ours: Callable[[], object], floor: Callable[[], object], rounds: int
) -> tuple[list[float], list[float]]:
    """Measure two actions alternately, after one of each to warm up."""
    times: tuple[list[float], list[float]] = ([], [])
    ours(), floor()
    for _ in range(rounds):
        for action, kept in zip((ours, floor), times, strict=True):
            begin = time.perf_counter()
            action()
            kept.append(time.perf_counter() - begin)
    return times


def one_run() -> Iterator[Row]:
    """`get_run` over a kept connection, against `httpx.Client.post` and `json.loads`."""
    with server(1, "details") as port, httpx.Client() as bare:
        url = f"http://127.0.0.1:{port}/graphql"
        body = json.dumps({"query": "query Q { a }" * 100, "variables": {}})
        headers = {"Content-Type": "application/json"}
        with mcli.MAPIConnection(url, "a-key"):
            floor = lambda: json.loads(bare.post(url, content=body, headers=headers).content)  # noqa: E731 - short
            yield Row("get_run, kept connection", *in_turns(lambda: mcli.get_run("a"), floor, 500), 1.1)


def pages() -> Iterator[Row]:
    """Pages of runs, from bytes to values, against `json.loads`; at three sizes."""
    for details, kind, target in ((True, GetRunsPaginatedWithDetails, 2.2), (False, GetRunsPaginated, 1.7)):
        for count in (10, 100, 1000):
            content = page(count, details=details)

            def ours(content: bytes = content, kind: Any = kind) -> object:
                return runs_of(read(kind, content).get_runs_paginated.runs)

            what = f"{count} runs {'with details' if details else 'plain'} / json.loads"
            yield Row(what, *in_turns(ours, lambda content=content: json.loads(content), 10), target)


def futures() -> Iterator[Row]:
    """Futures at 50 ms of latency, against the time that so many take over 200 connections."""
    for count, target in ((200, 4.0), (2000, 3.8)):
        with (
            server(1, "plain", 0.05) as port,
            mcli.MAPIConnection(f"http://127.0.0.1:{port}/graphql", "a-key"),
        ):

            def ours(count: int = count) -> None:
                for each in [mcli.get_run("a", include_details=False, future=True) for _ in range(count)]:
                    each.result()

            ours()
            times = []
            for _ in range(5):
                begin = time.perf_counter()
                ours()
                times.append(time.perf_counter() - begin)
            yield Row(f"{count} futures / waves of 200 at 50 ms", times, [0.05 * -(-count // 200)], target)


def start() -> Iterator[Row]:
    """The CPU of import and first query over that of an empty program, against 0.18 s."""
    with server(1, "details") as port:
        code = f"import mcli\nwith mcli.MAPIConnection('http://127.0.0.1:{port}/graphql', 'k'): mcli.get_run('a')"
        for what, text, floor, target in (
            ("import mcli / pass", "import mcli", 0.0, 1.2),
            ("first query over pass / 0.18 s", code, 0.18, 1.0),
        ):
            times = [cpu(text) for _ in range(7)]
            empty = [cpu("pass") for _ in range(7)]
            if floor:
                times, empty = [min(times) - min(empty)], [floor]
            yield Row(what, times, empty, target)


def cpu(code: str) -> float:
    """Return the seconds of CPU that a program takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def logs() -> Iterator[Row]:
    """Frames of logs as lines, against bare websockets, JSON and base64."""
    for size, total, target in ((64_000, LOG, 1.1), (4_000, LOG, 1.0), (100, 1 << 20, 1.2)):
        answer, bare = log_frames(size, total)
        with serving(answer) as endpoint, mcli.MAPIConnection(endpoint, "a-key"):
            floor = partial(_finish, bare, endpoint)
            yield Row(f"log frames of {size} bytes, as lines", *in_turns(_lines, floor, 5), target)


def _lines() -> int:
    return sum(map(len, mcli.follow_run_logs("run-0", resumption=0)))


def _finish(work: Callable[[str], Coroutine[Any, Any, int]], endpoint: str) -> int:
    return asyncio.run(work(endpoint))


def main(file: str | None) -> None:
    """Print the table, and write it."""
    print(
        f"{'':44}{'ours min':>10}{'median':>10}{'floor min':>10}{'median':>10}{'ratio':>9}{'target':>8}   (ms)"
    )
    rows = []
    for group in (start, one_run, pages, futures, logs):
        for row in group():
            gc.collect()
            print(row.line(), flush=True)
            rows.append(row._asdict() | {"ratio": row.ratio})
    if file:
        Path(file).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
