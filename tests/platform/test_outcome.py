"""What becomes of a run whose ranks have ended."""

import json

import pytest

from mcli.platform.clock import VirtualClock, format_time, later
from mcli.platform.execution.engine import Exit
from mcli.platform.execution.outcome import Outcome, judge
from mcli.platform.state.records import Run

NOW = format_time(VirtualClock().now())
LOST = Exit(code=137, lost=True)


def run(**values: object) -> Run:
    """Give a run that is being executed on two nodes."""
    resumption = {"placement": [{"name": "node-0"}, {"name": "node-1"}], "runningSince": NOW}
    document = {"id": "1", "name": "r", "owner": "o", "run_type": "TRAINING", "submitted": {}, "executed": {}}
    more = {"demand": {}, "created_at": NOW, "updated_at": NOW, "resumptions": [resumption], **values}
    return Run(**json.loads(json.dumps(document | more)))


def repeat(one: Run, end: Exit, now: str = NOW) -> list[Outcome]:
    """Let a run end in this way until it is not tried again."""
    outcomes = [judge(one, [end], now)]
    while outcomes[-1].retry_after is not None:
        outcomes.append(judge(one, [end], now))
    return outcomes


def test_all_zero_is_completed() -> None:
    """A run is COMPLETED when every rank exits with 0."""
    assert Outcome("COMPLETED", "Run completed successfully") == judge(run(), [Exit(0), Exit(0)], NOW)


def test_first_failure_counts() -> None:
    """The reason is that of the rank that failed first by itself."""
    ends = [Exit(143, ended_at=1.0, stopped=True), Exit(5, ended_at=2.0)]
    assert "Exit code: 5. Reason: Error" == judge(run(), ends, NOW).reason


def test_lost_rank_names_its_node() -> None:
    """A rank of which nobody knows the end is a lost node."""
    assert Outcome("FAILED", "Node node-1 lost") == judge(run(), [Exit(0), LOST], NOW)


@pytest.mark.parametrize("kind", ["user", "limit"])
def test_stopped_run_is_stopped(kind: str) -> None:
    """A stop or a time limit wins over how the ranks ended, and is never retried."""
    stopping = {"kind": kind, "reason": "because"}
    stopped = run(stopping=stopping, max_retries=5, retry_on_system_failure=True)
    assert Outcome("STOPPED", "because") == judge(stopped, [Exit(1), LOST], NOW)


def test_preempted_run_is_tried_again_at_once() -> None:
    """Preemption uses up no retry."""
    preempted = run(stopping={"kind": "preempted", "reason": "Preempted by r"})
    assert 0.0 == judge(preempted, [Exit(143)], NOW).retry_after
    assert 0 == sum(preempted.failures.values())


@pytest.mark.parametrize(
    ("run_type", "status"),
    [("INTERACTIVE", "COMPLETED"), ("TRAINING", "STOPPED"), ("FINETUNE", "STOPPED")],
)
def test_only_an_interactive_run_completes_at_its_limit(run_type: str, status: str) -> None:
    """The time of an interactive run is over, which is no failure."""
    limited = run(run_type=run_type, stopping={"kind": "limit", "reason": "over"})
    assert status == judge(limited, [Exit(143)], NOW).status


def test_max_retries_counts_failures_of_the_user() -> None:
    """A failing command is tried again `max_retries` times, with longer and longer pauses."""
    pauses = [outcome.retry_after for outcome in repeat(run(max_retries=4), Exit(1))]
    assert [0.0, 1.0, 2.0, 4.0, None] == pauses


def test_system_failures_count_as_others_without_the_watchdog() -> None:
    """Without `retry_on_system_failure` a lost rank uses up `max_retries`."""
    assert 3 == len(repeat(run(max_retries=2), LOST))


@pytest.mark.parametrize("failures", [2, 3])
def test_max_retries_may_be_lowered_meanwhile(failures: int) -> None:
    """A run that was tried again more often than is allowed by now is not tried again."""
    lowered = run(max_retries=2, failures={"user": failures, "system": 0, "in_a_row": 0})
    assert judge(lowered, [Exit(1)], NOW).retry_after is None


def test_watchdog_gives_up_on_failures_in_a_row() -> None:
    """With the watchdog a run that never gets far is given up after ten retries."""
    pauses = [outcome.retry_after for outcome in repeat(run(retry_on_system_failure=True), LOST)]
    assert [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, None] == pauses


def test_watchdog_forgives_what_is_long_ago() -> None:
    """After a minute of RUNNING earlier failures are not in a row, but 100 in all are too many."""
    outcomes = repeat(run(retry_on_system_failure=True), LOST, later(NOW, 60))
    assert 101 == len(outcomes)
    assert {0.0, None} == {outcome.retry_after for outcome in outcomes}


@pytest.mark.parametrize(("seconds", "expected"), [(59, 4.0), (60, 0.0), (61, 0.0)])
def test_a_minute_of_running_is_enough(seconds: int, expected: float) -> None:
    """What counts is the time of RUNNING, to the second; then the pauses begin anew."""
    failing = run(max_retries=9, failures={"user": 3, "system": 0, "in_a_row": 3})
    assert expected == judge(failing, [Exit(1)], later(NOW, seconds)).retry_after
    assert max(1.0, 2 * expected) == judge(failing, [Exit(1)], NOW).retry_after


@pytest.mark.parametrize("failures", [{"system": 101, "in_a_row": 1}, {"system": 11, "in_a_row": 11}])
def test_what_is_over_its_limits_is_not_tried_again(failures: dict[str, int]) -> None:
    """Limits that were exceeded, by an older platform perhaps, are exceeded."""
    exceeded = run(retry_on_system_failure=True, failures={"user": 0, **failures})
    assert judge(exceeded, [LOST], NOW).retry_after is None
