"""What is sent, and comes back."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example as case
from hypothesis import given, settings
from hypothesis import strategies as st

import mcli
from mcli import RunConfig
from mcli.metadata import sanitize_metadata
from tests import strategies as ours
from tests.fake import SCHEMA, Fake, Reply, Request, connected
from tests.fake.leaves import Leaf, example, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

fake = Fake()
some = settings(max_examples=settings().max_examples // 2)


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    with connected(fake):
        yield


def reply(request: Request, **values: Any) -> Reply:
    """Reply with a whole answer, in which some fields of the schema have these values."""

    def value(leaf: Leaf) -> Any:
        name = leaf.path[-1]
        return values.get(name, False if name == "hasNextPage" else pairs(SCHEMA, leaf)[0][0])

    return Reply.of({"data": example(SCHEMA, request, value)})


def sent(call: Callable[[], Future[Any]]) -> Any:
    """Return what a call sends as its first variable."""
    fake.requests.clear()
    with pytest.raises(mcli.MAPIException, match="enough"):
        fake.result(call(), lambda _: Reply.of({"errors": [{"message": "enough"}]}))
    return next(iter(fake.requests[0].variables.values()))


@some
@given(ours.run_configs)
def test_a_submitted_configuration_comes_back(config: RunConfig) -> None:
    """The run of a configuration has an equal one, where the platform keeps what it was sent."""
    run = fake.result(
        mcli.create_run(config, future=True),
        lambda asked: reply(asked, originalRunInput=asked.variables["createRunData"]["runInput"]),
    )
    assert config == run.submitted_config


@some
@given(config=ours.run_configs)
def test_a_configuration_comes_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, config: RunConfig
) -> None:
    """A configuration that is written to a file as YAML is read from it as it was."""
    path: Path = tmp_path_factory.getbasetemp() / "run.yaml"
    path.write_text(str(config), "utf-8")
    assert config == RunConfig.from_file(path)
    assert yaml.safe_load(path.read_text("utf-8")) == yaml.safe_load(str(RunConfig.from_file(path)))


@some
@given(metadata=st.dictionaries(ours.texts, ours.python_values, max_size=4))
def test_metadata_is_sent_as_it_is_sanitized(metadata: dict[str, Any]) -> None:
    """What arrives of metadata is what `sanitize_metadata` leaves, to the last value."""
    with warnings.catch_warnings(action="ignore"):
        fake.requests.clear()
        fake.result(mcli.update_run_metadata("a", metadata, future=True), reply)
        expected = {"metadata": sanitize_metadata(metadata)}
    assert expected == fake.requests[0].variables["updateRunMetadataData"]


@given(key=ours.scalars | st.floats(), value=st.sampled_from([float("nan"), float("inf"), float("-inf")]))
def test_metadata_is_spelled_as_json_spells_it(key: Any, value: float) -> None:
    """A key of any simple type, and a number that JSON does not have, become the text that `json.dumps` writes."""
    expected = {name: json.dumps(value) for name in json.loads(json.dumps({key: 1}))}
    assert expected == sanitize_metadata({key: value})


def moments(**spans: datetime | None) -> dict[str, datetime]:
    """Return the ends of a span that are given."""
    return {name: moment for name, moment in spans.items() if moment is not None}


@some
@given(
    names=st.lists(ours.run_names, min_size=1, max_size=3, unique=True) | st.none(),
    clusters=st.lists(ours.run_names, min_size=1, max_size=2, unique=True) | st.none(),
    statuses=st.lists(ours.statuses, min_size=1, max_size=3) | st.none(),
    types=st.lists(st.sampled_from(mcli.RunType), min_size=1, max_size=3) | st.none(),
    gpus=st.lists(ours.counts, min_size=1, max_size=2) | st.none(),
    kinds=st.lists(st.sampled_from(mcli.GPUType) | ours.texts, min_size=1, max_size=2) | st.none(),
    times=st.tuples(*[ours.times | st.none()] * 4),
    deleted=st.booleans(),
    limit=st.integers(1, 1000) | st.none(),
)
def test_every_filter_is_sent_as_what_it_is(
    names: list[str] | None,
    clusters: list[str] | None,
    statuses: list[mcli.RunStatus] | None,
    types: list[mcli.RunType] | None,
    gpus: list[int] | None,
    kinds: list[str] | None,
    times: tuple[datetime | None, ...],
    deleted: bool,
    limit: int | None,
) -> None:
    """Each filter of `get_runs` arrives in its own field, with all that was given, and no other field does."""
    after, before, ended_after, ended_before = times
    asked = sent(
        lambda: mcli.get_runs(
            names,
            cluster_names=clusters,
            statuses=statuses,
            run_types=types,
            gpu_nums=gpus,
            gpu_types=kinds,
            after=after,
            before=before,
            ended_after=ended_after,
            ended_before=ended_before,
            include_deleted=deleted,
            limit=limit,
            future=True,
        )
    )
    found = {
        name: {end: datetime.fromisoformat(each) for end, each in value.items()}
        if name.endswith("At")
        else value["in"]
        for name, value in asked["filters"].items()
    }
    expected: dict[str, Any] = {
        "name": names,
        "clusterName": clusters,
        "status": [each.name for each in statuses or []],
        "runType": [each.name for each in types or []],
        "gpuNum": gpus,
        "gpuType": [str(each) for each in kinds or []],
        "createdAt": moments(gte=after, lt=before),
        "endedAt": moments(gte=ended_after, lt=ended_before),
    }
    assert {name: value for name, value in expected.items() if value} == found
    assert (deleted, limit) == (asked["includeDeleted"], asked.get("limit"))


@some
@given(hours=st.integers(0, 10**6).map(lambda seconds: seconds / 3600))
@case(hours=115 / 3600)
def test_hours_come_back_from_the_seconds_of_the_wire(hours: float) -> None:
    """A maximum duration of whole seconds comes back as the hours that were given."""
    run = fake.result(
        mcli.update_run("a", max_duration=hours, future=True),
        lambda asked: reply(asked, **asked.variables["updateRunData"]),
    )
    assert hours == run.max_duration
