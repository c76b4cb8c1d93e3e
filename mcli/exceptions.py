"""What can go wrong, as a tree.

* `MCLIException`
    * `MAPIException`: the platform refused a request, or could not be asked
        * `MultiMAPIException`: it refused for several reasons
        * `RunConfigException`: it found a run configuration incomplete
        * `OutcomeUnknown`: it may or may not have done what it was asked to do
    * `MCLIConfigError`: this machine's configuration cannot be used
    * `MCLIRunConfigValidationError`: a run configuration cannot be sent
    * `ValidationError`: an argument cannot be sent
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
    """Tell that a request to the platform failed.

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
    """Tell that a request failed for several reasons.

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
    """Tell that the platform misses required values in a run configuration.

    The message calls the values what `RunConfig` calls them.

    >>> from_graphql([{"message": "Bad run request: gpuType is a required field"}], 400)
    RunConfigException(400, 'Run configuration is missing the following required values: gpu_type', None)
    """


class OutcomeUnknown(MAPIException):
    """Tell that the platform may or may not have done what it was asked to do.

    The connection failed after a change was sent and before its answer came. Repeating the call could do
    it twice (two runs, for example), so it was not repeated. Find out first: `get_runs()` shows whether the
    run was created, stopped or deleted, `get_run(name)` whether it was updated, `get_secrets()` whether the
    secret was stored.

    >>> issubclass(OutcomeUnknown, MAPIException)
    True
    """


class MCLIConfigError(MCLIException):
    """Tell that credentials, endpoint or configuration file of this machine cannot be used.

    >>> import mcli
    >>> mcli.set_api_key("")
    Traceback (most recent call last):
    mcli.exceptions.MCLIConfigError: The API key is empty: mcli.set_api_key('<your key>')
    """


class MCLIRunConfigValidationError(MCLIException, ValueError):
    """Tell that a run configuration cannot be read, or cannot be sent. It is a `ValueError`, too.

    >>> import mcli
    >>> mcli.create_run(mcli.RunConfig(name="no-image", command="true"))
    Traceback (most recent call last):
    mcli.exceptions.MCLIRunConfigValidationError: ...
    """


class ValidationError(MCLIException, ValueError):
    """Tell that an argument cannot be sent. It is a `ValueError`, too."""


class InputDisabledError(MCLIException):
    """Tell that a value is missing which only a question at a terminal could bring."""


class RunStatusNotReached(Exception):
    """Tell that a watch ended before the run reached the status that was waited for.

    The connection may have dropped: try again.

    >>> from mcli import RunStatus
    >>> print(RunStatusNotReached("bert-x1", RunStatus.RUNNING, RunStatus.COMPLETED))
    Run 'bert-x1' was last seen RUNNING, it did not reach COMPLETED before the watch ended...
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
        return (
            f"Run '{self.name}' was last seen {self.actual}, it did not reach {self.expected} "
            "before the watch ended. The connection may have dropped: try again."
        )


def from_graphql(errors: object, status: int) -> MAPIException:
    """Translate the `errors` of a GraphQL answer, in any shape, into one exception.

    Several errors become one `MultiMAPIException`, a `Bad run request` becomes a `RunConfigException`. An
    error without a usable code has the HTTP `status` of the answer, or 500 where that tells of no error.
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
    """Give the HTTP status that `extensions.code` means, None for a code that means none."""
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
    """Name the fields that a `Bad run request` misses as `RunConfig` names them."""
    paths: list[str] = re.findall(r"([A-Za-z]+(?:\.[A-Za-z]+)*) is a required field", message)
    names = dict.fromkeys(".".join(_OUR_NAME.get(part, part) for part in path.split(".")) for path in paths)
    missing = ", ".join(names)
    return f"Run configuration is missing the following required values: {missing}" if names else message


def _known_status(status: int) -> HTTPStatus | int:
    try:
        return HTTPStatus(status)
    except ValueError:
        return int(status)
