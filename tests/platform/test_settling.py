"""Answers to stop and start that wait until what was asked for has happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform.state import records
from mcli.platform.state.status import Status
from tests.platform.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Transaction

LONG = 60.0


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Quiet]:
    quiet = Quiet(tmp_path, patience=LONG)
    yield quiet
    quiet.close()


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Quiet]:
    """A platform that does not wait."""
    quiet = Quiet(tmp_path, patience=0.0)
    yield quiet
    quiet.close()


def named(name: str) -> dict[str, Any]:
    return {"filters": {"name": {"in": [name]}}}


def change(quiet: Quiet, name: str, step: Callable[[Run, Transaction], object]) -> Awaitable[None]:
    """Take a step of a run as those who execute it do."""

    def work(transaction: Transaction) -> None:
        (row,) = transaction.db.execute("SELECT id FROM runs WHERE name = ?", (name,))
        run = records.load(transaction.db, row["id"])
        step(run, transaction)
        records.save(transaction, run)

    return quiet.store.write(work)


def running(quiet: Quiet) -> str:
    """Create a run that runs."""
    name = quiet.create()

    def start(run: Run, transaction: Transaction) -> None:
        run.place(transaction, ["node-0"], [[]])
        run.started(transaction)

    quiet.runner.run(change(quiet, name, start))  # type: ignore[arg-type]
    return name


def end(run: Run, transaction: Transaction) -> None:
    run.end(transaction, Status.STOPPED, "end")


async def asked(quiet: Quiet, field: str, *names: str, **how: Any) -> asyncio.Task[Any]:
    """Ask for a change of runs, and return when it is committed; the task gives the statuses in the answer."""

    async def statuses() -> list[str]:
        answer = await quiet.answer(field, {"filters": {"name": {"in": list(names)}}}, **how)
        return [run["status"] for run in answer["data"][field]]

    task = asyncio.create_task(statuses())
    await asyncio.sleep(0)
    await quiet.store.write(lambda _: None)  # the writer takes one after the other
    return task


def test_a_stop_is_answered_at_the_end(quiet: Quiet) -> None:
    """A stop of a live run is answered when the run has ended, and says so."""
    name = running(quiet)

    async def main() -> list[str]:
        task = await asked(quiet, "stopRuns", name)
        assert not task.done()
        await change(quiet, name, end)
        return await task  # type: ignore[no-any-return]

    assert ["STOPPED"] == quiet.runner.run(main())


def test_the_same_key_waits_again(quiet: Quiet) -> None:
    """A stop that is sent again with its idempotency key is answered with the end as well."""
    name = running(quiet)

    async def main() -> list[list[str]]:
        first = await asked(quiet, "stopRuns", name, once="k")
        second = await asked(quiet, "stopRuns", name, once="k")
        await change(quiet, name, end)
        return [await first, await second]

    assert [["STOPPED"], ["STOPPED"]] == quiet.runner.run(main())


def test_a_stop_of_itself_is_answered_at_the_commit(quiet: Quiet) -> None:
    """A run that asks for its own stop by its token is not kept waiting for itself."""
    name = running(quiet)
    run = quiet.ask("getRuns", named(name))["data"]["getRuns"][0]
    user = replace(quiet.user, run_id=run["id"])
    answer = quiet.runner.run(quiet.answer("stopRuns", named(name), user=user))
    assert "TERMINATING" == answer["data"]["stopRuns"][0]["status"]


def test_a_stop_does_not_wait_for_ever(hasty: Quiet) -> None:
    """A run that takes longer to end than the answer can wait is TERMINATING in it."""
    name = running(hasty)
    assert "TERMINATING" == hasty.ask("stopRuns", named(name))["data"]["stopRuns"][0]["status"]


@pytest.mark.parametrize("first", ["PENDING", "RUNNING"])
def test_starting_a_live_run_changes_nothing(quiet: Quiet, first: str) -> None:
    """The run comes back as it is; nothing about it is written."""
    name = quiet.create() if first == "PENDING" else running(quiet)
    before = quiet.ask("getRuns", named(name))["data"]["getRuns"]
    quiet.clock.advance(1)
    assert before == quiet.ask("startRuns", named(name))["data"]["startRuns"]


def test_a_start_of_an_ending_run_is_a_wish(quiet: Quiet) -> None:
    """It is kept until the run has ended, and answered with the next resumption."""
    name = running(quiet)

    async def main() -> list[str]:
        stop = await asked(quiet, "stopRuns", name)
        start = await asked(quiet, "startRuns", name)
        await change(quiet, name, end)
        assert ["PENDING"] == await start
        return await stop  # type: ignore[no-any-return]

    assert ["PENDING"] == quiet.runner.run(main())
    run = quiet.ask("getRuns", named(name))["data"]["getRuns"][0]
    passed = [entry["status"] for entry in run["details"]["lifecycle"][-3:]]
    assert (["TERMINATING", "STOPPED", "PENDING"], 2) == (passed, len(run["resumptions"]))


@pytest.mark.parametrize("field", ["stopRuns", "deleteRuns"])
def test_a_wish_is_taken_back(hasty: Quiet, field: str) -> None:
    """Who stops or deletes a run that is to start again has it stay at its end."""
    name = running(hasty)
    for each in ("stopRuns", "startRuns", field):
        hasty.ask(each, named(name))
    hasty.runner.run(change(hasty, name, end))  # type: ignore[arg-type]
    run = hasty.ask("getRuns", named(name) | {"includeDeleted": True})["data"]["getRuns"][0]
    assert ("STOPPED", 1) == (run["status"], len(run["resumptions"]))


def test_the_rest_of_the_list_is_started(hasty: Quiet) -> None:
    """One run that is ending does not keep others from being started, nor one that is live."""
    ending, ended, live = running(hasty), hasty.create(), running(hasty)
    for name in (ending, ended):
        hasty.ask("stopRuns", named(name))
    wanted = {"filters": {"name": {"in": [ending, ended, live]}}}
    statuses = {run["name"]: run["status"] for run in hasty.ask("startRuns", wanted)["data"]["startRuns"]}
    assert statuses == {ending: "TERMINATING", ended: "PENDING", live: "RUNNING"}
