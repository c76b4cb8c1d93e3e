"""The platform on a real Slurm: what users see of their runs."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mcli.platform import Platform
from mcli.platform.execution.slurm import SlurmEngine
from mcli.platform.execution.slurm_script import SlurmSite
from mcli.platform.serving.outside import Outside
from tests.platform.caller import Caller
from tests.slurm.cluster import SERVER, SlurmCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(200)]

PARTITIONS = {"low": "low", "high": "high"}


@contextmanager
def served(folder: Path) -> Iterator[Caller]:
    """Serve a folder on the cluster; runs go on when that ends."""
    engine = SlurmEngine(SlurmSite(partitions=PARTITIONS, preemptible_partition="low"))
    outside = Outside(SERVER, plain_http=True)
    platform = Platform(
        folder / "data", engine=engine, shared=folder / "shared", outside=outside, grace=2, namespaces=False
    )
    platform.start()
    caller = Caller(platform)
    try:
        yield caller
    finally:
        caller.close()
        platform.stop(runs=False)


@pytest.fixture
def caller(cluster: SlurmCluster, tmp_path: Path) -> Iterator[Caller]:
    """Return the owner of a platform on the cluster."""
    with served(tmp_path) as caller:
        yield caller


def slurm_id(caller: Caller, name: str) -> str:
    """Return the number of the Slurm job that executes a run."""
    key = caller.run(name)["details"]["lastExecutionId"]
    query = ["squeue", "-h", "-t", "all", f"--name=mcli-{key}", "-o", "%A"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]


def test_a_run_completes(caller: Caller) -> None:
    """A run passes all statuses, has the node's name, and its log is there at the end."""
    name = caller.create("echo on $(hostname)")
    assert ["QUEUED", "STARTING", "RUNNING", "TERMINATING", "COMPLETED"] == caller.statuses(name)[-5:]
    (node,) = caller.run(name)["details"]["nodes"]
    assert f"on {node['name']}\n".encode() == caller.logs(name)


def test_the_cluster_is_slurms(caller: Caller) -> None:
    """Nodes and GPUs are those that Slurm tells of; what none has is refused at once."""
    code, message = caller.refusal(compute={"gpus": 800})
    assert (400, True) == (code, "a100_80gb" in message)


def test_a_gang_meets(caller: Caller) -> None:
    """The ranks of two nodes with GPUs reach each other at MASTER_ADDR, and see their cards."""
    command = (
        "python3 -c \"import os, socket; a = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']));"
        " s = socket.create_server(a) if os.environ['NODE_RANK'] == '0' else None; print('listening', flush=True);"
        ' print(s.accept()[0].recv(9).decode())" & '
        "while [ $NODE_RANK = 1 ] && ! (echo met > /dev/tcp/$MASTER_ADDR/$MASTER_PORT) 2> /dev/null; do sleep 0.1; "
        "done; [ $NODE_RANK = 1 ] || wait; echo cards $CUDA_VISIBLE_DEVICES"
    )
    run = caller.finish(command, compute={"gpus": 16})
    assert ("COMPLETED", 2) == (run["status"], len(run["details"]["nodes"]))
    assert b"met" in caller.logs(run["name"])
    assert b"cards 0,1,2,3,4,5,6,7\n" in caller.logs(run["name"], nodeRank=1)


def test_a_command_that_fails(caller: Caller) -> None:
    """The exit status of a command is its run's reason."""
    run = caller.finish("exit 7")
    assert ("FAILED", True) == (run["status"], run["reason"].startswith("Exit code: 7"))


def test_stop_within_the_grace(caller: Caller) -> None:
    """A command that ignores SIGTERM is killed after our grace, not Slurm's."""
    name = caller.create("trap '' TERM; echo up; while :; do sleep 0.1; done")
    caller.wait_for_log(name, b"up\n")
    caller.change("stopRuns", name)
    assert "STOPPED" == caller.statuses(name)[-1]


def test_a_run_that_waits_says_why_and_can_be_stopped(caller: Caller) -> None:
    """A run that Slurm has no nodes for is QUEUED with Slurm's reason in our words; stopped, it never starts."""
    holder = caller.create("echo up; sleep 60", compute={"gpus": 24})
    caller.wait_for_log(holder, b"up\n")
    name = caller.create("echo started", compute={"gpus": 24})
    while not caller.run(name)["reason"].startswith("Waiting"):
        time.sleep(0.2)
    caller.change("stopRuns", name)
    assert "STOPPED" == caller.run(name)["status"]
    caller.change("stopRuns", holder)
    caller.statuses(holder)
    assert "COMPLETED" == caller.finish("true")["status"]


def test_preemption_and_resumption(caller: Caller) -> None:
    """A preemptible run makes room for one of higher priority, and is resumed after it."""
    victim = caller.create(
        "echo up; [ $RESUMPTION_INDEX = 1 ] || sleep 600",
        compute={"gpus": 24},
        scheduling={"preemptible": True, "priority": "low"},
    )
    caller.wait_for_log(victim, b"up\n")
    assert "COMPLETED" == caller.finish("true", compute={"gpus": 24})["status"]
    assert "COMPLETED" == caller.statuses(victim)[-1]
    assert ["STOPPED", "COMPLETED"] == [each["status"] for each in caller.run(victim)["resumptions"]]


def test_a_foreign_scancel(caller: Caller) -> None:
    """A run that somebody cancels in Slurm is STOPPED, and says so."""
    name = caller.create("echo up; sleep 60")
    caller.wait_for_log(name, b"up\n")
    subprocess.run(["scancel", slurm_id(caller, name)], check=True)
    assert "STOPPED" == caller.statuses(name)[-1]
    assert "Cancelled on the cluster" == caller.run(name)["reason"]


def test_a_lost_node(caller: Caller, cluster: SlurmCluster) -> None:
    """A power cut of its node is the system's failure, and is retried elsewhere."""
    name = caller.create(
        "echo up; [ $RESUMPTION_INDEX = 1 ] || sleep 600", scheduling={"retryOnSystemFailure": True}
    )
    caller.wait_for_log(name, b"up\n")
    (node,) = caller.run(name)["details"]["nodes"]
    number = int(node["name"].removeprefix("node-"))
    try:
        cluster.cut_power(number)
        assert "COMPLETED" == caller.statuses(name)[-1]
        first, second = caller.run(name)["resumptions"]
        assert ("FAILED", "COMPLETED") == (first["status"], second["status"])
    finally:
        cluster.start_node(number)
        cluster.wait_for_nodes()


def test_a_controller_that_is_killed(caller: Caller, cluster: SlurmCluster) -> None:
    """Runs go on while Slurm's controller is away, and one that it has just been given is executed once."""
    name = caller.create("echo up; sleep 20; echo down")
    caller.wait_for_log(name, b"up\n")
    time.sleep(10)  # Slurm's controller writes its state down every few seconds, and forgets what came after
    fresh = caller.create("echo once")
    while caller.run(fresh)["status"] != "QUEUED":
        time.sleep(0.05)
    cluster.kill_controller()
    time.sleep(1)
    cluster.start_controller()
    ends = [caller.statuses(each)[-1] for each in (name, fresh)]
    assert (["COMPLETED"] * 2, b"once\n") == (ends, caller.logs(fresh))


def test_runs_outlive_the_platform(cluster: SlurmCluster, tmp_path: Path) -> None:
    """A platform that is started again finds its runs, those that wait and those that ended meanwhile."""
    with served(tmp_path) as caller:
        going = caller.create("echo up; sleep 8; echo down")
        short = caller.create("echo up; sleep 1; exit 4")
        for name in (going, short):
            caller.wait_for_log(name, b"up\n")
    time.sleep(2)
    with served(tmp_path) as caller:
        assert ["COMPLETED", "FAILED"] == [caller.statuses(name)[-1] for name in (going, short)]
        assert b"up\ndown\n" == caller.logs(going)


def test_nothing_secret_is_in_slurms_files(caller: Caller, cluster: SlurmCluster) -> None:
    """What a run is given is in no file of Slurm's, and after its end in none of ours."""
    secret = f"s{os.getpid()}ecret"
    name = caller.create("echo up; sleep 2", envVariables=[{"envKey": "S", "envValue": secret}])
    caller.wait_for_log(name, b"up\n")
    held = [
        path for path in cluster.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]
    caller.statuses(name)
    assert ([], "") == (held, "")


def test_many_runs_at_once(caller: Caller) -> None:
    """Fifty runs that are submitted at once complete, each of them once."""
    names = [caller.create("echo once") for _ in range(50)]
    assert {"COMPLETED"} == {caller.statuses(name)[-1] for name in names}
    assert {b"once\n"} == {caller.logs(name) for name in names}
