"""Slurm's commands: what is asked, and how answers are read. Text formats that have been stable for decades."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcli.platform.execution.engine import EngineUnavailableError, JobRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PREFIX",
    "SlurmJob",
    "SlurmNode",
    "call",
    "cancel",
    "find_jobs",
    "host_names",
    "nodes",
    "read_jobs",
    "submit",
]

PREFIX = "mcli-"
"""What the names of our jobs begin with; the rest is the job's key."""

_TIMEOUT_SECONDS = 30.0
_KEPT = re.compile(r"PATH|HOME|USER|LOGNAME|LANG|LC_ALL|TZ|SLURM_CONF|SLURM_JWT")
"""Variables that Slurm's commands see. sbatch stores its environment with the job, where others may read it."""
_UNAVAILABLE = re.compile(
    r"unable to contact|timed out|connection refused|communication|temporarily|try again|not responding|munge"
    r"|protocol authentication",
    re.IGNORECASE,
)
_OVER = re.compile(r"invalid job id|already complet", re.IGNORECASE)
_JOB_FORMAT = "%A|%T|%N|%S|%Q|%j|%r"
_NODE_FORMAT = "%N|%P|%T|%c|%m|%d|%G"
_GPU = re.compile(r"gpu(?::(?P<type>[^:,()]+))?:(?P<count>\d+)")


@dataclass(frozen=True)
class SlurmJob:
    """A job that Slurm knows."""

    id: str
    state: str
    node_list: str
    """In Slurm's short form; empty before it has some."""
    starts_at: float | None
    """Unix seconds: when it was started or is expected to be."""
    rank: float
    """Slurm's priority: the higher the sooner."""
    reason: str


@dataclass(frozen=True)
class SlurmNode:
    """A node of the cluster."""

    name: str
    partitions: tuple[str, ...]
    state: str
    cpus: int
    memory_mib: int
    disk_mib: int
    gpu_type: str
    """Empty without GPUs."""
    gpus: int


async def call(*words: str, stdin: str | None = None) -> str:
    """Run a command of Slurm and return what it prints.

    Raises:
        EngineUnavailableError: If it fails, whatever the reason: nothing is known then.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)},
        )
    except OSError as error:
        raise EngineUnavailableError(f"{words[0]} cannot be run: {error}") from error
    try:
        given = None if stdin is None else stdin.encode()
        out, problem = await asyncio.wait_for(process.communicate(given), _TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise EngineUnavailableError(f"{words[0]} has not answered for {_TIMEOUT_SECONDS:g} s.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise EngineUnavailableError(f"{words[0]}: {problem.decode(errors='replace').strip()}")
    return out.decode(errors="replace")


async def cancel(number: str, *options: str) -> None:
    """Cancel a job or send it a signal; one that is over is no error."""
    try:
        await call("scancel", *options, number)
    except EngineUnavailableError as error:
        if not _OVER.search(str(error)):
            raise


async def submit(options: Sequence[str], script: str) -> str:
    """Submit a batch script and return the job's number.

    Raises:
        JobRefusedError: If Slurm says why it does not take it.
        EngineUnavailableError: If it is not known whether Slurm took it.
    """
    try:
        answer = await call("sbatch", "--parsable", *options, stdin=script)
    except EngineUnavailableError as error:
        if "sbatch: error" not in str(error) or _UNAVAILABLE.search(str(error)):
            raise
        said = str(error).replace("sbatch: ", "").replace("error: ", "")
        raise JobRefusedError(f"Slurm refuses the run: {said}") from error
    return answer.strip().partition(";")[0]


async def read_jobs() -> dict[str, list[SlurmJob]]:
    """Return all our jobs that Slurm knows, by key, the newest last; one question for all."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return parse_jobs(await call("squeue", "-h", "-r", "-t", "all", "-u", user, "-o", _JOB_FORMAT))


async def find_jobs(key: str) -> list[SlurmJob]:
    """Return the jobs of one key."""
    table = await call("squeue", "-h", "-r", "-t", "all", f"--name={PREFIX}{key}", "-o", _JOB_FORMAT)
    return parse_jobs(table).get(key, [])


def parse_jobs(table: str) -> dict[str, list[SlurmJob]]:
    """Read squeue's lines; those of other jobs are left out.

    >>> parse_jobs("7|PENDING||N/A|90|mcli-k|Resources\\n8|RUNNING|n1|N/A|1|other|None\\n")
    {'k': [SlurmJob(id='7', state='PENDING', node_list='', starts_at=None, rank=90.0, reason='Resources')]}
    """
    found: defaultdict[str, list[SlurmJob]] = defaultdict(list)
    for line in table.splitlines():
        number, state, node_list, starts, rank, name, reason = line.split("|", 6)
        if name.startswith(PREFIX):
            job = SlurmJob(number, state, node_list, _moment(starts), float(rank or 0), reason)
            found[name.removeprefix(PREFIX)].append(job)
    return {key: sorted(jobs, key=lambda job: int(job.id)) for key, jobs in found.items()}


def _moment(text: str) -> float | None:
    """Read a time of Slurm, which is this machine's local time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except ValueError:
        return None


async def host_names(node_list: str) -> tuple[str, ...]:
    """Return the nodes of a list in Slurm's short form, in the order of ranks."""
    return tuple((await call("scontrol", "show", "hostnames", node_list)).split())


async def nodes() -> list[SlurmNode]:
    """Return the nodes of the cluster as they are now."""
    return parse_nodes(await call("sinfo", "-h", "-N", "-o", _NODE_FORMAT))


def parse_nodes(table: str) -> list[SlurmNode]:
    """Read sinfo's lines, one for each partition of a node.

    >>> parse_nodes("n1|main*|idle|16|64000|100|gpu:a100:8(S:0-1)\\nn1|low|idle|16|64000|100|gpu:a100:8(S:0-1)\\n")[0]
    SlurmNode(name='n1', partitions=('main', 'low'), state='idle', cpus=16, memory_mib=64000, disk_mib=100, \
gpu_type='a100', gpus=8)
    """
    found: dict[str, SlurmNode] = {}
    for line in table.splitlines():
        name, partition, state, cpus, memory, disk, gres = line.split("|", 6)
        earlier = found[name].partitions if name in found else ()
        gpu = _GPU.search(gres)
        found[name] = SlurmNode(
            name,
            (*earlier, partition.rstrip("*")),
            state,
            int(cpus),
            int(memory),
            int(disk),
            ((gpu["type"] or "gpu") if gpu else ""),
            int(gpu["count"]) if gpu else 0,
        )
    return list(found.values())


async def settings() -> Mapping[str, str]:
    """Return Slurm's configuration."""
    lines = (await call("scontrol", "show", "config")).splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
