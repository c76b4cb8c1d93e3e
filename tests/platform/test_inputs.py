"""Whatever is said in any field: it is refused by name, or stored and answered, and nobody else is harmed."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.errors import RequestError
from mcli.platform.submission.inputs import checked
from mcli.platform.values import DEEPEST
from tests.platform.quiet import RUN, Quiet, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcli.platform.state.store import Transaction

TUNE = {"model": "a/b", "trainDataPath": "a/b/c", "saveFolder": "s3://b/c", "disableCredentialsCheck": True}
PRETRAIN = {
    "model": "a/b",
    "trainData": {"a": {"path": "s3://a", "proportion": 1}},
    "saveFolder": "/tmp/out",
    "compute": {"gpus": 0},
}
SECRET = {"name": "s", "metadata": {"key": "K"}, "value": "v"}
NAMED = {"filters": {"name": {"in": ["<name>"]}}}
LOGS = {"name": "<name>", "follow": False, "offset": 0, "tail": 1}
BASES: dict[str, list[dict[str, Any]]] = {
    "createRun": [{"runInput": RUN}],
    "createInteractiveRun": [{"runInput": RUN, "seconds": 60}],
    "createFinetune": [{"config": TUNE}],
    "createPretrain": [PRETRAIN],
    "createSecret": [{"envVarSecret": SECRET}],
    "updateRun": [NAMED, {"priority": "low", "maxRetries": 1, "maxDurationSeconds": 60}],
    "updateRunMetadata": [NAMED, {"metadata": {"a": 1}}],
    "createRunEvent": [{"runName": "<name>", "eventType": "STARTED", "eventData": {"message": "m"}}],
    "stopRuns": [NAMED, {"reason": "r"}],
    "startRuns": [NAMED],
    "deleteRuns": [NAMED],
    "getRunsPaginated": [{"filters": {}, "limit": 5, "cursor": None}],
    "getRuns": [{"filters": {}}],
    "getFinetunesPaginated": [{"filters": {}}],
    "getSecrets": [{"filters": {}}],
    "getClusters": [{"filters": {}}],
    "getUsers": [{"filters": {}}],
    "getFinetuneEvents": [{"name": "<name>"}],
    "getRunLogsV2": [LOGS],
    "watchRunStatus": [{"name": "<name>"}],
}
"""Requests that are in order, to spoil one field of. Run input and settings are completed by all their fields."""

DEEP = json.loads("[" * 900 + "]" * 900)
TEXTS = [
    "",
    "\ud800",
    "a\udfffb",
    "\0",
    "é",
    "x" * 300,
    "/" + "x" * 5000,
    "~nobody/x",
    "s3://b/x.jsonl",
    "NaN",
    "é.é",
]
TEXTS += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "cnVuOjk5OTk5OTk5OTk5OTk5OTk5OTk5"]
NUMBERS = [
    0,
    -1,
    1,
    2**31 - 1,
    2**31,
    -(2**31),
    2**63,
    10**400,
    604_800,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
]
OTHERS = [
    None,
    True,
    [],
    {},
    [None],
    DEEP,
    {"a": DEEP},
    {"\ud800": 1},
    {"": float("inf")},
    ["\0"],
    [{"a": [1]}],
]
hostile = st.sampled_from([*TEXTS, *NUMBERS, *OTHERS]) | st.text(max_size=5) | st.integers() | st.floats()
hostile |= st.dictionaries(st.text(max_size=3), hostile, max_size=2) | st.lists(hostile, max_size=2)


def paths(kind: Any, *above: str) -> Iterator[tuple[str, ...]]:
    """Name every field below an input type; lists are entered."""
    named = get_named_type(kind)
    yield above
    if isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            yield from paths(field.type, *above, name)


PLACES = [
    (field, number, path)
    for field in BASES
    for number, argument in enumerate(list(root(field)[1].args.values())[: len(BASES[field])])
    for path in paths(argument.type)
]


def spoilt(base: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return a copy with a value at a path; what is on the way there is made, and lists get one element."""
    if not path:
        return value
    if isinstance(base, list) and path[0] != "in":
        return [spoilt(base[0] if base else {}, path, value)]
    known = base if isinstance(base, dict) else {}
    return {**known, path[0]: spoilt(known.get(path[0]), path[1:], value)}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quiet]:
    quiet = Quiet(tmp_path_factory.mktemp("quiet"))
    yield quiet
    quiet.close()


@given(place=st.sampled_from(PLACES), value=hostile)
def test_any_value_in_any_field_harms_nobody(
    quiet: Quiet, place: tuple[str, int, tuple[str, ...]], value: Any
) -> None:
    """A request with any value in any field is never the platform's error, and everything can be listed after it."""
    field, number, path = place
    arguments = copy.deepcopy(BASES[field])
    arguments[number] = spoilt(arguments[number], path, value)
    name = quiet.create()
    answer = quiet.ask(field, *json.loads(json.dumps(arguments).replace("<name>", name)))
    assert [] == [error for error in answer.get("errors", ()) if error["extensions"]["code"] >= 500]
    assert [] == quiet.list_everything()


def refusal(argument: str, **fields: Any) -> str:
    with pytest.raises(RequestError) as caught:
        checked(argument, fields)
    assert caught.value.code == 400
    return caught.value.message


@pytest.mark.parametrize(
    ("field", "value", "start"),
    [
        ("command", "a\ud800", "Bad run request: command must be UTF-8 text"),
        ("runName", "a\0", "Bad run request: name must not contain a null character"),
        (
            "envVariables",
            [{"envKey": "a", "envValue": "\0"}],
            "Bad run request: env_variables.value must not",
        ),
        (
            "parameters",
            {"rate": [float("inf")]},
            "Bad run request: parameters.rate must be a finite number, not inf",
        ),
        ("metadata", {"a": {"\udc00": 1}}, "Bad run request: metadata.a must have keys of UTF-8 text"),
        (
            "dependentDeployment",
            DEEP,
            f"Bad run request: dependent_deployment must not be nested more than {DEEPEST}",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(field: str, value: Any, start: str) -> None:
    """The error is 400, is known to old clients as a bad run, and names the field as its user does."""
    assert refusal("createRunData", runInput={field: value}).startswith(start)


def test_numbers_of_metadata_become_texts() -> None:
    """What is not a finite number in the metadata becomes its name, at any depth: an error would end the logging."""
    inf, nan = float("inf"), float("nan")
    given = checked("updateRunMetadataData", {"metadata": {"a": nan, "b": {"c": [inf, -inf, 1.5]}}})
    assert given == {"metadata": {"a": "NaN", "b": {"c": ["Infinity", "-Infinity", 1.5]}}}


def test_a_null_character_of_metadata_is_kept() -> None:
    """In free JSON a null character is a character as any other."""
    assert {"metadata": {"a": "\0"}} == checked("updateRunMetadataData", {"metadata": {"a": "\0"}})


@pytest.mark.parametrize(
    "broken",
    [
        {"max_duration_seconds": 604_800 * 3600},
        {"metadata": {"loss": float("inf"), "other": float("nan")}},
        {"metadata": {"half of a pair": ["\ud800"]}},
        {"metadata": {"deep": DEEP}},
    ],
)
def test_a_store_with_what_cannot_be_answered_works_again(tmp_path: Path, broken: dict[str, Any]) -> None:
    """What an earlier version stored, and could then not answer, is listed, waits and is stopped as any other run."""
    quiet = Quiet(tmp_path, patience=0.0)
    name = quiet.create()

    def spoil(transaction: Transaction) -> None:
        ((document,),) = transaction.db.execute("SELECT document FROM runs")
        transaction.db.execute("UPDATE runs SET document = ?", (json.dumps(json.loads(document) | broken),))

    quiet.runner.run(quiet.store.write(spoil))
    assert [] == quiet.list_everything()
    for field, more in {
        "updateRunMetadata": [{"metadata": {"a": 1}}],
        "stopRuns": [],
        "startRuns": [],
    }.items():
        answer = quiet.ask(field, {"filters": {"name": {"in": [name]}}}, *more)
        assert "errors" not in answer
    assert [] == quiet.list_everything()
    quiet.close()
