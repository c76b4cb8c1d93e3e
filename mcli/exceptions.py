"""What can go wrong, as a tree.

* `MCLIException`
    * `MAPIException`: the platform refused a request, or could not be asked
        * `MultiMAPIException`: it refused for several reasons
        * `RunConfigException`: it found a run configuration incomplete
        * `OutcomeUnknown`: it may or may not have done what it was asked to do
        * `MCLIRunConfigValidationError`: a run configuration cannot be sent (400); also a `ValidationError`
    * `MCLIConfigError`: this machine's configuration cannot be used
    * `ValidationError`: an argument cannot be sent; also a `ValueError`
    * `InputDisabledError`: a question would have to be asked where nobody answers
* `RunStatusNotReached`: a watch ended before the status that was waited for

A call that takes too long raises the builtin `TimeoutError`.
"""
# The documented names end in `Exception`, or say what happened.
# ruff: noqa: N818

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcli._problems import Problem
    from mcli.status import RunStatus

__all__ = [
    "InputDisabledError",
    "MAPIException",
    "MCLIConfigError",
    "MCLIException",
    "MCLIRunConfigValidationError",
    "MultiMAPIException",
    "OutcomeUnknown",
    "RunConfigException",
    "RunStatusNotReached",
    "ValidationError",
    "from_graphql",
]

UNKNOWN_ERROR = "Unknown Error"


class MCLIException(Exception):
    """Base of all errors of this package, except `RunStatusNotReached`.

    >>> issubclass(MAPIException, MCLIException)
    True
    """


class MAPIException(MCLIException):
    """A request to the platform failed.

    The status is an HTTP status by meaning, whatever the transport answered:

    * 400: an argument is wrong or absent
    * 401: the API key is absent or wrong
    * 403: the API key does not allow this
    * 404: there is no such thing
    * 409: the name is taken
    * 500: the platform broke; please report it
    * 503: the platform, or a part of it, is down

    >>> print(MAPIException(404, "Run 'bert-x1' not found"))
    Error 404: Run 'bert-x1' not found
    """

    status: HTTPStatus | int
    """A plain `int` only where Python knows no such `HTTPStatus`."""
    message: str
    """What happened, in one line."""
    description: str | None
    """More about it."""

    def __init__(self, status: int, message: str = UNKNOWN_ERROR, description: str | None = None) -> None:
        super().__init__(status, message, description)
        self.status = _known_status(status)
        self.message = message
        self.description = description

    def __str__(self) -> str:
        text = f"Error {int(self.status)}: {self.message}"
        return f"{text.removesuffix('.')}. {self.description}" if self.description else text


class MultiMAPIException(MAPIException):
    """A request failed for several reasons.

    `status` is the highest of theirs, `message` has all of theirs, one on each line.

    >>> error = MultiMAPIException([MAPIException(400, "No image"), MAPIException(409, "The name exists")])
    >>> int(error.status), len(error.errors)
    (409, 2)
    """

    errors: list[MAPIException]
    """The reasons, in the platform's order."""

    def __init__(self, errors: Iterable[MAPIException]) -> None:
        self.errors = list(errors)
        highest = max((error.status for error in self.errors), default=HTTPStatus.INTERNAL_SERVER_ERROR)
        super().__init__(highest, "\n".join(error.message for error in self.errors) or UNKNOWN_ERROR)
        self.args: tuple[object, ...] = (self.errors,)  # what pickle and copy give back to __init__

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors)) or super().__str__()


class RunConfigException(MAPIException):
    """The platform found that a run configuration lacks required values.

    The message calls the values what `RunConfig` calls them.

    >>> from_graphql([{"message": "Bad run request: gpuType is a required field"}], 400)
    RunConfigException(400, 'Run configuration is missing the following required values: gpu_type', None)
    """


class OutcomeUnknown(MAPIException):
    """The platform may or may not have done what it was asked to do.

    The connection failed after a change was sent and before its answer came. Repeating the call could do
    it twice (two runs, for example), so it was not repeated. Find out first: `get_runs()` shows whether the
    run was created, stopped or deleted, `get_run(name)` whether it was updated, `get_secrets()` whether the
    secret was stored.

    >>> issubclass(OutcomeUnknown, MAPIException)
    True
    """


class MCLIConfigError(MCLIException):
    """Credentials, endpoint or configuration file of this machine cannot be used.

    >>> import mcli
    >>> mcli.set_api_key("")
    Traceback (most recent call last):
    mcli.exceptions.MCLIConfigError: The API key is empty: mcli.set_api_key('<your key>')
    """


class ValidationError(MCLIException, ValueError):
    """An argument cannot be sent. It is a `ValueError`, too."""


class MCLIRunConfigValidationError(MAPIException, ValidationError):
    """A run configuration cannot be read, or cannot be sent: a `MAPIException` of status 400 and a `ValueError`.

    Nothing was sent. The message tells everything that is wrong with it.

    >>> import mcli
    >>> mcli.create_run(mcli.RunConfig(name="no-image", command="true"))
    Traceback (most recent call last):
    mcli.exceptions.MCLIRunConfigValidationError: Error 400: 'image' is missing...
    """

    problems: list[Problem]
    """What is wrong, and what else is noteworthy; empty where the text could not be read at all."""

    def __init__(
        self, message: str, description: str | None = None, *, problems: Iterable[Problem] = ()
    ) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, message, description)
        self.args: tuple[object, ...] = (message, description)  # what pickle and copy give back to __init__
        self.problems = list(problems)


class InputDisabledError(MCLIException):
    """A value is missing that only a question at a terminal could bring."""


class RunStatusNotReached(Exception):
    """A watch ended before the run reached the status that was waited for.

    Either the run has ended in another way, or the connection was lost: the message says which.

    >>> from mcli import RunStatus
    >>> print(RunStatusNotReached("bert-x1", RunStatus.RUNNING, RunStatus.COMPLETED))
    Run 'bert-x1' was last seen RUNNING; it did not reach COMPLETED before the watch ended...
    >>> print(RunStatusNotReached("bert-x1", RunStatus.COMPLETED, RunStatus.FAILED))
    Run 'bert-x1' has ended as COMPLETED; it will not reach FAILED.
    """

    def __init__(self, name: str, actual: RunStatus, expected: RunStatus) -> None:
        super().__init__(name, actual, expected)
        self.name = name
        """Name of the run."""
        self.actual = actual
        """The last status that was seen."""
        self.expected = expected
        """The status that was waited for."""

    def __str__(self) -> str:
        if self.actual.is_terminal():
            return f"Run '{self.name}' has ended as {self.actual}; it will not reach {self.expected}."
        return (
            f"Run '{self.name}' was last seen {self.actual}; it did not reach {self.expected} "
            "before the watch ended. The connection may have been lost: try again."
        )


def from_graphql(errors: object, status: int) -> MAPIException:
    """Translate the `errors` of a GraphQL answer, in any shape, into one exception.

    Several errors become one `MultiMAPIException`, a `Bad run request` becomes a `RunConfigException`. An
    error without a usable code has the HTTP `status` of the answer, or 500 where that is not an error.
    Only the messages of the errors get into the exception; nothing here raises.

    >>> from_graphql([{"message": "Run not found", "extensions": {"code": 404}}], 200)
    MAPIException(404, 'Run not found', None)
    """
    fallback = status if status >= 400 else HTTPStatus.INTERNAL_SERVER_ERROR
    items = errors if isinstance(errors, list | tuple) else [errors]
    translated = [_from_item(item, fallback) for item in items] or [MAPIException(fallback)]
    return translated[0] if len(translated) == 1 else MultiMAPIException(translated)


def _from_item(item: object, fallback: int) -> MAPIException:
    fields = item if isinstance(item, dict) else {"message": item}
    told = fields.get("message")
    message = (told.strip() if isinstance(told, str) else "") or UNKNOWN_ERROR
    extensions = fields.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    status = _status_of_code(code) or fallback
    if "Bad run request" in message:
        return RunConfigException(status, _in_our_words(message))
    return MAPIException(status, message)


_STATUS_OF_NAME = {
    **{status.name: int(status) for status in HTTPStatus if status >= 400},
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "ALREADY_EXISTS": 409,
    "RATE_LIMITED": 429,
    "BAD_USER_INPUT": 400,
    "GRAPHQL_PARSE_FAILED": 400,
    "GRAPHQL_VALIDATION_FAILED": 400,
    "OPERATION_RESOLUTION_FAILURE": 400,
}


def _status_of_code(code: object) -> int | None:
    """Return the HTTP status that `extensions.code` means, None for a code without a meaning."""
    if isinstance(code, int) and 400 <= code <= 599:
        return int(code)
    if not isinstance(code, str):
        return None
    return int(code) if re.fullmatch(r"[45][0-9]{2}", code) else _STATUS_OF_NAME.get(code.upper())


_OUR_NAME = {
    "runName": "name",
    "parentName": "parent_name",
    "gpuType": "gpu_type",
    "gpuNum": "gpu_num",
    "nodeNames": "node_names",
    "envVariables": "env_variables",
    "dependentDeployment": "dependent_deployment",
}


def _in_our_words(message: str) -> str:
    """Name the missing fields of a `Bad run request` as `RunConfig` names them."""
    paths: list[str] = re.findall(r"([A-Za-z]+(?:\.[A-Za-z]+)*) is a required field", message)
    names = dict.fromkeys(".".join(_OUR_NAME.get(part, part) for part in path.split(".")) for path in paths)
    missing = ", ".join(names)
    return f"Run configuration is missing the following required values: {missing}" if names else message


def _known_status(status: int) -> HTTPStatus | int:
    try:
        return HTTPStatus(status)
    except ValueError:
        return int(status)
