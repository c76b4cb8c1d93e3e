"""The client and the local platform, in any order of calls, against a model."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import mcli
from mcli import MAPIConnection, MAPIException, RunStatus
from mcli.testing import local_platform
from tests.properties.killable import KillablePlatform
from tests.properties.model import GPUS, PLACES, Known, settled
from tests.properties.waiting import PATIENCE, taken, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from mcli import Run

SELDOM = st.sampled_from([False] * 5 + [True])
PARTS = 5
"""How many tests share the examples, so that none of them takes long."""
LOOK = settings(
    max_examples=settings().max_examples // 10 // PARTS,
    stateful_step_count=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class PlatformMachine(RuleBasedStateMachine):
    """Calls of one user, to a platform with one node, whose clock stands still but where a rule turns it.

    Every call that changes something may be `hit` by a crash of the server: before it arrives, while it is carried
    out, or after that.
    """

    runs: Bundle[Known] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mcli-machine-"))
        self.known: list[Known] = []
        self.watches: list[tuple[Known, Run, Any]] = []
        self.lost: list[Known] = []
        self.platform = KillablePlatform(self.folder / "data", GPUS)
        self.stack = ExitStack()
        self.stack.enter_context(MAPIConnection(self.platform.endpoint, self.platform.api_key))

    def teardown(self) -> None:
        """End all that was begun."""
        for _, _, watch in self.watches:
            watch.close()
        self.stack.close()
        self.platform.stop()
        shutil.rmtree(self.folder)

    def settle(self) -> None:
        """Wait until the platform has done what there is to do, and take note of what runs."""
        deadline = time.monotonic() + PATIENCE
        while not settled(self.known, found := list(self.listed(include_deleted=True))):
            is_so = [(run.name, run.status.name, len(run.resumptions), run.reason) for run in found]
            to_be = [(each.name, each.end, each.attempts) for each in reversed(self.known)]
            assert time.monotonic() < deadline, f"{is_so} is not {to_be}"
            time.sleep(0.01)
        by_name = {run.name: run for run in found}
        for each in self.known:
            if by_name[each.name].status is RunStatus.RUNNING:
                each.see(self.platform.now)

    def listed(self, **filters: Any) -> list[Run]:
        """Return what is listed, over pages of two."""
        return list(mcli.get_runs(limit=2, **filters).iter_all())

    def expect(self) -> list[str]:
        """Return the names of the runs that are there, newest first."""
        return [each.name for each in reversed(self.known) if not each.is_deleted]

    def crash(self) -> None:
        """Kill the server, and start another one."""
        self.platform.kill()
        self.platform.start()

    def change(self, verb: Callable[..., Future[Any]], *arguments: Any, hit: bool, **more: Any) -> Any:
        """Make a call that changes something, and that may be hit by a crash; it is carried out once."""
        done = verb(*arguments, future=True, **more)
        if not hit:
            return done.result(PATIENCE)
        self.crash()
        try:
            return done.result(PATIENCE)
        except MAPIException as error:
            if "Cannot connect" not in str(error):
                raise
            # It never got there, and was not to wait for another server: nothing was done.
            return verb(*arguments, future=True, **more).result(PATIENCE)

    # What people do

    @precondition(lambda self: len(self.known) < PLACES)
    @rule(
        target=runs,
        gpus=st.sampled_from([0, 0, GPUS]),
        max_retries=st.integers(0, 1),
        limit=st.sampled_from([None, None, 1800]),
        hit=SELDOM,
    )
    def create(self, gpus: int, max_retries: int, limit: float | None, hit: bool) -> Known:
        pipe = self.folder / f"pipe-{len(self.known)}"
        os.mkfifo(pipe)
        run = self.change(
            mcli.create_run,
            mcli.RunConfig(
                name="machine",
                image="bash",
                command=f'echo up; read code < {pipe}; echo "got $code"; [ $code = 9 ] && kill -9 $$; exit $code',
                compute={"gpus": gpus},
                scheduling={"max_retries": max_retries, **({"max_duration": limit / 3600} if limit else {})},
                metadata={"number": len(self.known)},
            ),
            hit=hit,
        )
        known = Known(
            run.name, pipe, gpus, self.platform.now, max_retries, limit, {"number": len(self.known)}
        )
        assert (known.created_at, max_retries) == (run.created_at, run.max_retries)
        assert limit == (None if run.max_duration is None else run.max_duration * 3600)
        self.known.append(known)
        self.settle()
        return known

    @rule(run=runs, code=st.sampled_from([0, 3, 9]), unseen=SELDOM)
    def finish(self, run: Known, code: int, unseen: bool) -> None:
        """The command of a run ends: well, with an error, or killed; perhaps while no server is there."""
        if not run.is_running:
            return
        attempt = run.attempts - 1
        if unseen:
            self.platform.kill()
        write(run.pipe, f"{code}\n")
        if unseen:
            self.platform.start()
        if code == 0:
            run.end = RunStatus.COMPLETED
        else:
            run.fail()
        self.settle()
        if not run.is_deleted:
            log = mcli.get_run_logs(run.name, resumption=attempt, timeout=PATIENCE)
            assert f"up\ngot {code}\n" == log.partition("\n")[2]

    @rule(run=runs, reason=st.sampled_from([None, "enough"]), hit=SELDOM)
    def stop(self, run: Known, reason: str | None, hit: bool) -> None:
        if self.is_missing(run, lambda: self.change(mcli.stop_run, run.name, reason=reason, hit=hit)):
            return
        changed = run.end is None
        run.end = run.end or RunStatus.STOPPED
        self.settle()
        if changed and reason:
            assert reason == mcli.get_run(run.name).reason

    @rule(run=runs, hit=SELDOM)
    def start(self, run: Known, hit: bool) -> None:
        if self.is_missing(run, lambda: self.change(mcli.start_run, run.name, hit=hit)):
            return
        if run.end is not None:  # else nothing changes
            run.failures = 0
            run.again()
        self.settle()

    @rule(run=runs, hit=SELDOM)
    def delete(self, run: Known, hit: bool) -> None:
        if self.is_missing(run, lambda: self.change(mcli.delete_run, run.name, hit=hit)):
            return
        run.is_deleted, run.end = True, run.end or RunStatus.STOPPED
        if hit:
            self.lost.append(run)
        self.settle()
        with pytest.raises(MAPIException, match="404"):
            mcli.get_run(run.name)

    @rule(run=runs, max_retries=st.integers(0, 1), preemptible=st.booleans(), hit=SELDOM)
    def update(self, run: Known, max_retries: int, preemptible: bool, hit: bool) -> None:
        values = {"max_retries": max_retries, "preemptible": preemptible}
        if not self.is_missing(run, lambda: self.change(mcli.update_run, run.name, **values, hit=hit)):
            run.max_retries = max_retries
            found = mcli.get_run(run.name)
            assert (max_retries, preemptible) == (found.max_retries, found.preemptible)

    @rule(
        run=runs,
        entries=st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=3)),
        hit=SELDOM,
    )
    def annotate(self, run: Known, entries: dict[str, Any], hit: bool) -> None:
        if not self.is_missing(
            run, lambda: self.change(mcli.update_run_metadata, run.name, entries, hit=hit)
        ):
            run.metadata |= entries
            assert run.metadata == mcli.get_run(run.name).metadata

    @rule(run=runs)
    def watch(self, run: Known) -> None:
        if not run.is_deleted:
            watch: Any = mcli.watch_run_status(run.name, future=True)
            first = next(watch).result(PATIENCE)
            self.watches.append((run, first, watch))

    @rule(run=runs, status=st.sampled_from(RunStatus))
    def wait(self, run: Known, status: RunStatus) -> None:
        """Waiting for a status that a run has reached ends at once."""
        if run.is_deleted:
            return
        now = mcli.get_run(run.name).status
        if now.after(status, inclusive=True):
            assert now is mcli.wait_for_run_status(run.name, status, timeout=PATIENCE).status

    # What happens to them

    @rule(seconds=st.sampled_from([1, 1799, 1800, 4000]), unseen=SELDOM)
    def pass_time(self, seconds: int, unseen: bool) -> None:
        """Time passes; perhaps while no server is there."""
        if unseen:
            self.platform.kill()
        self.platform.advance(seconds)
        if unseen:
            self.platform.start()
        for each in self.known:
            each.pass_time(self.platform.now)
        self.settle()

    @rule()
    def crash_the_server(self) -> None:
        self.crash()
        self.settle()

    # What is seen

    @rule(deleted=st.booleans(), statuses=st.sets(st.sampled_from(RunStatus), min_size=1), gpus=st.booleans())
    def list_some(self, deleted: bool, statuses: set[RunStatus], gpus: bool) -> None:
        whole = self.listed(include_deleted=True)
        found = self.listed(include_deleted=deleted, statuses=statuses, gpu_nums=[GPUS] if gpus else None)
        expected = [
            run.name
            for run in whole
            if (deleted or not run.is_deleted) and run.status in statuses and (not gpus or run.gpus == GPUS)
        ]
        assert expected == [run.name for run in found]

    @rule(one=runs, other=runs)
    def list_a_span(self, one: Known, other: Known) -> None:
        found = self.listed(after=one.created_at, before=other.created_at)
        assert [
            each.name
            for each in reversed(self.known)
            if one.created_at <= each.created_at < other.created_at and not each.is_deleted
        ] == [run.name for run in found]

    @precondition(lambda self: len(self.known) < PLACES)
    @rule()
    def list_while_a_run_is_created(self) -> None:
        """What is created between two pages moves nothing from one to the other."""
        expected = self.expect()
        first = mcli.get_runs(limit=1)
        self.create(0, 0, None, hit=False)
        assert expected == [run.name for run in first.iter_all()]

    @rule(names=st.sets(runs, max_size=3))
    def list_by_name(self, names: set[Known]) -> None:
        wanted = {each.name for each in names}
        assert [name for name in self.expect() if name in wanted] == [
            run.name for run in mcli.get_runs(wanted, limit=2)
        ]

    @invariant()
    def all_is_listed(self) -> None:
        assert self.expect() == [run.name for run in self.listed()]

    @invariant()
    def watches_tell_what_was(self) -> None:
        """A watch of a run that has ended told each status since it began, once, and ends."""
        for run, first, watch in [each for each in self.watches if each[0].end is not None]:
            self.watches.remove((run, first, watch))
            # A watch that lost its server while the run was deleted comes back to no run, and says so.
            with suppress_missing() if run in self.lost else nullcontext():
                told = [step.status for step in (first, *taken(watch))]
            if not run.is_deleted:
                passed = [span.status for span in mcli.get_run(run.name).lifecycle]
                assert passed[len(passed) - len(told) :] == told

    def is_missing(self, run: Known, call: Callable[[], object]) -> bool:
        """Make a call, which a deleted run refuses; tell whether it is deleted."""
        if not run.is_deleted:
            call()
            return False
        with pytest.raises(MAPIException, match="404"):
            mcli.stop_run(run.name)
        return True


@contextmanager
def suppress_missing() -> Iterator[None]:
    """Let a call fail because the run is not there."""
    try:
        yield
    except MAPIException as error:
        if error.status != 404:
            raise


def test_a_run_ends_at_its_limit() -> None:
    """A run goes on until the last second of its limit, and not one longer."""
    machine = PlatformMachine()
    try:
        run: Any = machine.create(0, 0, 1800, hit=False)
        machine.pass_time(1799, unseen=False)
        assert run.end is None
        machine.pass_time(1, unseen=False)
        assert RunStatus.STOPPED is run.end
    finally:
        machine.teardown()


def test_a_watch_tells_how_a_deleted_run_ended() -> None:
    """A watch of a run that is deleted ends with the run as it was last known, STOPPED and deleted."""
    with local_platform(grace=2):
        run = mcli.create_run(mcli.RunConfig(name="a", image="bash", command="sleep 60", compute={"gpus": 0}))
        mcli.wait_for_run_status(run, RunStatus.RUNNING, timeout=PATIENCE)
        watch: Any = mcli.watch_run_status(run.name, future=True)
        assert RunStatus.RUNNING is next(watch).result(PATIENCE).status
        mcli.delete_run(run)
        last = taken(watch)[-1]
    assert (RunStatus.STOPPED, True) == (last.status, last.is_deleted)


@pytest.mark.hypothesis
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_calls(part: int) -> None:
    """In whatever order people call, and whenever the server crashes, the platform does what the model does."""
    run_state_machine_as_test(PlatformMachine, settings=LOOK)
