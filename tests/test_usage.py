"""How public code uses the SDK: each pattern as it was found, against the local platform where it asks one."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import os
import subprocess
import sys
import typing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import mcli
from mcli import Run, RunConfig, RunStatus, RunType, SchedulingConfig
from mcli.api.engine.engine import MAPIConnection
from mcli.config import MCLIConfig
from mcli.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared() -> Iterator[Platform]:
    with Platform(grace=1) as platform:
        yield platform


@pytest.fixture
def platform(shared: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform that the environment describes, as for any program."""
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", shared.endpoint)
    monkeypatch.setenv("MOSAICML_API_KEY", shared.api_key)
    return shared


def config(command: str = "true", **more: Any) -> RunConfig:
    return RunConfig(
        name="usage", image="mosaicml/pytorch:latest", command=command, compute={"gpus": 0}, **more
    )


@pytest.fixture
def run(platform: Platform) -> Run:
    """A run that has ended."""
    submitted = config(
        integrations=[{"integration_type": "wandb", "project": "p", "entity": "e", "job_type": "t"}],
        scheduling=SchedulingConfig(priority="low", max_duration=0.75, retry_on_system_failure=True),
        env_variables={"A": "b"},
    )
    return mcli.wait_for_run_status(mcli.create_run(submitted), status="completed")


@pytest.mark.parametrize("seconds", [0, -1, "1h", 1.5])
def test_an_interactive_run_waits_for_whole_seconds(seconds: Any) -> None:
    """What is no duration is refused before anything is asked, by its name."""
    with pytest.raises((TypeError, ValueError), match=r"^seconds must be"):
        mcli.create_interactive_run(config(), seconds=seconds)


# Configurations


def test_a_configuration_is_changed_after_it_was_made(platform: Platform) -> None:
    """What is sent is the configuration as it was changed, in place or anew."""
    changed = config(parameters={"model": {"name": "a"}}, integrations=[{"integration_type": "wandb"}])
    changed.name = "changed"
    changed.parameters["model"]["name"] = "b"
    changed.integrations[0]["project"] = "p"
    changed.integrations[0]["entity"] = "e"
    changed.integrations.append({"integration_type": "comet_ml", "project": "p"})
    changed.compute["gpus"] = 0
    changed.scheduling = {**changed.scheduling, "priority": "low"}
    changed.metadata["k"] = "v"
    changed.command = changed.command.replace("true", "echo changed")
    submitted = mcli.create_run(changed).submitted_config
    assert str(changed) == str(submitted)


def test_attributes_that_do_not_exist_can_be_set(platform: Platform) -> None:
    """A stray attribute stays on the configuration, and is not sent."""
    stray = config()
    stray.run_name = "other"  # type: ignore[attr-defined]  # what public code does
    stray.num_gpus = 8  # type: ignore[attr-defined]  # likewise
    assert ("other", config()) == (copy.deepcopy(stray).run_name, mcli.create_run(stray).submitted_config)  # type: ignore[attr-defined]  # likewise


def test_typed_dictionaries_are_called_with_old_keys(platform: Platform) -> None:
    """`SchedulingConfig(priority='low', resumable=True)` is sent, and comes back."""
    scheduling = SchedulingConfig(priority="low", resumable=True)
    submitted = mcli.create_run(config(scheduling=scheduling)).submitted_config
    assert submitted
    assert {"priority": "low", "resumable": True} == scheduling == submitted.scheduling


def test_the_configuration_is_given_by_its_name(platform: Platform) -> None:
    """`create_run(run=config)` blocks, and with `future=True` gives a future."""
    assert isinstance(mcli.create_run(run=config()), Run)
    assert isinstance(mcli.create_run(run=config(), future=True, timeout=30).result(30), Run)


def test_a_deep_copy_is_a_configuration_of_its_own() -> None:
    """Changing a deep copy does not change the original, however deep."""
    original = config(parameters={"model": {"name": "a"}})
    duplicate = copy.deepcopy(original)
    duplicate.parameters["model"]["name"] = "b"
    assert "a" == original.parameters["model"]["name"]


def test_a_configuration_is_printed_as_yaml() -> None:
    """`f'{config}'` is YAML of what is set, `f'{config=}'` the repr."""
    shown = config(parameters={"lr": 0.1})
    assert {
        "name": "usage",
        "image": "mosaicml/pytorch:latest",
        "command": "true",
        "compute": {"gpus": 0},
        "parameters": {"lr": 0.1},
    } == yaml.safe_load(f"{shown}")
    assert f"{shown=}".startswith("shown=RunConfig(name='usage', ")


def test_a_configuration_comes_back_from_its_dictionary() -> None:
    """`dataclasses.asdict(config)` is read as the configuration, without a warning."""
    original = config(parameters={"seed": 1})
    assert original == RunConfig.from_dict(dataclasses.asdict(original))


def test_sections_are_plain_dictionaries_to_tools() -> None:
    """The annotations of a configuration are such that OmegaConf makes structures of it: no union of mappings."""
    hints = typing.get_type_hints(RunConfig)
    assert [dict[str, Any]] * 2 == [hints["compute"], hints["scheduling"]]


def test_omegaconf_makes_a_structure_of_a_configuration() -> None:
    """`om.create(config)` holds the configuration, can be merged, and is turned back."""
    om = pytest.importorskip("omegaconf").OmegaConf
    original = config(parameters={"model": {"name": "a"}}, integrations=[{"integration_type": "wandb"}])
    merged = om.merge(om.create(original), {"parameters": {"seed": 1}})
    original.parameters["seed"] = 1
    assert original == RunConfig.from_dict(om.to_container(merged))


def test_a_configuration_is_made_of_the_keys_of_a_file(tmp_path: Path) -> None:
    """`RunConfig(**yaml)` and `RunConfig.from_file(path)`, of a path or its text, are the same."""
    file = tmp_path / "run.yaml"
    file.write_text("name: a\nimage: bash\ncommand: 'true'\ncompute: {gpus: 8}\n")
    assert (
        RunConfig(**yaml.safe_load(file.read_text()))
        == RunConfig.from_file(file)
        == RunConfig.from_file(str(file))
    )


# Runs


def test_an_image_is_split_at_its_colon(run: Run) -> None:
    """`run.image.split(':')` gives name and tag, as they were submitted."""
    read = mcli.get_run(run.name)
    assert read.image
    assert ["mosaicml/pytorch", "latest"] == read.image.split(":")


def test_a_status_is_made_of_its_name() -> None:
    """`RunStatus('COMPLETED')` is the member."""
    assert RunStatus("COMPLETED") is RunStatus.COMPLETED


def test_a_status_is_looked_up_in_a_set(run: Run) -> None:
    """`run.status in {...}` works, and an f-string shows the name."""
    assert run.status in {RunStatus.COMPLETED, RunStatus.FAILED}
    assert "usage: COMPLETED" == f"usage: {run.status}"


@pytest.mark.parametrize("status", ["running", "completed", "COMPLETED", RunStatus.COMPLETED])
def test_statuses_are_waited_for_in_lower_case(run: Run, status: str | RunStatus) -> None:
    """`wait_for_run_status(run, status='completed')` takes text in any letter case, and a name for the run."""
    assert RunStatus.COMPLETED is mcli.wait_for_run_status(run.name, status=status, timeout=60).status


def test_statuses_are_filtered_by_in_lower_case(run: Run) -> None:
    """`get_runs(statuses=['completed'])` finds what has ended well."""
    assert run.name in [each.name for each in mcli.get_runs(statuses=["completed"])]


def test_what_was_submitted_comes_back_in_user_form(run: Run) -> None:
    """`submitted_config` has Python's names, and can be changed and used for another run."""
    submitted = mcli.get_run(run).submitted_config
    assert submitted
    assert [
        {"integration_type": "wandb", "project": "p", "entity": "e", "job_type": "t"}
    ] == submitted.integrations
    assert {"priority": "low", "max_duration": 0.75, "retry_on_system_failure": True} == submitted.scheduling
    submitted.integrations.append({"integration_type": "comet_ml", "project": "p"})
    submitted.metadata["eval"] = "1"
    following = RunConfig(
        name="eval",
        image=submitted.image,
        command="true",
        compute={"cluster": run.cluster, "gpus": 0},
        integrations=submitted.integrations,
        env_variables=submitted.env_variables,
        scheduling=submitted.scheduling,
        metadata=submitted.metadata,
    )
    again = mcli.create_run(following).submitted_config
    assert again
    assert following.integrations == again.integrations


def test_a_run_is_built_by_keywords() -> None:
    """`Run(...)` needs neither resumptions nor details; `latest_resumption` may be None."""
    built = Run(
        run_uid="1",
        name="built",
        image="bash",
        status=RunStatus.RUNNING,
        created_at=datetime(2021, 1, 1, tzinfo=UTC),
        updated_at=datetime(2021, 1, 1, tzinfo=UTC),
        created_by="me",
        priority="low",
        preemptible=False,
        retry_on_system_failure=True,
        cluster="c1z2",
        gpu_type="a100",
        gpus=2,
        cpus=0,
        node_count=1,
        latest_resumption=None,
        is_deleted=False,
        run_type=RunType.TRAINING,
        submitted_config=config(),
    )
    assert (None, None, [], []) == (built.started_at, built.completed_at, built.nodes, built.events)


@pytest.mark.parametrize("read", [mcli.get_run_logs, mcli.follow_run_logs])
def test_logs_are_read_line_by_line(read: Any, platform: Platform) -> None:
    """`for line in logs(run)` and `list(...)[-1]` give what was printed, after the platform's own first line."""
    name = mcli.create_run(config("echo one; echo two")).name
    mcli.wait_for_run_status(name, "completed")
    first, *lines = list(read(run=name))
    assert (True, ["one\n", "two\n"]) == (first.startswith("[mcli] Working folder"), lines)


def test_a_run_inside_of_a_run_is_its_child(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """`create_run` in a run names that run as the parent."""
    monkeypatch.setenv("MOSAICML_PLATFORM", "true")
    monkeypatch.setenv("RUN_NAME", "parent-a1b2c3")
    submitted = mcli.create_run(config()).submitted_config
    assert submitted
    assert "parent-a1b2c3" == submitted.parent_name


# Futures


def test_futures_are_waited_for_together(platform: Platform) -> None:
    """`concurrent.futures.wait` and `as_completed` take our futures."""
    futures = [mcli.create_run(config(), future=True) for _ in range(4)]
    done, incomplete = concurrent.futures.wait(futures, timeout=60)
    assert (set(futures), set()) == (done, incomplete)
    runs = [each.result() for each in concurrent.futures.as_completed(futures, timeout=60)]
    assert 4 == len({each.name for each in runs})


def test_many_runs_are_waited_for(platform: Platform) -> None:
    """Futures of `wait_for_run_status` come in the order in which the runs end, and sort by status."""
    runs = [mcli.create_run(config(command)) for command in ("exit 1", "true")]
    waits = [mcli.wait_for_run_status(each, RunStatus.COMPLETED, future=True) for each in runs]
    ended = [each.result() for each in concurrent.futures.as_completed(waits, timeout=60)]
    by_status = sorted(ended, key=lambda each: each.status)
    assert [RunStatus.COMPLETED, RunStatus.FAILED] == [each.status for each in by_status]


def test_a_short_wait_is_a_timeout_of_futures(run: Run) -> None:
    """A wait that is too short raises `concurrent.futures.TimeoutError`."""
    sleeper = mcli.create_run(config("sleep 60"))
    with pytest.raises(concurrent.futures.TimeoutError):
        mcli.wait_for_run_status(sleeper, status="completed", timeout=0.2)
    mcli.stop_run(sleeper)


# Composer's logger


class Logger:
    """What Composer's logger does with the platform: buffers, sends once in a while, looks at its futures."""

    def __init__(self) -> None:
        self.name = os.environ["RUN_NAME"]
        self.buffered: dict[str, Any] = {}
        self.futures: list[concurrent.futures.Future[Run]] = []

    def log(self, **metrics: Any) -> None:
        self.buffered |= metrics

    def flush(self) -> None:
        self.futures.append(mcli.update_run_metadata(self.name, self.buffered, future=True, protect=True))
        self.buffered = {}
        done, incomplete = concurrent.futures.wait(self.futures, timeout=0.01)
        for each in done:
            if error := each.exception():
                raise error
        self.futures = list(incomplete)

    def close(self) -> None:
        self.flush()
        done, _ = concurrent.futures.wait(self.futures)
        assert [] == [each.exception() for each in done if each.exception()]


def test_a_logger_sends_what_it_buffers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata of all flushes are with the run when the logger is closed, NaN as its name."""
    monkeypatch.setenv("RUN_NAME", run.name)
    logger = Logger()
    for batch in range(3):
        logger.log(**{f"mosaicml/batch-{batch}": batch, "mosaicml/loss": float("nan")})
        logger.flush()
    logger.close()
    expected = {"mosaicml/loss": "NaN"} | {f"mosaicml/batch-{batch}": batch for batch in range(3)}
    assert expected == mcli.get_run(run).metadata


def test_a_logger_of_a_run_that_is_gone_hears_of_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a flush is in its future, and never at the call."""
    monkeypatch.setenv("RUN_NAME", "no-such-run")
    future = mcli.update_run_metadata("no-such-run", {"a": 1}, future=True, protect=True)
    concurrent.futures.wait([future])
    assert isinstance(future.exception(), mcli.MAPIException)


def test_the_name_in_the_module_is_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of loggers replace `mcli.update_run_metadata`, and get it back."""
    sent: list[dict[str, Any]] = []
    original = mcli.update_run_metadata

    def update(_: str, metadata: dict[str, Any], **__: Any) -> concurrent.futures.Future[None]:
        sent.append(metadata)
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        done.set_result(None)
        return done

    monkeypatch.setenv("RUN_NAME", "a")
    with monkeypatch.context() as patch:
        patch.setattr(mcli, "update_run_metadata", update)
        logger = Logger()
        logger.log(loss=1)
        logger.flush()
    assert ([{"loss": 1}], original) == (sent, mcli.update_run_metadata)


# Set-up


def test_a_key_is_changed_in_the_configuration(isolated: Path) -> None:
    """`load_config`, `api_key =`, `save_config` and `reset_connection` make later calls use the key."""
    mcli.initialize(api_key="one")
    kept = MCLIConfig.load_config()
    kept.api_key = "two"
    kept.save_config()
    MAPIConnection.reset_connection()
    assert "two" == MAPIConnection.get_current_connection().authorization()


def test_modules_are_reached_by_attribute() -> None:
    """After `import mcli` alone, `mcli.api.runs.stop_run` and `mcli.config.MCLIConfig` are there."""
    code = "import mcli; assert mcli.api.runs.stop_run is mcli.stop_run; mcli.config.MCLIConfig; mcli.sdk.Run"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_clusters_are_looked_at_for_their_machines(platform: Platform) -> None:
    """`get_cluster(get_clusters()[0])` tells instances, their numbers of GPUs, and who uses them."""
    cluster = mcli.get_cluster(mcli.get_clusters()[0])
    assert cluster.utilization
    assert [0] == [max(each.gpu_nums) for each in cluster.cluster_instances if each.gpu_type is None]
    (use,) = cluster.utilization.cluster_instance_utils
    assert ("cpu", 1) == (use.instance.name, len(use.instance.node_details))


def test_finetunes_take_what_scripts_give(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learning rate like `"5e-7"`, None for weights, paths from the script's folder; the name is a run's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    finetune = mcli.create_finetuning_run(
        model="mosaicml/mpt-7b",
        train_data_path="./train.jsonl",
        save_folder="./out",
        task_type="INSTRUCTION_FINETUNE",
        training_duration="1ba",
        learning_rate="5e-7",
        custom_weights_path=None,
        disable_credentials_check=True,
    )
    assert RunStatus.COMPLETED is mcli.wait_for_run_status(finetune.name, "completed", timeout=60).status
    assert (tmp_path / "out" / finetune.name / "checkpoints").is_dir()
