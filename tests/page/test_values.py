"""The page's part on the values: `Run` and its methods, `RunConfig`, `ComputeConfig` and `SchedulingConfig`."""

from __future__ import annotations

import functools
import inspect
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

import mcli
from mcli import ComputeConfig, Run, RunConfig, RunStatus, SchedulingConfig
from tests.page.claims import claims, config, error, run, sent

if TYPE_CHECKING:
    from collections.abc import Callable


@functools.cache
def full() -> Run:
    """Return a run on two nodes that has ended, with all that a configuration may have."""
    made = config(
        compute={"nodes": 2, "gpus": 16, "cluster": mcli.get_clusters()[0].name},
        scheduling={"priority": "low", "preemptible": True, "max_retries": 1, "max_duration": 1.5,
                    "retry_on_system_failure": True},
        metadata={"a": 1},
        parameters={"lr": 0.1},
        env_variables={"A": "b"},
    )  # fmt: skip
    return mcli.wait_for_run_status(mcli.create_run(made), "completed", timeout=120)


def of(name: str) -> Any:
    return getattr(full(), name)


@claims(
    ("run_uid is unique", True, lambda: of("run_uid") != run().run_uid),
    ("name is the user's, with a suffix", True, lambda: of("name").startswith("page-")),
    ("status is that of a moment", RunStatus.COMPLETED, lambda: of("status")),
    ("created_at is when the run was created", datetime, lambda: type(of("created_at"))),
    ("updated_at is when the run was last updated", True, lambda: of("updated_at") >= of("created_at")),
    ("created_by is the email of the user", True, lambda: of("created_by") == mcli.get_current_user().email),
    ("priority is that of the run", "low", lambda: of("priority")),
    ("preemptible tells whether it may be stopped and queued again", True, lambda: of("preemptible")),
    ("retry_on_system_failure tells whether it is retried", True, lambda: of("retry_on_system_failure")),
    ("cluster is where the run is", True, lambda: of("cluster") == mcli.get_clusters()[0].name),
    ("gpus is the number of GPUs that it uses", 16, lambda: of("gpus")),
    ("gpu_type is the type of GPU that it uses", "a100_80gb", lambda: of("gpu_type")),
    ("cpus is the number of CPUs that it uses", int, lambda: type(of("cpus"))),
    ("node_count is the number of nodes that it uses", 2, lambda: of("node_count")),
    ("latest_resumption is the last of the resumptions", True, lambda: of("latest_resumption") == of("resumptions")[-1]),
    ("is_deleted tells whether it was deleted", False, lambda: of("is_deleted")),
    ("run_type is its type", mcli.RunType.TRAINING, lambda: of("run_type")),
    ("max_retries is how often it can be retried", 1, lambda: of("max_retries")),
    ("reason tells why it ended", True, lambda: bool(mcli.wait_for_run_status(run("exit 3"), "completed", timeout=120).reason)),
    ("nodes are the nodes that it uses", [0, 1], lambda: [each.rank for each in of("nodes")]),
    ("submitted_config is what was submitted", {"lr": 0.1}, lambda: of("submitted_config").parameters),
    ("metadata is associated with the run", {"a": 1}, lambda: of("metadata")),
    ("last_resumption_id is there", True, lambda: bool(of("last_resumption_id"))),
    ("resumptions are those of the run", [0], lambda: [each.index for each in of("resumptions")]),
    ("lifecycle has the statuses that it was in", "COMPLETED", lambda: of("lifecycle")[-1].status.name),
    ("events tell what happened", True, lambda: bool(of("events"))),
    ("image is the image that it uses", "bash", lambda: of("image")),
    ("max_duration is in hours", 1.5, lambda: of("max_duration")),
    *(
        (f"help(Run) documents {name}", True, partial(lambda n: f"{n}:" in inspect.getsource(Run), name))
        for name in ("run_uid", "name", "created_by", "priority", "reason", "max_duration")
    ),
)  # fmt: skip
def test_the_fields_of_a_run(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of the fields of a run."""
    assert expected == seen()


def cloned(**overrides: Any) -> dict[str, Any]:
    """Return the input of a clone of the full run."""
    original = full()
    return dict(sent(lambda: original.clone(**overrides))["createRunData"]["runInput"])


def changed(method: Callable[[Run], Run], command: str = "sleep 60") -> Run:
    made = run(command)
    try:
        return method(made)
    finally:
        if not mcli.get_runs([made], include_deleted=True)[0].is_deleted:
            mcli.stop_run(made)


@claims(
    ("clone submits a new run with the same configuration", True, lambda: changed(lambda made: made.clone()).name != ""),
    ("a clone has the name that was submitted", "page", lambda: cloned()["runName"]),
    ("a clone has the same parameters", {"lr": 0.1}, lambda: cloned()["parameters"]),
    ("a clone has the same environment", [{"envKey": "A", "envValue": "b"}], lambda: cloned()["envVariables"]),
    *(
        (f"clone can override {name}", value, partial(lambda n, v, k: cloned(**{n: v})[k], name, value, key))
        for name, value, key in [("name", "other", "runName"), ("image", "other:1", "image")]
    ),
    *(
        (f"clone can override {name}", value, partial(lambda n, v, k: cloned(**{n: v})["compute"][k], name, value, key))
        for name, value, key in [("cluster", "c", "cluster"), ("instance", "i", "instance"), ("nodes", 1, "nodes"),
                                 ("gpu_type", "t4", "gpuType"), ("gpus", 8, "gpus")]
    ),
    *(
        (f"clone can override {name}", value, partial(lambda n, v, k: cloned(**{n: v})["scheduling"][k], name, value, key))
        for name, value, key in [("priority", "lowest", "priority"), ("preemptible", False, "preemptible"),
                                 ("max_retries", 5, "maxRetries"), ("max_duration", 0.5, "maxDuration")]
    ),
    ("clone leaves the original alone", {"lr": 0.1}, lambda: (cloned(gpus=1), full().submitted_config.parameters)[1]),
    ("clone gives a new Run", Run, lambda: type(changed(lambda made: made.clone()))),
    ("refresh gives the run with its present data", RunStatus.COMPLETED, lambda: full().refresh().status),
    ("refresh gives a Run of its own", False, lambda: full().refresh() is full()),
    ("stop stops the run", RunStatus.STOPPED, lambda: mcli.wait_for_run_status(
        changed(lambda made: made.stop()), "stopped", timeout=120).status),
    ("delete deletes the run", True, lambda: changed(lambda made: made.delete()).is_deleted),
    ("update updates the priority", "low", lambda: changed(lambda made: made.update(priority="low")).priority),
    ("update updates whether the run may be preempted", True,
        lambda: changed(lambda made: made.update(preemptible=True)).preemptible),
    ("update updates the number of retries", 2, lambda: changed(lambda made: made.update(max_retries=2)).max_retries),
    ("update updates retries on system failures", True,
        lambda: changed(lambda made: made.update(retry_on_system_failure=True)).retry_on_system_failure),
    ("update updates the longest duration", 2.0, lambda: changed(lambda made: made.update(max_duration=2)).max_duration),
    ("update_metadata merges metadata", {"a": 1}, lambda: changed(lambda made: made.update_metadata({"a": 1})).metadata),
)  # fmt: skip
def test_the_methods_of_a_run(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of the methods of a run."""
    assert expected == seen()


def as_sent(**fields: Any) -> dict[str, Any]:
    return dict(sent(lambda: mcli.create_run(config(**fields)))["createRunData"]["runInput"])


COMPUTE = {"cluster": "c", "instance": "i", "gpu_type": "t", "gpus": 8, "cpus": 4, "nodes": 2}
SCHEDULING = {
    "priority": "low",
    "preemptible": True,
    "retry_on_system_failure": True,
    "max_retries": 2,
    "max_duration": 0.5,
}
EMPTY: dict[str, Any] = {
    **dict.fromkeys(["name", "parent_name", "image", "gpu_type", "gpu_num", "cpus", "cluster"]),
    **{
        name: {}
        for name in (
            "scheduling",
            "compute",
            "parameters",
            "env_variables",
            "metadata",
            "dependent_deployment",
        )
    },
    "integrations": [],
    "command": "",
}
WIRE = {"gpu_type": "gpuType", "retry_on_system_failure": "retryOnSystemFailure", "max_retries": "maxRetries",
        "max_duration": "maxDuration"}  # fmt: skip


@claims(
    ("a RunConfig can be made of nothing", True, lambda: isinstance(RunConfig(), RunConfig)),
    ("values are not yet validated", None, lambda: error(lambda: RunConfig(name=5, compute="x"))),
    ("on creating the run, a bad config is a MapiException of status 400", 400, lambda: error(lambda: run(compute="x")).status),
    *((f"{name} is {value!r} by default", value, partial(lambda n: getattr(RunConfig(), n), name)) for name, value in EMPTY.items()),
    ("name is the user's name of the run", "n", lambda: as_sent(name="n")["runName"]),
    ("image is a Docker image", "mosaicml/composer", lambda: as_sent(image="mosaicml/composer")["image"]),
    ("command is what the run executes", "echo", lambda: as_sent(command="echo")["command"]),
    *((f"compute takes {name}", value, partial(lambda n, v: as_sent(compute={n: v})["compute"][WIRE.get(n, n)], name, value))
      for name, value in COMPUTE.items()),
    ("compute may be a ComputeConfig", {"gpus": 8}, lambda: as_sent(compute=ComputeConfig(gpus=8))["compute"]),
    *((f"scheduling takes {name}", value, partial(lambda n, v: as_sent(scheduling={n: v})["scheduling"][WIRE.get(n, n)], name, value))
      for name, value in SCHEDULING.items()),
    ("scheduling may be a SchedulingConfig", {"priority": "low"},
        lambda: as_sent(scheduling=SchedulingConfig(priority="low"))["scheduling"]),
    ("max_duration stops a run when it has elapsed", RunStatus.STOPPED, lambda: mcli.wait_for_run_status(
        run("sleep 60", scheduling={"max_duration": 0.0003}), "completed", timeout=120).status),
    ("parameters are mounted into the environment", "lr: 0.1\n", lambda: "".join(
        line for line in mcli.get_run_logs(mcli.wait_for_run_status(
            run("cat /mnt/config/parameters.yaml", parameters={"lr": 0.1}), "completed", timeout=120))
        if line.startswith("lr"))),
    ("integrations are a list of mappings", [{"type": "wandb", "params": {"project": "p"}}],
        lambda: as_sent(integrations=[{"integration_type": "wandb", "project": "p"}])["integrations"]),
    ("env_variables are set in the run", True, lambda: "seen=b\n" in mcli.get_run_logs(mcli.wait_for_run_status(
        run("echo seen=$A", env_variables={"A": "b"}), "completed", timeout=120))),
    ("metadata is attached to the run", {"a": 1}, lambda: run(metadata={"a": 1}).metadata),
    ("a configuration prints as YAML", {"name": "page", "image": "bash", "command": "true", "compute": {"gpus": 0}},
        lambda: yaml.safe_load(str(config()))),
    ("ComputeConfig is a dictionary", {"gpus": 8}, lambda: ComputeConfig(gpus=8)),
    ("SchedulingConfig is a dictionary", {"priority": "low"}, lambda: SchedulingConfig(priority="low")),
)  # fmt: skip
def test_configurations(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of run configurations."""
    assert expected == seen()
