"""What the bytes of an answer mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mcli_mapi.get_runs_paginated import GetRunsPaginated
from mcli_mapi.watch_run_status import WatchRunStatus

import mcli
from mcli import MAPIException, MultiMAPIException, RunConfig, RunStatus
from mcli._core.answers import decode, read
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

HTML = b"<html>Please log in</html>"
CONFIG = RunConfig(name="run", image="bash", command="true")


def refusal(content: bytes, status: int = 200, reason: str = "OK") -> MAPIException:
    with pytest.raises(MAPIException) as caught:
        read(GetRunsPaginated, content, status, reason)
    return caught.value


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


# Reading


def test_data_is_read_at_any_status() -> None:
    """Data counts, whatever status HTTP has."""
    content = json.dumps(wire.page(wire.run())).encode()
    assert ["run-a"] == [run.name for run in read(GetRunsPaginated, content, 400).get_runs_paginated.runs]


@pytest.mark.parametrize("errors", [None, []], ids=str)
def test_no_errors_are_no_error(errors: object) -> None:
    """`errors` that is null or empty does not count."""
    content = json.dumps(wire.page() | {"errors": errors}).encode()
    assert [] == read(GetRunsPaginated, content).get_runs_paginated.runs


@pytest.mark.parametrize("status", [200, 400, 500])
def test_errors_go_before_data_at_any_status(status: int) -> None:
    """A GraphQL error counts whatever status HTTP has, and whatever data stands beside it."""
    content = json.dumps(wire.page(wire.run()) | {"errors": wire.error(404, "gone")["errors"]}).encode()
    assert "Error 404: gone" == str(refusal(content, status))


def test_several_errors_are_one_exception() -> None:
    """Several errors are one exception with the highest status and all messages."""
    errors = [wire.error(code, text)["errors"][0] for code, text in ((404, "gone"), (409, "taken"))]
    error = refusal(json.dumps({"errors": errors}).encode())
    assert (MultiMAPIException, 409) == (type(error), error.status)
    assert "Error 404: gone\nError 409: taken" == str(error)


@pytest.mark.parametrize(
    ("content", "status", "reason", "expected"),
    [
        (b"{}", 401, "Unauthorized", "Error 401: Unauthorized"),
        (b"{}", 400, "Bad Request", "Error 400: Bad Request"),
        (HTML, 400, "Bad Request", "Error 400: Bad Request"),
        (b'{"data": null}', 403, "Forbidden", "Error 403: Forbidden"),
        (b'{"message": "no"}', 503, "", "Error 503: The platform refused the request"),
        (HTML, 404, "Not Found", "Error 404: Not Found"),
        (HTML, 520, "", "Error 520: The answer is not JSON"),
        (b"{}", 200, "OK", "Error 500: The platform's answer has neither data nor errors."),
        (b"[1]", 200, "OK", "Error 500: The platform's answer is a list, not an object."),
        (b"null", 200, "OK", "Error 500: The platform's answer is null, not an object."),
        (b'"x"', 200, "OK", "Error 500: The platform's answer is a string, not an object."),
    ],
)
def test_the_status_counts_where_the_body_says_nothing(
    content: bytes, status: int, reason: str, expected: str
) -> None:
    """Without data and errors, the error is HTTP's, or says what the body is."""
    assert expected == str(refusal(content, status, reason))


@pytest.mark.parametrize("content", [HTML, b"", b'{"data": {"getRunsPag', b"\xff\xfe"], ids=repr)
def test_a_200_that_is_no_json_says_so(content: bytes) -> None:
    """What is no JSON is told as such, with a hint and without the body."""
    error = refusal(content)
    assert f"Error 500: The endpoint answered 200 OK, but not with JSON ({len(content)} bytes)" in str(error)
    assert "Does the URL of the endpoint end in its GraphQL path?" in str(error)
    assert "log in" not in str(error)


def test_an_answer_without_a_status_is_a_200() -> None:
    """What came by another way than HTTP is taken as it is."""
    with pytest.raises(MAPIException, match="answered 200, but not with JSON"):
        read(GetRunsPaginated, HTML)


def test_deeply_nested_json_is_an_error_of_ours() -> None:
    """Depth that exhausts the reader is an answer that cannot be read."""
    assert 500 == refusal(b"[" * 100_000 + b"]" * 100_000).status


def test_a_malformed_run_is_named() -> None:
    """The first run in a page that cannot be read is named, with the field that is wrong."""
    runs = [wire.run("run-a"), *(without(wire.run(name), "createdAt") for name in ("run-b", "run-c"))]
    error = refusal(json.dumps(wire.page(*runs)).encode())
    assert error.message == (
        "The platform's answer cannot be read: getRunsPaginated.runs.1.createdAt: Field required (of 'run-b')."
    )


def test_a_message_does_not_hold_the_answer() -> None:
    """What stands in a field that cannot be read is not repeated: it may be a secret."""
    error = refusal(json.dumps(wire.page(wire.run(createdAt="s3cret"))).encode())
    assert "s3cret" not in repr(error) + str(error)


@pytest.mark.parametrize(
    "payload", [[], "x", None, 3, {"data": None}, {"data": {"watchRunStatus": 3}}], ids=str
)
def test_payloads_of_subscriptions_are_read_alike(payload: object) -> None:
    """A payload that cannot be read is an error of ours too."""
    with pytest.raises(MAPIException):
        decode(WatchRunStatus, payload)


def test_an_error_of_a_subscription_is_the_platforms() -> None:
    """Errors in a payload count, data without errors is data."""
    with pytest.raises(MAPIException, match="Error 404: gone"):
        decode(WatchRunStatus, {"data": None, **wire.error(404, "gone")})
    assert "RUNNING" == decode(WatchRunStatus, {"data": {"watchRunStatus": "RUNNING"}}).watch_run_status


# As a caller meets it

BAD_ANSWERS = {
    "wrong key": (wire.error(401, "The API key is unknown"), 401, "The API key is unknown"),
    "missing run": (wire.page(), 404, "Run 'run-a' not found"),
    "html": (httpx.Response(200, content=HTML), 500, "not with JSON"),
    "truncated": (httpx.Response(200, content=b'{"data": {"getR'), 500, "not with JSON"),
    "no attempt": (wire.page(wire.run("run-a", resumptions=[])), 500, "'run-a' without a resumption"),
    "malformed": (wire.page(wire.run("run-a", createdAt=None)), 500, "'run-a'"),
    "broken": (httpx.Response(500, content=HTML), 500, "Internal Server Error"),
}


@pytest.mark.parametrize(("answer", "status", "message"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_an_error_that_helps(
    connect: Connect, answer: Any, status: int, message: str
) -> None:
    """A bad answer is a `MAPIException` that says what happened, and the call after it works."""
    connect(answer=wire.Script(answer, wire.page(wire.run())))
    with pytest.raises(MAPIException) as caught:
        mcli.get_run("run-a")
    assert status == caught.value.status
    assert message in str(caught.value)
    assert "run-a" == mcli.get_run("run-a").name


def test_a_name_that_exists_is_a_409(connect: Connect) -> None:
    """A name that is taken is the platform's 409, with its words."""
    connect(answer=wire.Script(wire.error(409, "The name run is taken")))
    with pytest.raises(MAPIException, match="Error 409: The name run is taken"):
        mcli.create_run(CONFIG)


def test_errors_that_are_null_are_no_error(connect: Connect) -> None:
    """A platform that always sends `errors` sends no error with null."""
    connect(answer=wire.Script(wire.page(wire.run()) | {"errors": None}))
    assert "run-a" == mcli.get_run("run-a").name


def test_vocabularies_are_open(connect: Connect) -> None:
    """Statuses, run types and events of a newer platform are no errors."""
    event = {
        "resumptionIndex": 0,
        "eventType": "LEVITATED",
        "eventTime": "2026-01-01T00:00:00Z",
        "eventMessage": "up",
    }
    newer = wire.run(
        "run-a", "LEVITATING", runType="DREAM", details=wire.details("X", formattedRunEvents=[event])
    )
    connect(answer=wire.Script(wire.page(newer)))
    run = mcli.get_run("run-a")
    assert (RunStatus.UNKNOWN, mcli.RunType.UNKNOWN) == (run.status, run.run_type)
    assert ["LEVITATED"] == [each.event_type for each in run.events]
