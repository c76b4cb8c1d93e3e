"""Exceptions, and how GraphQL errors become one."""

from __future__ import annotations

import copy
import pickle
from http import HTTPStatus
from typing import Any

import pytest

from mcli.exceptions import (
    MAPIException,
    MCLIConfigError,
    MCLIException,
    MCLIRunConfigValidationError,
    MultiMAPIException,
    OutcomeUnknown,
    RunConfigException,
    RunStatusNotReached,
    ValidationError,
    from_graphql,
)
from mcli.status import RunStatus

MULTI = MultiMAPIException(
    [MAPIException(404, "Run a not found"), MAPIException(409, "Run b exists", "Take c")]
)


def error(message: str = "no", code: Any = 404) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def test_the_text_has_status_message_and_description() -> None:
    """The text of an exception is its status, message and description."""
    assert "Error 409: Run a exists. Take b" == str(
        MAPIException(HTTPStatus.CONFLICT, "Run a exists", "Take b")
    )


def test_the_description_follows_one_full_stop() -> None:
    """A message that ends in a full stop gets no second one before the description."""
    assert "Error 400: Bad. Worse" == str(MAPIException(400, "Bad.", "Worse"))


def test_a_plain_number_becomes_the_status_that_it_means() -> None:
    """A status given as a number is the `HTTPStatus` of that number."""
    assert HTTPStatus.NOT_FOUND is MAPIException(404, "no").status


def test_a_status_that_python_does_not_know_is_kept() -> None:
    """A number that is no `HTTPStatus` stays a number, also in the text."""
    assert "Error 520: Unknown Error" == str(MAPIException(520))


def test_several_errors_have_the_highest_status() -> None:
    """The status of several errors is the highest of theirs."""
    assert HTTPStatus.CONFLICT is MULTI.status


def test_several_errors_have_one_line_each() -> None:
    """The text of several errors is one line for each."""
    assert "Error 404: Run a not found\nError 409: Run b exists. Take c" == str(MULTI)


def test_several_errors_have_all_messages() -> None:
    """The message of several errors has all of theirs."""
    assert "Run a not found\nRun b exists" == MULTI.message


@pytest.mark.parametrize(
    "exception",
    [
        MAPIException(404, "no", "more"),
        MAPIException(520),
        RunConfigException(400, "no"),
        OutcomeUnknown(503, "no", "more"),
        MULTI,
        MCLIConfigError("no"),
        RunStatusNotReached("a", RunStatus.RUNNING, RunStatus.COMPLETED),
    ],
    ids=lambda exception: type(exception).__name__,
)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_exceptions_survive_copy_and_pickle(exception: Exception, duplicate: Any) -> None:
    """A copied or unpickled exception has the type and the text of the original."""
    assert (type(exception), str(exception)) == (type(duplicate(exception)), str(duplicate(exception)))


@pytest.mark.parametrize(
    "kind", [MAPIException, MCLIConfigError, MCLIRunConfigValidationError, ValidationError]
)
def test_one_base_catches_them_all(kind: type[Exception]) -> None:
    """Who catches `MCLIException` catches every error of the SDK."""
    assert issubclass(kind, MCLIException)


def test_a_status_not_reached_says_which() -> None:
    """The text of `RunStatusNotReached` has the run, what it was and what was waited for."""
    text = str(RunStatusNotReached("bert", RunStatus.QUEUED, RunStatus.RUNNING))
    assert all(word in text for word in ("'bert'", "QUEUED", "RUNNING"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (404, 404),
        (520, 520),
        ("401", 401),
        ("UNAUTHENTICATED", 401),
        ("FORBIDDEN", 403),
        ("PERMISSION_DENIED", 403),
        ("ALREADY_EXISTS", 409),
        ("RATE_LIMITED", 429),
        ("OPERATION_RESOLUTION_FAILURE", 400),
        ("BAD_REQUEST", 400),
        ("NOT_FOUND", 404),
        ("BAD_USER_INPUT", 400),
        ("GRAPHQL_VALIDATION_FAILED", 400),
        ("GRAPHQL_PARSE_FAILED", 400),
        ("INTERNAL_SERVER_ERROR", 500),
        ("service_unavailable", 503),
        ("SOMETHING", 418),
        ("OK", 418),
        (399, 418),
        (400, 400),
        (599, 599),
        (600, 418),
        ("9" * 5000, 418),
        ("\u0664\u0660\u0661", 418),
        (1001, 418),
        (True, 418),
        (None, 418),
        ({"code": 404}, 418),
    ],
)
def test_a_code_means_a_status(code: object, status: int) -> None:
    """A code tells the status as a number, a text or a name; else the status is that of the answer."""
    assert status == from_graphql([error(code=code)], 418).status


@pytest.mark.parametrize(
    ("errors", "status", "text"),
    [
        ([{"message": "no"}], 401, "Error 401: no"),
        ([{"message": "no", "extensions": None}], 200, "Error 500: no"),
        ([{"message": None, "extensions": {"code": 403}}], 200, "Error 403: Unknown Error"),
        ([{}], 200, "Error 500: Unknown Error"),
        ([{"message": " \n"}], 200, "Error 500: Unknown Error"),
        ([{"message": "\nRun not found\n"}], 200, "Error 500: Run not found"),
        (["no"], 200, "Error 500: no"),
        ("no", 503, "Error 503: no"),
        ("no", 400, "Error 400: no"),
        ("no", 399, "Error 500: no"),
        ({"message": "no"}, 200, "Error 500: no"),
        ([7], 200, "Error 500: Unknown Error"),
        ([], 200, "Error 500: Unknown Error"),
        (None, 429, "Error 429: Unknown Error"),
    ],
)
def test_errors_of_any_shape_become_an_exception(errors: object, status: int, text: str) -> None:
    """Errors that are shaped as no server should shape them still become one `MAPIException`."""
    assert text == str(from_graphql(errors, status))


def test_one_error_is_no_several() -> None:
    """One error becomes a plain `MAPIException` with its message."""
    assert (MAPIException, "no") == (type(found := from_graphql([error()], 200)), found.message)


def test_several_errors_become_one_exception() -> None:
    """Several errors become one `MultiMAPIException` that holds them in order."""
    found = from_graphql([error("a", 404), error("b", 409)], 200)
    assert isinstance(found, MultiMAPIException)
    assert [("a", 404), ("b", 409)] == [(each.message, each.status) for each in found.errors]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (["runName"], "name"),
        (["image", "gpuType", "gpuNum"], "image, gpu_type, gpu_num"),
        (
            ["envVariables", "dependentDeployment", "parentName"],
            "env_variables, dependent_deployment, parent_name",
        ),
        (["compute.gpuType", "command", "command"], "compute.gpu_type, command"),
    ],
)
def test_a_bad_run_request_names_our_fields(fields: list[str], named: str) -> None:
    """A bad run request becomes a `RunConfigException` that names what is missing as `RunConfig` does."""
    message = "Bad run request: " + ", ".join(f"{field} is a required field" for field in fields)
    found = from_graphql([error(message, 500)], 200)
    assert isinstance(found, RunConfigException)
    assert f"Run configuration is missing the following required values: {named}" == found.message


def test_a_bad_run_request_without_fields_keeps_its_message() -> None:
    """A bad run request that names no field keeps its message."""
    assert "Bad run request: no" == from_graphql([error("Bad run request: no")], 200).message
