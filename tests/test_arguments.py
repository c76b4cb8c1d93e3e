"""Every parameter of every public function refuses what cannot be right, by its name, before anything is sent."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mcli
from mcli._arguments import time_text
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect

CONFIG = mcli.RunConfig(name="a", image="bash", command="true", compute={"gpus": 0})
SECRET = mcli.MCLIMountedSecret("a", value="not-a-real-value")

# What is wrong for a parameter, by what it takes

NAME = [5, True, None, b"x", ["a"], {"a": 1}, object(), "", "\ud800", mcli.Run]
NAMES = [5, True, "a", b"x", {"a": 1}, object(), [5], [None], [""], [b"x"], mcli.Run]
FLAG = [5, "x", None, [], 0.5, object()]
TEXT = [5, True, b"x", ["a"], {"a": 1}, object(), "\ud800"]
TEXTS = [5, True, "a", b"x", {"a": 1}, object(), [5], [None], ["\ud800"]]
TIME = [5, True, b"x", [], {}, object(), "yesterday", pd.NaT, np.datetime64("NaT"), "2026-13-01"]
COUNT = ["x", "5", True, -1, 1.5, math.nan, math.inf, [], object(), 1j]
HOURS = ["x", "5", True, -1, math.nan, math.inf, 1e300, [], object(), 1j]
MEMBERS = [5, "RUNNING", b"x", {"a": 1}, object(), [5], ["nonsense"], [None]]
MEMBER = [5, True, b"x", [], object(), "nonsense"]
MAPPING = [5, True, "x", b"x", ["a"], object()]
NOT_ONE = [5, True, "x", b"x", None, {}, object()]
PATH = [5, True, None, b"x", [], {}, object(), "", "nowhere"]
PRIORITY = [*TEXT, "lowset", "hgih"]

WRONG: dict[str, list[Any]] = {
    "after": TIME,
    "at_once": [*COUNT, 0],
    "configs": [5, True, "a", b"x", {"a": 1}, object(), [5], [None]],
    "name": TEXT,
    "api_key": [5, True, b"x", ["a"], object()],
    "before": TIME,
    "cluster": NAME,
    "cluster_names": NAMES,
    "clusters": NAMES,
    "compute": MAPPING,
    "container": TEXT,
    "context_length": [*COUNT[:1], *COUNT[2:], 0],
    "custom_weights_path": [5, True, b"x", [], {}, object(), "", "nowhere"],
    "disable_credentials_check": [5, "x", [], 0.5, object()],
    "ended_after": TIME,
    "ended_before": TIME,
    "eval": MAPPING,
    "eval_data_path": [5, True, b"x", [], {}, object(), "", "nowhere"],
    "eval_prompts": [*TEXTS, [""]],
    "experiment_tracker": [*MAPPING, {"comet": {}}, {"wandb": 5}, {"wandb": {"project": 5}}],
    "failed": FLAG,
    "finetune": NAME,
    "finetuning_runs": NAMES,
    "future": FLAG,
    "global_gpu_rank": COUNT,
    "gpu_nums": [5, True, "8", b"x", {8: 1}, object(), ["x"], [1.5], [-1], [None], [True]],
    "gpu_types": TEXTS,
    "include_all": FLAG,
    "include_deleted": FLAG,
    "include_details": FLAG,
    "include_utilization": FLAG,
    "learning_rate": ["fast", True, -1, 0, math.nan, math.inf, [], object(), 1j],
    "limit": [*COUNT, 0],
    "local_gpu_rank": COUNT,
    "max_duration": HOURS,
    "max_retries": COUNT,
    "metadata": [5, True, "x", b"x", ["a"], None, object()],
    "model": [5, True, None, b"x", [], {}, object(), ""],
    "node_rank": COUNT,
    "organization_ids": TEXTS,
    "parameters": [*MAPPING, {"learning_rate": "fast"}, {"rate": 1}],
    "preemptible": [5, "x", [], 0.5, object()],
    "priority": PRIORITY,
    "protect": FLAG,
    "rank": COUNT,
    "reason": TEXT,
    "resumption": COUNT,
    "retry_on_system_failure": [5, "x", [], 0.5, object()],
    "run": NAME,
    "run_types": MEMBERS,
    "runs": NAMES,
    "save_folder": PATH,
    "seconds": [*COUNT, 0],
    "secret": NOT_ONE,
    "secret_types": [5, "s3", b"x", {"a": 1}, object(), [5], ["floppy"], [None]],
    "secrets": NAMES,
    "status": [*MEMBER, None],
    "statuses": MEMBERS,
    "submission_type_filter": MEMBER,
    "tail": COUNT,
    "task_type": [*MEMBER, None],
    "timeout": ["x", -1, [], math.nan, object()],
    "tokenizer": [*MAPPING, {"model_max_length": "long"}, {"nme": "a"}],
    "train_data": [5, True, "x", b"x", None, [], [5], {"a": 5}, object()],
    "train_data_path": PATH,
    "training_duration": [5, True, b"x", [], {}, object(), "long", "0ep"],
    "update_run_data": [
        5,
        True,
        "x",
        ["a"],
        object(),
        {"x": 1},
        {"maxRetries": "many"},
        {"priority": "lowset"},
    ],
    "user_emails": TEXTS,
    "user_ids": TEXTS,
}
OTHERWISE: dict[tuple[str, str], list[Any]] = {
    ("create_run", "run"): NOT_ONE,
    ("create_interactive_run", "run"): NOT_ONE,
    ("get_runs", "runs"): NAMES,
    ("get_secrets", "secrets"): NAMES,
    ("delete_secrets", "secrets"): [*NAMES, None],
    ("progress", "runs"): [5, True, b"x", {"a": 1}, object(), [5], [None], [""], mcli.Run],
}
"""Parameters that mean something else in some function."""

FOLDER = "s3://bucket/out"
RIGHT: dict[str, dict[str, Any]] = {
    "create_finetuning_run": {"model": "a/b", "train_data_path": "a/b/train", "save_folder": FOLDER},
    "create_pretraining_run": {"model": "a/b", "train_data": ["s3://bucket/a"], "save_folder": FOLDER},
    "create_interactive_run": {"run": CONFIG},
    "create_run": {"run": CONFIG},
    "create_runs": {"configs": [CONFIG]},
    "create_secret": {"secret": SECRET},
    "delete_secrets": {"secrets": ["a"]},
    "get_cluster": {"cluster": "a"},
    "list_finetuning_events": {"finetune": "a"},
    "set_api_key": {},
    "initialize": {},
    "update_run_metadata": {"run": "a", "metadata": {}},
    "wait_for_run_status": {"run": "a", "status": "running"},
}
"""What a call has beside the wrong value."""

FUNCTIONS = [name for name in mcli.__all__ if inspect.isroutine(getattr(mcli, name))]


def parameters(name: str) -> list[str]:
    return list(inspect.signature(getattr(mcli, name)).parameters)


CASES = [(name, parameter) for name in FUNCTIONS for parameter in parameters(name)]


def right(name: str) -> dict[str, Any]:
    """Return arguments with which a function would send."""
    one, several = {"run": "a"}, {"runs": ["a"]}
    needed = one if "run" in parameters(name) else several if "runs" in parameters(name) else {}
    return RIGHT.get(name, {} if name == "get_runs" else needed)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_a_wrong_value_is_refused_by_the_name_of_its_parameter(
    connect: Connect, name: str, parameter: str
) -> None:
    """The error is a ValueError or TypeError of ours that names the parameter, and nothing is sent."""
    connect(answer=(script := wire.Script({})))
    silent = []
    for value in OTHERWISE.get((name, parameter), WRONG[parameter]):
        try:
            arguments = {**right(name), parameter: value}
            called = getattr(mcli, name)(**arguments)
            next(called)  # a generator looks at its arguments at once
        except (TypeError, ValueError) as error:
            if not is_ours(error, parameter):
                silent.append((value, repr(error)))
        except Exception as error:  # noqa: BLE001 - listed, with all others
            silent.append((value, repr(error)))
    assert ([], []) == (silent, script.calls)


def is_ours(error: Exception, parameter: str) -> bool:
    """Tell whether an error names the parameter, and shows nothing of a library."""
    text = str(error)
    alien = "pydantic" in type(error).__module__ or "pydantic" in text or "://errors" in text
    return parameter in text and not alien


METHODS: dict[str, tuple[Callable[[mcli.Run, dict[str, Any]], object], list[str]]] = {
    "update": (
        lambda run, given: run.update(**given),
        ["preemptible", "priority", "max_retries", "retry_on_system_failure", "max_duration"],
    ),
    "update_metadata": (lambda run, given: run.update_metadata(**given), ["metadata"]),
    "clone": (
        lambda run, given: run.clone(**given),
        [
            "nodes",
            "gpus",
            "priority",
            "preemptible",
            "max_retries",
            "max_duration",
            "gpu_type",
            "cluster",
            "instance",
        ],
    ),
}
OF_METHODS = {
    "nodes": ["x", 1.5, -1, True, []],
    "gpus": ["x", 1.5, -1, True, []],
    "gpu_type": [5, True, []],
    "cluster": [5, True, []],
    "instance": [5, True, []],
}


@pytest.mark.parametrize(
    ("method", "parameter"), [(name, each) for name, (_, names) in METHODS.items() for each in names]
)
def test_methods_refuse_wrong_values_by_their_names(connect: Connect, method: str, parameter: str) -> None:
    """The methods of a run refuse what its verbs refuse, and name the parameter."""
    connect(answer=wire.Script(wire.page(wire.run())))
    run = mcli.get_run("run-a")
    call = METHODS[method][0]
    for value in OF_METHODS.get(parameter, WRONG.get(parameter, [])):
        with pytest.raises((TypeError, ValueError), match=parameter):
            call(run, {parameter: value})


def test_every_parameter_is_tried() -> None:
    """No parameter of a public function is without a list of wrong values."""
    assert WRONG.keys() >= {parameter for _, parameter in CASES}


# What is taken beside Python's own types

MOMENTS: list[tuple[Any, datetime]] = [
    (date(2026, 1, 2), datetime(2026, 1, 2).astimezone()),
    (datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 3).astimezone()),
    (pd.Timestamp("2026-01-02T03:04:05.123456789Z"), datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
    (pd.Timestamp("2026-01-02T03:00"), datetime(2026, 1, 2, 3).astimezone()),
    (pd.Timestamp("2026-07-01", tz="Europe/Berlin"), datetime(2026, 6, 30, 22, tzinfo=UTC)),
    (np.datetime64("2026-01-02T03:00:00"), datetime(2026, 1, 2, 3).astimezone()),
    ("2026-01-02", datetime(2026, 1, 2).astimezone()),
    ("2026-01-02T03:00:00.34+05:30", datetime(2026, 1, 1, 21, 30, 0, 340000, tzinfo=UTC)),
]


@pytest.mark.parametrize(("value", "moment"), MOMENTS, ids=repr)
def test_times_of_all_kinds_are_taken(value: Any, moment: datetime) -> None:
    """Dates begin at midnight, times without an offset are local, those of pandas and numpy are as Python's."""
    assert moment == datetime.fromisoformat(time_text(value, "after"))


def test_the_latest_time_of_a_table_is_taken(connect: Connect) -> None:
    """What `to_pandas` gives is a time to ask by."""
    connect(answer=(script := wire.Script(wire.page(wire.run()))))
    latest = mcli.get_runs().to_pandas().created_at.max()
    mcli.get_runs(after=latest)
    filters = script.calls[1].variables["getRunsPaginatedData"]["filters"]
    assert datetime(2026, 1, 1, tzinfo=UTC) == datetime.fromisoformat(filters["createdAt"]["gte"])


def test_numbers_of_numpy_are_taken(connect: Connect) -> None:
    """Whole numbers may be numpy's, and floats that are whole."""
    connect(answer=(script := wire.Script(wire.page())))
    mcli.get_runs(gpu_nums=np.array([8, 16]), limit=np.int64(5), include_deleted=np.True_)  # type: ignore[arg-type]  # numpy's
    sent = script.calls[0].variables["getRunsPaginatedData"]
    assert (5, True, [8, 16]) == (sent["limit"], sent["includeDeleted"], sent["filters"]["gpuNum"]["in"])


def test_numbers_of_a_table_make_a_run(connect: Connect) -> None:
    """Numbers of numpy are sent as numbers, and as texts where texts are sent."""
    connect(answer=(script := wire.Script({"data": {"createRun": [wire.run()]}})))
    variables = {"A": np.int64(1), "B": np.float32(0.1), "C": Decimal("1.50"), "D": np.True_}
    config = mcli.RunConfig(
        "a", image="b", command="c", compute={"gpus": np.int64(8)}, env_variables=variables
    )
    mcli.create_run(config)
    sent = script.calls[0].variables["createRunData"]["runInput"]
    texts = {each["envKey"]: each["envValue"] for each in sent["envVariables"]}
    assert ({"gpus": 8}, {"A": "1", "B": "0.1", "C": "1.50", "D": "True"}) == (sent["compute"], texts)
