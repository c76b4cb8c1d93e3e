"""What the bytes of an answer mean: a result, or an exception that says what is wrong with them.

Pure: nothing here waits or sends. Answers are read in one pass from bytes to typed results, and looked at a second
time only to explain why that failed. No message holds the answer itself.
"""

from __future__ import annotations

import functools
import json
import re
import types
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mcli_mapi.base_model import Result
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from mcli.exceptions import MAPIException, MultiMAPIException, from_graphql

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

__all__ = ["decode", "read", "read_as", "refused"]

ResultT = TypeVar("ResultT", bound=Result)


class _Envelope(BaseModel, Generic[ResultT]):
    data: ResultT | None = None
    errors: Any = None


_READ_AS: dict[type[Result], CoreSchema] = {}


def read_as(kind: type[Result], schema: CoreSchema) -> None:
    """Let the objects of a generated type be read as something else, from the first answer on."""
    _READ_AS[kind] = schema


@functools.cache
def _validator(result: type[Result]) -> SchemaValidator:
    adapter = TypeAdapter(_Envelope[result])  # type: ignore[valid-type]  # a parameter made at run time
    return SchemaValidator(_with_values(adapter.core_schema))


def _with_values(schema: Any) -> Any:
    """Put what was told to `read_as` in the place of the generated types."""
    if isinstance(schema, list):
        return [_with_values(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema["cls"] if schema.get("type") == "model" else None
    if kind in _READ_AS:
        return {**_READ_AS[kind], "ref": schema["ref"]} if "ref" in schema else _READ_AS[kind]
    parts = {key: _with_values(part) for key, part in schema.items()}
    if kind is not None and parts["schema"] != schema["schema"]:
        # pydantic-core goes by the class where that has a validator already, which knows nothing of what is put here
        parts["cls"] = types.new_class(kind.__name__, (kind,), {"defer_build": True})
    return parts


def read(result: type[ResultT], content: bytes | str, status: int = 200, reason: str = "") -> ResultT:
    """Read the answer to an operation.

    GraphQL errors count at any HTTP status, and go before data. The status counts where the body says nothing.

    Args:
        result: Type of `data`.
        content: The body.
        status: HTTP status of the answer.
        reason: HTTP reason phrase, or another word on what came, for messages.

    Raises:
        MAPIException: The answer is an error, or cannot be read.
    """
    try:
        envelope: _Envelope[ResultT] = _validator(result).validate_json(content)
    except ValidationError as e:
        raise _explain(content, status, reason, e) from None
    if envelope.errors:
        raise refused(envelope.errors, status)
    if envelope.data is None:
        raise _without_data(status, reason)
    return envelope.data


def decode(result: type[ResultT], payload: object) -> ResultT:
    """Read one payload of a subscription, which is an answer that JSON was read of already."""
    try:
        envelope: _Envelope[ResultT] = _validator(result).validate_python(payload)
    except ValidationError as e:
        raise _explain_payload(payload, HTTPStatus.OK, "", e) from None
    if envelope.errors:
        raise refused(envelope.errors, HTTPStatus.BAD_REQUEST)
    if envelope.data is None:
        raise _without_data(HTTPStatus.OK, "")
    return envelope.data


_NOT_IN_SCHEMA = re.compile(
    r"""Cannot query field "|Unknown (argument|type|directive|fragment) "|is not defined by type "|"""
    r"""Value "[^"]*" does not exist in "[^"]*" enum"""
)
"""How GraphQL servers say that they do not know a part of a request."""
_OTHER_VERSION = "This client and the platform differ in version: update the older one."


def refused(errors: object, status: int) -> MAPIException:
    """Translate the `errors` of an answer; of one to a request that the platform does not understand, say why."""
    error = from_graphql(errors, status)
    if _NOT_IN_SCHEMA.search(error.message):
        parts = error.errors if isinstance(error, MultiMAPIException) else [error]
        last = parts.pop()
        parts.append(MAPIException(last.status, last.message, _OTHER_VERSION))
        return parts[0] if len(parts) == 1 else MultiMAPIException(parts)
    return error


def _without_data(status: int, reason: str) -> MAPIException:
    if status >= HTTPStatus.BAD_REQUEST:
        return MAPIException(status, reason or "The platform refused the request")
    return MAPIException(500, "The platform's answer has neither data nor errors.")


def _explain(content: bytes | str, status: int, reason: str, error: ValidationError) -> MAPIException:
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        if status >= HTTPStatus.BAD_REQUEST:
            return MAPIException(status, reason or "The answer is not JSON")
        return MAPIException(
            500,
            f"The endpoint answered {status} {reason}".rstrip()
            + f", but not with JSON ({len(content)} bytes).",
            "Does the URL of the endpoint end in its GraphQL path? Does a proxy or a login page stand between?",
        )
    return _explain_payload(payload, status, reason, error)


def _explain_payload(payload: object, status: int, reason: str, error: ValidationError) -> MAPIException:
    if not isinstance(payload, dict):
        return MAPIException(500, f"The platform's answer is {_kind(payload)}, not an object.")
    if payload.get("errors"):
        return refused(payload["errors"], status)
    if payload.get("data") is None:
        return _without_data(status, reason)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"][1:])) or "data"
    who = _name(payload, first["loc"])
    return MAPIException(
        500,
        f"The platform's answer cannot be read: {where}: {first['msg']}{f' (of {who!r})' if who else ''}.",
        "The platform may be newer than this client, or older.",
    )


def _name(payload: Any, path: tuple[int | str, ...]) -> str | None:
    """Return the name of the innermost named object that holds the place that the path leads to."""
    found = None
    for step in path:
        if isinstance(payload, dict):
            name = payload.get("name")
            found = name if isinstance(name, str) else found
            payload = payload.get(step)
        elif isinstance(payload, list) and isinstance(step, int):
            payload = payload[step]
    return found


def _kind(payload: object) -> str:
    names: dict[type[object], str] = {list: "a list", str: "a string", type(None): "null", bool: "a boolean"}
    return names.get(type(payload), "a number")
