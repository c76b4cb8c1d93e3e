"""Calls and pages, each as a ratio to its floor in the same run: `python -m bench.calls`."""

import gc
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mcli_mapi.get_runs_paginated_with_details import GetRunsPaginatedWithDetails

import mcli
from bench.server import page
from mcli._core.answers import read
from mcli._run_values import runs_of


@contextmanager
def server(count: int, details: str = "plain", delay: float = 0) -> Iterator[int]:
    """Run the do-nothing server in a process of its own, and give its port."""
    command = [sys.executable, "-m", "bench.server", str(count), details, str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def median(action: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of an action, after one to warm up."""
    action()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def report(what: str, ours: float, floor: float, unit: float = 1e3) -> None:
    """Print one row."""
    print(f"{what:45} {ours * unit:9.3f} ms {floor * unit:9.3f} ms {ours / floor:6.2f} x")


def one_run() -> None:
    """get_run over a kept connection, against http.client."""
    with server(1, "details") as port:
        body = json.dumps({"query": "query Q { a }", "variables": {}})
        bare = http.client.HTTPConnection("127.0.0.1", port)

        def floor() -> None:
            bare.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            bare.getresponse().read()

        with mcli.MAPIConnection(f"http://127.0.0.1:{port}/graphql", "a-key"):
            report("get_run / http.client", median(lambda: mcli.get_run("a"), 500), median(floor, 500))
        bare.close()


def thousand_runs() -> None:
    """A page of 1000 runs with details, from bytes to values, against json.loads."""
    content = page(1000, details=True)

    def ours() -> list[mcli.Run]:
        answer = read(GetRunsPaginatedWithDetails, content).get_runs_paginated
        return runs_of(answer.runs)

    report("1000 detailed runs / json.loads", median(ours, 10), median(lambda: json.loads(content), 10))
    gc.disable()
    report("the same without garbage collection", median(ours, 10), median(lambda: json.loads(content), 10))
    gc.enable()


def many_futures() -> None:
    """200 calls at once, at 50 ms of latency, against the latency."""
    with server(1, "plain", 0.05) as port, mcli.MAPIConnection(f"http://127.0.0.1:{port}/graphql", "a-key"):

        def ours() -> None:
            for each in [mcli.get_run("a", include_details=False, future=True) for _ in range(200)]:
                each.result()

        report("200 futures / one latency of 50 ms", median(ours, 5), 0.05)


if __name__ == "__main__":
    print(f"{'':45} {'ours':>12} {'floor':>12} {'ratio':>8}")
    one_run()
    thousand_runs()
    many_futures()
