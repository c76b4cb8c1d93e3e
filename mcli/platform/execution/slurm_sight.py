"""What is true of a job on Slurm: a pure function of its files, of what Slurm says, and of the time.

The order of trust: `exit.json` of its ranks; then Slurm's word, once it has been final for some seconds, because files
on a shared file system come late; then the heartbeat of ranks that Slurm has forgotten. A number that Slurm gave is no
identity: after a crash of its controller the same number may be another job's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import Cause, Exit, Job, Phase, Sight
from mcli.platform.execution.node import ALIVE, REDO, STOPPING
from mcli.platform.execution.rank_files import Note, lost, read_exit
from mcli.platform.execution.slurm_script import CLAIM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcli.platform.execution.slurm_commands import SlurmJob

__all__ = ["FINAL", "Files", "choose", "files_of", "sight"]

FINAL = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT",
    }
)  # fmt: skip
"""States of Slurm after which nothing more comes."""

_WAITING = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
}
_CAUSES: dict[str, Cause] = {
    "BOOT_FAIL": "node",
    "NODE_FAIL": "node",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
    "PREEMPTED": "preempted",
    "TIMEOUT": "limit",
    "DEADLINE": "limit",
    "OUT_OF_MEMORY": "memory",
}
_PROBLEMS: dict[Cause, str] = {
    "node": "Node lost",
    "cancelled": "Cancelled in Slurm",
    "preempted": "Preempted in Slurm",
    "limit": "Slurm's time limit was reached",
    "memory": "Out of memory",
    "launch": "Slurm could not start the run",
    "": "Slurm lost the run",
}
_REASONS = {
    "None": "Submitted to Slurm.",
    "": "Submitted to Slurm.",
    "Resources": "Waiting for nodes.",
    "Priority": "Waiting for jobs that come earlier.",
    "BeginTime": "Slurm holds it until later.",
    "Dependency": "Waiting for other jobs.",
    "JobHeldUser": "Held in Slurm; `scontrol release {id}` lets it go.",
    "JobHeldAdmin": "Held by an administrator of Slurm.",
    "launch_failed_requeued_held": "Held in Slurm, because a node failed; `scontrol release {id}` lets it go.",
}
_SETTLE_SECONDS = 3.0
"""How long Slurm's final word waits for files."""
_FORGOTTEN_SECONDS = 10.0
"""How long Slurm must not know a job before that means anything."""
_HEARTBEAT_SECONDS = 60.0
_FORECAST_SECONDS = 30 * 86400
"""Slurm's forecast is a year away when the jobs ahead have no limit: such a one is no forecast."""


@dataclass(frozen=True)
class Files:
    """What the files of a job tell now."""

    ends: tuple[Exit | None, ...]
    is_started: bool
    """Whether every rank's command was started."""
    is_any_started: bool
    is_redone: bool
    """Whether Slurm has lost the job, so that it is about to be submitted anew."""
    is_ordered: bool
    """Whether it is still written down what is to be done."""
    claim: str | None
    """The number of the Slurm job that executes it."""
    is_stopping: bool
    """Whether a stop was asked for."""
    heartbeat: float
    """Unix seconds of the last sign of life of a rank; 0 without one."""


def files_of(job: Job) -> Files:
    """Look at the files of a job."""
    ends = tuple(read_exit(folder) for folder in job.ranks)
    started = [bool(Note.read(folder).command) for folder in job.ranks]
    redone = (job.folder / REDO).exists()
    try:
        claim = (job.folder / CLAIM).read_text().strip()
    except FileNotFoundError:
        claim = None
    beats = [file.stat().st_mtime for folder in job.ranks if (file := folder / ALIVE).exists()]
    is_stopping = (job.folder / STOPPING).exists()
    beat = max(beats, default=0.0)
    return Files(ends, all(started), any(started), redone, job.is_ordered, claim, is_stopping, beat)


def choose(jobs: Sequence[SlurmJob], claim: str | None) -> SlurmJob | None:
    """Return that job of Slurm which executes ours: the one that has the claim, else one that still may get it."""
    claimed = [job for job in jobs if job.id == claim]
    possible = [job for job in jobs if job.state not in FINAL]
    return next(reversed([*jobs, *possible, *claimed]), None)


def sight(  # noqa: PLR0911 - one for each row of the table of states
    job: Job, files: Files, known: SlurmJob | None, nodes: tuple[str, ...], since: float, now: float
) -> Sight:
    """Say what is true of a job; `since` is how many seconds Slurm has said the same of it."""
    is_final = known is not None and known.state in FINAL
    cause: Cause = "" if known is None else _cause(known.state, files)
    if all(files.ends) and (is_final or since > _HEARTBEAT_SECONDS or not _is_unexplained(files)):
        return _ended(job, files, nodes, cause)
    shown = tuple(None if end and end.stopped and not files.is_stopping else end for end in files.ends)
    if files.is_redone and not files.is_any_started and not files.is_stopping:
        return Sight(_running(files), nodes)
    if known is None:
        if now - files.heartbeat < _HEARTBEAT_SECONDS:
            return Sight(_running(files), nodes, ends=shown)
        if files.claim is None and files.is_ordered and not files.is_stopping:
            return Sight(Phase.WAITING, reason="Slurm does not know the run; it is submitted again.")
        is_over = since > _FORGOTTEN_SECONDS or files.claim is None
        return _ended(job, files, nodes, "") if is_over else Sight(Phase.UNKNOWN)
    if is_final:
        if since > _SETTLE_SECONDS:
            return _ended(job, files, nodes, cause)
        return Sight(_running(files), nodes, ends=shown) if files.claim else Sight(Phase.UNKNOWN)
    if known.state in _WAITING and files.claim is None:
        return _waiting(known, now)
    return Sight(_running(files), nodes, ends=shown)


def _running(files: Files) -> Phase:
    return Phase.RUNNING if files.is_started else Phase.LAUNCHING


def _is_unexplained(files: Files) -> bool:
    """Tell whether ranks were stopped, but not by us: Slurm is about to say why."""
    return not files.is_stopping and any(end and end.stopped for end in files.ends)


def _cause(state: str, files: Files) -> Cause:
    if files.is_stopping or files.is_redone:
        return ""
    if state == "FAILED" and files.claim is None:
        return "launch"
    return _CAUSES.get(state, "")


def _ended(job: Job, files: Files, nodes: tuple[str, ...], cause: Cause) -> Sight:
    ends = []
    for rank, end in enumerate(files.ends):
        problem = _PROBLEMS[cause]
        if cause == "node" and rank < len(nodes):
            problem = f"Node {nodes[rank]} lost"
        known = None if files.is_redone and end and end.stopped else end  # Slurm has ended what it had lost
        ends.append(known or replace(lost(job.ranks[rank]), problem=problem, stopped=files.is_stopping))
    return Sight(Phase.ENDED, nodes, ends=tuple(ends), cause=cause)


def _waiting(known: SlurmJob, now: float) -> Sight:
    starts = known.starts_at
    if starts is not None and not 0 <= starts - now < _FORECAST_SECONDS:
        starts = None
    words = _REASONS.get(known.reason, "").format(id=known.id) or _unusual(known.reason)
    if starts is not None:
        words += f" Expected to start at {datetime.fromtimestamp(starts, UTC):%Y-%m-%d %H:%M} UTC."
    return Sight(Phase.WAITING, reason=words, starts_at=starts)


def _unusual(reason: str) -> str:
    if reason.startswith("ReqNodeNotAvail"):
        names = reason.partition("UnavailableNodes:")[2]
        return f"Waiting for nodes that are down or reserved: {names or 'Slurm does not say which'}."
    if "Limit" in reason or reason.startswith(("QOS", "Assoc")):
        return f"Slurm says {reason}. It will not start before the limit is changed."
    return f"Slurm says {reason}."
