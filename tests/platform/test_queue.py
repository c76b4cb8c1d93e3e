"""Waiting runs: what is stored for deciding about them, and that a pass over many is short."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform.execution.controller import Controller
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.state import queue, records
from mcli.platform.submission import runs
from tests.platform.quiet import RUN, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcli.platform.state.store import Transaction

LARGE = RUN | {"compute": {"gpus": 16}}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Quiet]:
    quiet = Quiet(tmp_path, patience=0.0)
    yield quiet
    quiet.close()


def create(quiet: Quiet, transaction: Transaction, run_input: dict[str, Any]) -> records.Run:
    return runs.create(transaction, quiet.user, run_input, virtual(2, 8))


def controller() -> Any:
    """Return a controller of which only the decisions are asked, which need the cluster alone."""
    deciding = Controller.__new__(Controller)
    deciding.clusters = (virtual(2, 8),)
    deciding._services = SimpleNamespace(engine=SimpleNamespace(schedules=False))
    return deciding


def decide(quiet: Quiet) -> list[str]:
    started: dict[str, str] = quiet.runner.run(quiet.store.write(controller()._pass))[0]
    return list(started)


def test_a_run_says_why_it_waits(quiet: Quiet) -> None:
    """The reason is written beside the run, and shown wherever the run keeps one."""
    first = quiet.runner.run(quiet.store.write(lambda each: create(quiet, each, LARGE)))
    quiet.clock.advance(1)
    second = quiet.runner.run(quiet.store.write(lambda each: create(quiet, each, LARGE)))
    assert [first.id] == decide(quiet)
    run = quiet.runner.run(quiet.store.read(lambda db: records.load(db, second.id)))
    assert run.reason.startswith("Waiting for 2 nodes")
    assert (run.reason, run.reason) == (run.lifecycle[-1]["reason"], run.latest["reason"])


def test_a_run_that_waits_no_more_leaves_the_queue(quiet: Quiet) -> None:
    """Who starts, or is stopped, is not decided about again."""
    for _ in range(2):
        quiet.runner.run(quiet.store.write(lambda each: create(quiet, each, LARGE)))
    decide(quiet)
    quiet.ask("stopRuns", {"filters": {}})
    assert [] == quiet.runner.run(quiet.store.read(queue.queued))


def test_a_changed_priority_is_heeded(quiet: Quiet) -> None:
    """An update of a waiting run is in what is decided with."""
    run = quiet.runner.run(quiet.store.write(lambda each: create(quiet, each, LARGE)))
    quiet.ask(
        "updateRun", {"filters": {"name": {"in": [run.name]}}}, {"priority": "high", "preemptible": True}
    )
    (row,) = quiet.runner.run(quiet.store.read(queue.queued))
    assert ("high", True) == (queue.read(row).priority, queue.read(row).preemptible)


def test_a_pass_over_many_reads_no_whole_runs(quiet: Quiet) -> None:
    """With 3,000 waiting runs, the document of no run is read or written but of those that start."""

    def fill(transaction: Transaction) -> None:
        for _ in range(3000):
            create(quiet, transaction, LARGE)

    quiet.runner.run(quiet.store.write(fill))
    for _ in range(10):
        decide(quiet)  # all are QUEUED after that
    statements: list[str] = []

    def count(transaction: Transaction) -> float:
        small = create(quiet, transaction, RUN)
        transaction.db.set_trace_callback(statements.append)
        begin = time.perf_counter()
        started, _ = controller()._pass(transaction)
        taken = time.perf_counter() - begin
        transaction.db.set_trace_callback(None)
        assert [small.id] == list(started)
        return taken

    taken = quiet.runner.run(quiet.store.write(count))
    whole = [each for each in statements if "stored_runs" in each or "UPDATE runs" in each]
    assert (3, True) == (len(whole), taken < 3), (taken, whole[:5])
