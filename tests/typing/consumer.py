"""What type checkers make of the public calls. Checked, never run: `mypy --strict` and `pyright`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import assert_type

import mcli
from mcli import (
    ClusterDetails,
    Finetune,
    FormattedRunEvent,
    MCLIEnvVarSecret,
    ObjectList,
    PaginatedObjectList,
    Run,
    RunConfig,
    RunStatus,
    Secret,
    User,
    aio,
)


def blocking(config: RunConfig, run: Run, secret: MCLIEnvVarSecret) -> None:
    assert_type(mcli.create_run(config), Run)
    assert_type(mcli.create_interactive_run(config, seconds=60), Run)
    assert_type(mcli.get_run(run), Run)
    assert_type(mcli.get_runs(["run-a", run], statuses=["running"]), PaginatedObjectList[Run])
    assert_type(mcli.start_run(run), Run)
    assert_type(mcli.start_runs([run]), ObjectList[Run])
    assert_type(mcli.stop_run(run, reason="why"), Run)
    assert_type(mcli.stop_runs(["run-a"]), ObjectList[Run])
    assert_type(mcli.delete_run("run-a"), Run)
    assert_type(mcli.delete_runs([run]), ObjectList[Run])
    assert_type(mcli.update_run(run, priority="low", max_duration=1.5), Run)
    assert_type(mcli.update_run_metadata(run, {"a": 1}, protect=True), Run)
    assert_type(mcli.wait_for_run_status(run, "completed"), Run)
    assert_type(mcli.get_run_logs(run, node_rank=0, tail=100), str)
    assert_type(mcli.create_secret(secret), Secret)
    assert_type(mcli.get_secrets(), ObjectList[Secret])
    assert_type(mcli.delete_secrets(["s"]), ObjectList[Secret])
    assert_type(mcli.get_cluster("c1"), ClusterDetails)
    assert_type(mcli.get_clusters(), ObjectList[ClusterDetails])
    assert_type(mcli.create_finetuning_run("m", "d", "s"), Finetune)
    assert_type(mcli.get_finetuning_runs(["f"]), PaginatedObjectList[Finetune])
    assert_type(mcli.stop_finetuning_run("f"), Finetune)
    assert_type(mcli.stop_finetuning_runs(["f"]), ObjectList[Finetune])
    assert_type(mcli.delete_finetuning_run("f"), Finetune)
    assert_type(mcli.delete_finetuning_runs(["f"]), ObjectList[Finetune])
    assert_type(mcli.list_finetuning_events("f"), ObjectList[FormattedRunEvent])
    assert_type(mcli.create_pretraining_run("m", ["d"], "s"), Run)
    assert_type(mcli.get_current_user(), User)
    assert_type(mcli.get_users(), ObjectList[User])


def futures(config: RunConfig, run: Run, secret: MCLIEnvVarSecret) -> None:
    assert_type(mcli.create_run(config, future=True), Future[Run])
    assert_type(mcli.create_interactive_run(config, seconds=60, future=True), Future[Run])
    assert_type(mcli.get_run(run, future=True), Future[Run])
    assert_type(
        mcli.get_runs(["run-a", run], statuses=["running"], future=True), Future[PaginatedObjectList[Run]]
    )
    assert_type(mcli.start_run(run, future=True), Future[Run])
    assert_type(mcli.start_runs([run], future=True), Future[ObjectList[Run]])
    assert_type(mcli.stop_run(run, reason="why", future=True), Future[Run])
    assert_type(mcli.stop_runs(["run-a"], future=True), Future[ObjectList[Run]])
    assert_type(mcli.delete_run("run-a", future=True), Future[Run])
    assert_type(mcli.delete_runs([run], future=True), Future[ObjectList[Run]])
    assert_type(mcli.update_run(run, priority="low", max_duration=1.5, future=True), Future[Run])
    assert_type(mcli.update_run_metadata(run, {"a": 1}, protect=True, future=True), Future[Run])
    assert_type(mcli.wait_for_run_status(run, "completed", future=True), Future[Run])
    assert_type(mcli.get_run_logs(run, node_rank=0, tail=100, future=True), Future[str])
    assert_type(mcli.create_secret(secret, future=True), Future[Secret])
    assert_type(mcli.get_secrets(future=True), Future[ObjectList[Secret]])
    assert_type(mcli.delete_secrets(["s"], future=True), Future[ObjectList[Secret]])
    assert_type(mcli.get_cluster("c1", future=True), Future[ClusterDetails])
    assert_type(mcli.get_clusters(future=True), Future[ObjectList[ClusterDetails]])
    assert_type(mcli.create_finetuning_run("m", "d", "s", future=True), Future[Finetune])
    assert_type(mcli.get_finetuning_runs(["f"], future=True), Future[PaginatedObjectList[Finetune]])
    assert_type(mcli.stop_finetuning_run("f", future=True), Future[Finetune])
    assert_type(mcli.stop_finetuning_runs(["f"], future=True), Future[ObjectList[Finetune]])
    assert_type(mcli.delete_finetuning_run("f", future=True), Future[Finetune])
    assert_type(mcli.delete_finetuning_runs(["f"], future=True), Future[ObjectList[Finetune]])
    assert_type(mcli.list_finetuning_events("f", future=True), Future[ObjectList[FormattedRunEvent]])
    assert_type(mcli.create_pretraining_run("m", ["d"], "s", future=True), Future[Run])
    assert_type(mcli.get_current_user(future=True), Future[User])
    assert_type(mcli.get_users(future=True), Future[ObjectList[User]])


async def awaited(config: RunConfig, run: Run, secret: MCLIEnvVarSecret) -> None:
    assert_type(await aio.create_run(config), Run)
    assert_type(await aio.create_interactive_run(config, seconds=60), Run)
    assert_type(await aio.get_run(run), Run)
    assert_type(await aio.get_runs(["run-a", run], statuses=["running"]), PaginatedObjectList[Run])
    assert_type(await aio.start_run(run), Run)
    assert_type(await aio.start_runs([run]), ObjectList[Run])
    assert_type(await aio.stop_run(run, reason="why"), Run)
    assert_type(await aio.stop_runs(["run-a"]), ObjectList[Run])
    assert_type(await aio.delete_run("run-a"), Run)
    assert_type(await aio.delete_runs([run]), ObjectList[Run])
    assert_type(await aio.update_run(run, priority="low", max_duration=1.5), Run)
    assert_type(await aio.update_run_metadata(run, {"a": 1}, protect=True), Run)
    assert_type(await aio.wait_for_run_status(run, "completed"), Run)
    assert_type(await aio.get_run_logs(run, node_rank=0, tail=100), str)
    assert_type(await aio.create_secret(secret), Secret)
    assert_type(await aio.get_secrets(), ObjectList[Secret])
    assert_type(await aio.delete_secrets(["s"]), ObjectList[Secret])
    assert_type(await aio.get_cluster("c1"), ClusterDetails)
    assert_type(await aio.get_clusters(), ObjectList[ClusterDetails])
    assert_type(await aio.create_finetuning_run("m", "d", "s"), Finetune)
    assert_type(await aio.get_finetuning_runs(["f"]), PaginatedObjectList[Finetune])
    assert_type(await aio.stop_finetuning_run("f"), Finetune)
    assert_type(await aio.stop_finetuning_runs(["f"]), ObjectList[Finetune])
    assert_type(await aio.delete_finetuning_run("f"), Finetune)
    assert_type(await aio.delete_finetuning_runs(["f"]), ObjectList[Finetune])
    assert_type(await aio.list_finetuning_events("f"), ObjectList[FormattedRunEvent])
    assert_type(await aio.create_pretraining_run("m", ["d"], "s"), Run)
    assert_type(await aio.get_current_user(), User)
    assert_type(await aio.get_users(), ObjectList[User])


def either(run: Run, later: bool) -> None:
    """A `future` that is known only while the program runs."""
    assert_type(mcli.get_run(run, future=later), Run | Future[Run])
    assert_type(mcli.get_run(run, future=False), Run)
    assert_type(mcli.get_run(run, timeout=None), Run)


def streams(run: Run) -> None:
    for line in mcli.follow_run_logs(run, node_rank=0):
        assert_type(line, str)
    for seen in mcli.watch_run_status(run, 60):
        assert_type(seen, Run)
    for step in mcli.watch_run_status(run, future=True):
        assert_type(step, Future[Run])
    for later in mcli.follow_run_logs(run, future=True).result():
        assert_type(later, Future[str])


async def async_streams(run: Run) -> None:
    async for line in aio.follow_run_logs(run):
        assert_type(line, str)
    async for seen in aio.watch_run_status(run):
        assert_type(seen, Run)


def methods(run: Run) -> None:
    assert_type(run.clone(gpus=8), Run)
    assert_type(run.refresh(), Run)
    assert_type(run.stop(), Run)
    assert_type(run.delete(), Run)
    assert_type(run.update(priority="low"), Run)
    assert_type(run.update_metadata({"a": 1}), Run)
    assert_type(run.status, RunStatus)
    assert_type(run.status.after(RunStatus.RUNNING, inclusive=True), bool)
    assert_type(run.max_duration, float | None)


def lists(runs: PaginatedObjectList[Run]) -> None:
    assert_type(runs[0], Run)
    assert_type(runs[:1], ObjectList[Run])
    assert_type(runs.next_page(), PaginatedObjectList[Run])
    assert_type(runs.iter_all(), Iterator[Run])
    assert_type([run.name for run in runs], list[str])


def configurations() -> None:
    """What public code passes: dictionaries, or the typed dictionaries called as constructors."""
    RunConfig(name="r", image="bash", compute={"gpus": 8}, scheduling={"priority": "low", "resumable": True})
    RunConfig(compute=mcli.ComputeConfig(cluster="c1"), scheduling=mcli.SchedulingConfig(max_duration=0.75))
    assert_type(RunConfig.from_file("train.yaml"), RunConfig)


def mistakes(run: Run) -> None:
    """Each line is an error: where it is none, mypy says that nothing needs the comment."""
    mcli.get_rnu("r")  # type: ignore[attr-defined]
    mcli.get_run(3)  # type: ignore[call-overload]
    mcli.get_run(run, timeout="10")  # type: ignore[call-overload]
    mcli.stop_run(run, resaon="typo")  # type: ignore[call-overload]
