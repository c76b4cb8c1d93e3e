"""Checks and defaults of run requests."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.errors import RequestError
from mcli.platform.scheduling.priorities import priority
from mcli.platform.submission.checks import (
    check_run,
    interactive,
    lower_case_name,
    merge_metadata,
    run_name,
)

RUN = {"runName": "bert", "image": "bash", "command": "true", "compute": {"gpus": 0}}


def refusal(**changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        check_run({**RUN, **changes})
    assert caught.value.code == 400
    return caught.value.message


def test_a_plain_run_passes() -> None:
    """The smallest run that a client sends is accepted."""
    empty: dict[str, Any] = {
        "integrations": [],
        "envVariables": [],
        "parameters": {},
        "metadata": {},
        "scheduling": {},
    }
    check_run({**RUN, **empty, "parentName": None, "dependentDeployment": {}})


def test_all_missing_fields_are_named() -> None:
    """Missing or empty required fields are all in the one message, in the words that clients understand."""
    expected = "Bad run request: image is a required field, command is a required field"
    assert refusal(image=None, command="") == expected


@pytest.mark.parametrize("name", ["a" * 57, "Bert", "-a", "a-", "a_b", "é", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    """A name stem is of lower-case letters, digits and hyphens within 56 characters."""
    assert refusal(runName=name).startswith("Bad run request: name must")


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("git_repo", "gitRepo"),
        ("pip_packages", "packages"),
        ("apt_packages", "packages"),
        ("wandb", "project"),
        ("mlflow", "experimentName"),
    ],
)
def test_integrations_lack_nothing(kind: str, field: str) -> None:
    """An integration without its required parameter is refused, naming both."""
    expected = f"Bad run request: integration {kind}: {field} is a required field"
    assert refusal(integrations=[{"type": kind, "params": {}}]) == expected


def test_unknown_integrations_are_refused() -> None:
    """An integration that nobody knows is refused, not ignored."""
    assert "must be one of git_repo, local_dir, pip_packages" in refusal(
        integrations=[{"type": "gti_repo", "params": {}}]
    )


def test_package_texts_have_whole_quotes() -> None:
    """A text of packages with an open quotation mark is refused, not found out when the run starts."""
    pip = {"type": "pip_packages", "params": {"packages": "'a b"}}
    assert "packages must have its quotation marks in pairs" in refusal(integrations=[pip])


@pytest.mark.parametrize(("key", "value"), [("", "v"), ("A=B", "v"), ("A\0", "v")])
def test_impossible_variables_are_refused(key: str, value: str) -> None:
    """Variables that no process can have are refused."""
    assert refusal(envVariables=[{"envKey": key, "envValue": value}])


@pytest.mark.parametrize("changes", [{"parameters": [1]}, {"metadata": "x"}, {"metadata": []}])
def test_free_objects_are_objects(changes: dict[str, Any]) -> None:
    """Parameters and metadata are objects, not other JSON."""
    assert "must be an object" in refusal(**changes)


@pytest.mark.parametrize(
    "scheduling",
    [
        {"maxDuration": 0},
        {"maxRetries": -1},
        {"maxDuration": float("nan")},
        {"maxDuration": 604_800},
        {"maxDuration": 1e308},
    ],
)
def test_impossible_limits_are_refused(scheduling: dict[str, Any]) -> None:
    """A time limit is positive and fits the schema in seconds, a number of retries is not negative."""
    assert refusal(scheduling=scheduling).startswith("Bad run request: scheduling.max_")


@given(st.text(), st.integers())
def test_names_get_six_characters(stem: str, seed: int) -> None:
    """A run name is the stem, a hyphen, and six ASCII letters and digits."""
    name = run_name(stem, lambda name: False, Random(seed))
    base, _, suffix = name.rpartition("-")
    assert base == stem
    assert (len(suffix), suffix.isalnum(), suffix.isascii()) == (6, True, True)


def test_taken_names_are_passed_over() -> None:
    """A name that exists already is not given again."""
    first = run_name("a", lambda name: False, Random(1))
    assert run_name("a", lambda name: name == first, Random(1)) != first


def test_lower_case_names_are_lower_case() -> None:
    """Names of finetuning runs have no upper-case letters."""
    name = lower_case_name("ift-mpt", lambda name: False, Random(1))
    assert name == name.lower()


@pytest.mark.parametrize(
    ("asked", "given"), [(None, "auto"), ("LOWEST", "lowest"), ("Medium", "medium"), ("p0", "auto")]
)
def test_priorities_are_lower_case(asked: str | None, given: str) -> None:
    """Priorities are kept in lower case, and unknown ones count as `auto`."""
    assert priority(asked) == given


def test_metadata_is_merged_at_the_top() -> None:
    """An update replaces whole top-level values, and changes neither of its arguments."""
    old, new = {"a": {"b": 1}, "c": 2}, {"a": {"d": 3}}
    assert merge_metadata(old, new) == {"a": {"d": 3}, "c": 2}
    assert (old, new) == ({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}})


@pytest.mark.parametrize(
    "fits", [{"k" * 200: "v"}, {"k": "v" * 99_998}, {"k": "é" * 49_999}, dict.fromkeys(map(str, range(200)))]
)
def test_metadata_at_the_limits_fits(fits: dict[str, Any]) -> None:
    """200 keys, keys of 200 characters and values of 100,000 bytes of JSON are accepted."""
    assert merge_metadata({}, fits) == fits


@pytest.mark.parametrize(
    "large", [{"k" * 201: "v"}, {"k": "v" * 99_999}, dict.fromkeys(map(str, range(201)))]
)
def test_metadata_over_the_limits_is_refused(large: dict[str, Any]) -> None:
    """One key, character or byte more is refused with 400."""
    with pytest.raises(RequestError) as caught:
        merge_metadata({}, large)
    assert caught.value.code == 400


def test_keys_are_counted_after_the_merge() -> None:
    """An update that adds the 201st key is refused, one that replaces a key is not."""
    full: dict[str, Any] = dict.fromkeys(map(str, range(200)))
    assert merge_metadata(full, {"0": 1})["0"] == 1
    with pytest.raises(RequestError, match="not 201"):
        merge_metadata(full, {"new": 1})


def test_interactive_runs_are_completed() -> None:
    """An interactive run gets a name, an image, an hour and a command that waits."""
    run, seconds = interactive({"command": "echo", "image": None, "compute": {}}, None)
    assert seconds == 3600
    assert run == {
        "runName": "interactive",
        "image": "mosaicml/pytorch",
        "command": "sleep 3600",
        "compute": {},
    }


def test_interactive_runs_keep_what_is_given() -> None:
    """Name, image and duration of the caller are kept."""
    run, seconds = interactive({"runName": "mine", "image": "bash"}, 60)
    assert (run["runName"], run["image"], run["command"], seconds) == ("mine", "bash", "sleep 60", 60)


def test_interactive_runs_last() -> None:
    """A duration of nothing is refused."""
    with pytest.raises(RequestError, match="seconds must be more than 0, not 0"):
        interactive({}, 0)
