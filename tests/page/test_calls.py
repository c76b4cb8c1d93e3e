"""What the page says of every function: `timeout`, `future`, errors, defaults, and the help on each parameter."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from tests.page.claims import arguments, claims, config, error, fake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = json.loads((Path(__file__).parents[1] / "data" / "signatures.json").read_text())["functions"]
MODEL, DATA, FOLDER = "mosaicml/mpt-7b", "s3://my-bucket/data.jsonl", "s3://my-bucket/my-checkpoints"
SECRET = mcli.MCLIEnvVarSecret("a", key="A", value="not-a-real-value")

CALLS: dict[str, tuple[Callable[..., Any], type]] = {
    "create_secret": (partial(mcli.create_secret, SECRET), mcli.Secret),
    "delete_secrets": (partial(mcli.delete_secrets, ["a"]), mcli.ObjectList),
    "get_cluster": (partial(mcli.get_cluster, "a"), mcli.ClusterDetails),
    "get_clusters": (mcli.get_clusters, mcli.ObjectList),
    "create_run": (partial(mcli.create_run, config()), mcli.Run),
    "create_interactive_run": (partial(mcli.create_interactive_run, config()), mcli.Run),
    "delete_run": (partial(mcli.delete_run, "a"), mcli.Run),
    "delete_runs": (partial(mcli.delete_runs, ["a"]), mcli.ObjectList),
    "get_run": (partial(mcli.get_run, "a"), mcli.Run),
    "get_runs": (mcli.get_runs, mcli.PaginatedObjectList),
    "start_run": (partial(mcli.start_run, "a"), mcli.Run),
    "start_runs": (partial(mcli.start_runs, ["a"]), mcli.ObjectList),
    "stop_run": (partial(mcli.stop_run, "a"), mcli.Run),
    "stop_runs": (partial(mcli.stop_runs, ["a"]), mcli.ObjectList),
    "update_run": (partial(mcli.update_run, "a", priority="low"), mcli.Run),
    "update_run_metadata": (partial(mcli.update_run_metadata, "a", {"b": 1}), mcli.Run),
    "create_pretraining_run": (partial(mcli.create_pretraining_run, MODEL, [DATA], FOLDER), mcli.Run),
    "create_finetuning_run": (partial(mcli.create_finetuning_run, MODEL, DATA, FOLDER), mcli.Finetune),
}
"""The functions that send one request, with what they need; the others are looked at by themselves."""

FUNCTIONS = [name for name in PAGE if inspect.isroutine(getattr(mcli, name))]


def result(call: Callable[..., Any], delay: float | None = 0, answer: Any = None, **options: Any) -> Any:
    """Return what a call gives on a platform that takes some time."""
    with fake(answer, delay):
        given = call(**options)
        if isinstance(given, concurrent.futures.Future) and delay is not None:
            given.result(60)
    return given


def slow_future(call: Callable[..., Any]) -> type | None:
    """Return what waiting for a future raises where the platform takes for ever, and give the call up."""
    with fake(delay=None):
        future = call(future=True)
        raised = error(lambda: future.result(timeout=0.01))
        future.cancel()
    return type(raised)


def of_each_call() -> Iterator[tuple[str, object, Callable[[], object]]]:
    for name, (call, kind) in CALLS.items():
        yield (
            f"{name} gives a {kind.__name__}",
            True,
            partial(lambda c, k: isinstance(result(c), k), call, kind),
        )
        yield (
            f"{name} raises a TimeoutError if it takes longer than its timeout in seconds",
            TimeoutError,
            partial(lambda c: type(error(lambda: result(c, delay=None, timeout=0.01))), call),
        )
        yield (
            f"{name} returns its output as a Future if future is true",
            True,
            partial(lambda c: isinstance(result(c, future=True), concurrent.futures.Future), call),
        )
        yield (
            f"{name} returns the Future at once, and processes the request in the background",
            TimeoutError,
            partial(slow_future, call),
        )
        yield (
            f"{name} ignores its timeout if future is true",
            True,
            partial(
                lambda c, k: isinstance(result(c, 0.05, future=True, timeout=0.001).result(), k), call, kind
            ),
        )
        yield (
            f"{name} raises a MAPIException when the communication with MAPI fails",
            True,
            partial(
                lambda c: isinstance(
                    error(lambda: result(c, answer={"errors": "broken"})), mcli.MAPIException
                ),
                call,
            ),
        )


@claims(*of_each_call())
def test_calls(expected: object, seen: Callable[[], object]) -> None:
    """What the page repeats of each function holds for each."""
    assert expected == seen()


def defaults(name: str) -> dict[str, object]:
    parameters = inspect.signature(getattr(mcli, name)).parameters
    return {each: parameters[each].default for each in ("timeout", "future") if each in parameters}


pytestmark = pytest.mark.filterwarnings("ignore:Unknown submission type")
WAIT_FOR_EVER = {"follow_run_logs", "get_run_logs", "wait_for_run_status", "watch_run_status"}


@claims(
    *(
        (
            f"{name} has the documented defaults of timeout and future",
            {"timeout": None if name in WAIT_FOR_EVER else 10, "future": False},
            partial(defaults, name),
        )
        for name in FUNCTIONS
        if name not in {"initialize", "set_api_key"}
    ),
    *(
        (
            f"help({name}) tells what each parameter of the page means",
            set(),
            partial(
                lambda n: {each["name"] for each in PAGE[n]["parameters"]} - arguments(getattr(mcli, n)), name
            ),
        )
        for name in FUNCTIONS
    ),
)
def test_help(expected: object, seen: Callable[[], object]) -> None:
    """Defaults are the page's, and the help explains every parameter."""
    assert expected == seen()
