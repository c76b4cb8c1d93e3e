"""The messages of a websocket that matter for speed, read in one pass from bytes to values.

Results are nearly all that travels. pydantic-core reads one as a whole, the base64 of a log with it; whatever it does
not read so is looked at by plain JSON, which finds the right words for what is wrong.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

__all__ = ["Unread", "result_in"]


class Unread:
    """A payload as JSON gives it, which is not of the usual form: whoever asked for it finds out what is wrong."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self.payload = payload


def _object(
    config: core_schema.CoreConfig | None = None, **fields: core_schema.CoreSchema
) -> core_schema.CoreSchema:
    described = {name: core_schema.typed_dict_field(schema) for name, schema in fields.items()}
    return core_schema.typed_dict_schema(described, config=config)


_CHUNK = _object(
    core_schema.CoreConfig(val_json_bytes="base64"),  # it must stand where the bytes do
    chunk=core_schema.bytes_schema(),
    endOffset=core_schema.int_schema(),
)
_DATA = core_schema.union_schema(
    [
        _object(getRunLogsV2=_CHUNK),
        _object(watchRunStatus=core_schema.nullable_schema(core_schema.str_schema())),
    ],
    mode="left_to_right",
)
_RESULT = SchemaValidator(
    _object(
        id=core_schema.str_schema(),
        type=core_schema.literal_schema(["next", "data"]),
        payload=core_schema.typed_dict_schema(
            {
                "data": core_schema.typed_dict_field(_DATA),
                "errors": core_schema.typed_dict_field(core_schema.none_schema(), required=False),
            }
        ),
    )
)


def result_in(raw: bytes) -> tuple[str, Any] | None:
    """Return the id of a subscription and the `data` that a message brings it; None for any other message.

    >>> result_in(b'{"id": "1", "type": "next", "payload": {"data": {"watchRunStatus": "RUNNING"}}}')
    ('1', {'watchRunStatus': 'RUNNING'})
    >>> result_in(b'{"type": "pong"}') is None
    True
    """
    try:
        message = _RESULT.validate_json(raw)
    except ValidationError:
        return None
    return message["id"], message["payload"]["data"]
