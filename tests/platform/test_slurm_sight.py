"""What is true of a job on Slurm, told from its files and from Slurm's word, without a Slurm."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcli.platform.execution.engine import Exit, Job, Phase, Sight
from mcli.platform.execution.slurm_commands import SlurmJob
from mcli.platform.execution.slurm_sight import Files, choose, sight

NOW = 1_000_000.0
JOB = Job("key", Path("/nowhere"), (Path("/nowhere/0"),))
UNSEEN = Files((None,), False, False, False, True, None, False, 0.0)
CLAIMED = Files((None,), False, False, False, True, "7", False, 0.0)


def known(state: str, reason: str = "None", starts_at: float | None = None, number: str = "7") -> SlurmJob:
    return SlurmJob(number, state, "n1", starts_at, 1.0, reason)


def look(files: Files, job: SlurmJob | None, since: float = 100.0) -> Sight:
    return sight(JOB, files, job, ("n1",), since, NOW)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources", "Waiting for nodes."),
        ("JobHeldUser", "scontrol release 7"),
        ("PartitionNodeLimit", "before the limit is changed"),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "n[1-2]"),
        ("SomethingNew", "Slurm says SomethingNew."),
    ],
)
def test_a_job_that_waits_says_why(reason: str, words: str) -> None:
    """Slurm's reasons are told in our words, new ones as they are."""
    found = look(UNSEEN, known("PENDING", reason))
    assert (Phase.WAITING, True) == (found.phase, words in found.reason)


@pytest.mark.parametrize(("days", "honest"), [(0.01, True), (29, True), (365, False), (-1, False)])
def test_a_forecast_is_told_only_if_it_is_one(days: float, honest: bool) -> None:
    """A start a year away means that a job ahead has no limit: that is no forecast."""
    found = look(UNSEEN, known("PENDING", "Resources", NOW + days * 86400))
    assert honest == (found.starts_at is not None) == ("Expected" in found.reason)


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("NODE_FAIL", "node"),
        ("PREEMPTED", "preempted"),
        ("TIMEOUT", "limit"),
        ("CANCELLED", "cancelled"),
        ("OUT_OF_MEMORY", "memory"),
    ],
)
def test_a_final_word_of_slurm_counts_after_a_while(state: str, cause: str) -> None:
    """What Slurm ended is over when the files have had time to come, and has its cause."""
    early, late = look(CLAIMED, known(state), since=1.0), look(CLAIMED, known(state), since=10.0)
    assert (False, Phase.ENDED, cause) == (early.phase is Phase.ENDED, late.phase, late.cause)
    assert late.ends[0] is not None
    assert late.ends[0].lost


def test_an_end_that_was_written_comes_before_slurms_word() -> None:
    """A rank that has ended has ended, whatever Slurm says, and also when it says nothing."""
    files = Files((Exit(4),), True, True, False, True, "7", False, NOW)
    for job in (known("RUNNING"), known("PENDING"), None):
        assert (Phase.ENDED, 4) == (look(files, job).phase, getattr(look(files, job).ends[0], "code", None))


def test_a_stop_that_nobody_of_ours_asked_for_waits_for_slurms_word() -> None:
    """Ranks that got SIGTERM from elsewhere are shown as ended only when Slurm has said why."""
    files = Files((Exit(143, stopped=True),), True, True, False, True, "7", False, NOW)
    assert (None,) == look(files, known("COMPLETING"), since=1.0).ends
    assert "cancelled" == look(files, known("CANCELLED"), since=1.0).cause


def test_a_rank_that_slurm_has_forgotten_lives_by_its_heartbeat() -> None:
    """With a fresh sign of life a forgotten job runs; without one it is lost."""
    alive = Files((None,), True, True, False, True, "7", False, NOW - 20)
    dead = Files((None,), True, True, False, True, "7", False, NOW - 200)
    assert (Phase.RUNNING, Phase.ENDED) == (look(alive, None).phase, look(dead, None).phase)


def test_the_job_with_the_claim_counts() -> None:
    """Of jobs that were submitted twice the one with the claim is ours, whatever became of the other."""
    jobs = [known("RUNNING", number="7"), known("COMPLETED", number="8")]
    assert ["7", "7", "8"] == [getattr(choose(jobs, claim), "id", None) for claim in ("7", None, "8")]
    assert choose([], None) is None
