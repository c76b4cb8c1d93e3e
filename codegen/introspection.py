"""Read a schema from wherever it is: an endpoint, a file of the schema language, a file of an introspection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from graphql import GraphQLError, build_client_schema, get_introspection_query, validate_schema

from codegen.sources import SourceError, read_schema

if TYPE_CHECKING:
    from graphql import GraphQLSchema

__all__ = ["RefreshError", "schema_of"]

# Older servers know less about themselves: each is asked for all that it may know.
_ALL = {
    "directive_is_repeatable": True,
    "input_value_deprecation": True,
    "schema_description": True,
    "specified_by_url": True,
}
_QUERIES = (
    get_introspection_query(**_ALL, input_object_one_of=True),
    get_introspection_query(**_ALL),
    get_introspection_query(input_value_deprecation=True),
    get_introspection_query(),
)


class RefreshError(Exception):
    """The source gives no schema."""


def schema_of(source: str, key: str | None = None, key_name: str = "the key") -> GraphQLSchema:
    """Return the schema of an endpoint or a file.

    Raises:
        RefreshError: There is none, in one line that names the source.
    """
    if source.startswith(("http://", "https://")):
        return _built(source, _asked(source, key, key_name))
    path = Path(source)
    try:
        if path.suffix == ".json":
            return _built(source, json.loads(path.read_text("utf-8-sig")))
        return read_schema(path, source)[0]
    except SourceError as error:
        raise RefreshError(str(error)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise RefreshError(f"{source} cannot be read: {error}") from error


def _asked(url: str, key: str | None, key_name: str) -> Any:
    """Ask an endpoint for its schema, less and less as long as it does not know a part of the question."""
    if key is not None and not (key.isascii() and key.isprintable()):
        raise RefreshError(f"{key_name} must be printable ASCII, without a line break")
    answer: Any = None
    for query in _QUERIES:
        answer = _posted(url, query, {"Authorization": key} if key else {})
        if not isinstance(answer, dict) or not answer.get("errors"):
            break
    return answer


def _posted(url: str, query: str, headers: dict[str, str]) -> Any:
    try:
        response = httpx.post(url, json={"query": query}, headers=headers, timeout=30)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RefreshError(f"{url} cannot be reached: {error}") from error
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise RefreshError(f"{url} answered {response.status_code} without JSON") from error


def _built(source: str, answer: Any) -> GraphQLSchema:
    match answer:
        case {"errors": [{"message": message}, *_]}:
            raise RefreshError(f"{source} does not tell its schema: {message}")
        case {"data": {"__schema": dict()} as data} | ({"__schema": dict()} as data):
            pass
        case _:
            raise RefreshError(f"{source} holds no introspection of a schema")
    try:
        schema = build_client_schema(data)
        if errors := validate_schema(schema):
            raise RefreshError(f"{source} holds a schema that is not valid: {errors[0].message}")
        # Made lazily: a part that is missing is found only now.
        _ = [getattr(kind, "fields", None) for kind in schema.type_map.values()]
    except (GraphQLError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefreshError(
            f"{source} holds an introspection that is cut short or broken: {reason}"
        ) from error
    return schema
