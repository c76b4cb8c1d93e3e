"""Strategies of whole replies: data, errors in every shape, and what comes from things that are no platform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.fake.answers import Answers
    from tests.fake.requests import Request

__all__ = ["Payload", "Replies", "Reply", "errors"]


class Payload(NamedTuple):
    """One message of a subscription after the handshake."""

    kind: str
    """`data`, `error` or `complete`: the subprotocols have their own words for these."""
    content: Any = None


@dataclass(frozen=True)
class Reply:
    """What one operation is answered with: a body over HTTP, messages over a websocket."""

    content: bytes = b""
    status: int = 200
    payloads: tuple[Payload, ...] = ()

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)

    @classmethod
    def of(cls, body: Any, status: int = 200) -> Reply:
        """Reply with a JSON body."""
        return cls(json.dumps(body).encode(), status)

    @classmethod
    def stream(cls, *items: Any) -> Reply:
        """Reply with the data of a whole subscription."""
        return cls(payloads=(*(Payload("data", {"data": each}) for each in items), Payload("complete")))


_messages = st.sampled_from(
    ["Run 'a' not found", "Bad run request: image is a required field", "", "ä\n\U0001f917"]
) | st.text(st.characters(codec="utf-8"), max_size=10)

_codes = (
    st.sampled_from([400, 401, 403, 404, 409, 418, 500, 520])
    | st.sampled_from(["401", "UNAUTHENTICATED", "INTERNAL_SERVER_ERROR", "?"])
    | st.integers()
    | st.none()
    | st.booleans()
)


def _some(entries: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=entries)


_items = st.fixed_dictionaries(
    {"message": _messages, "extensions": st.fixed_dictionaries({"code": _codes})}
) | _some(
    {
        "message": _messages | st.none() | st.integers(),
        "extensions": _some({"code": _codes}) | st.none() | st.text(max_size=3),
        "path": st.just(["getRuns", 0]),
        "locations": st.just([{"line": 1, "column": 2}]),
    }
)

errors = st.lists(_items, min_size=1, max_size=3)
"""Lists of GraphQL errors, in every shape that section 4 of the contract knows."""

_STRANGERS = [b"", b"null", b"[]", b"42", b'"no"', b"{}", b'{"data": null}', b'{"errors": null}', b"\xff\xfe"]
_PAGE = b"<!DOCTYPE html><title>502 Bad Gateway</title>"

_statuses = st.sampled_from([200, 400])


class Replies:
    """Strategies of the replies to a request, by what they mean."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def data(self, request: Request) -> st.SearchStrategy[Reply]:
        """Give valid data; some servers send it with other keys, or with no errors spelled out."""
        extra = st.sampled_from([{}, {"errors": []}, {"extensions": {"cost": 1}}, {"errors": None}])
        bodies = st.builds(lambda data, more: {"data": data, **more}, self._answers.to(request), extra)
        return st.builds(Reply.of, bodies, _statuses)

    def errors(self, request: Request) -> st.SearchStrategy[Reply]:
        """Give GraphQL errors, alone or with data beside them."""
        data = st.none() | self._answers.to(request)
        bodies = st.builds(lambda found, beside: {"errors": found, "data": beside}, errors, data)
        bare = errors.map(lambda found: {"errors": found})
        return st.builds(Reply.of, bodies | bare, st.sampled_from([200, 400, 401, 404, 500]))

    def garbage(self, request: Request) -> st.SearchStrategy[Reply]:
        """Give what is no answer: other JSON, other text, or the beginning of an answer."""
        cut = self._answers.to(request).flatmap(_beginnings)
        contents = st.sampled_from([*_STRANGERS, _PAGE]) | cut
        return st.builds(Reply, contents, st.sampled_from([200, 400, 401, 404, 500, 520]))

    def broken(self, request: Request) -> st.SearchStrategy[Reply]:
        """Give data of which one part is missing, null, or of another type."""
        return self._answers.to(request).flatmap(_damaged).map(lambda data: Reply.of({"data": data}))

    def streams(self, request: Request) -> st.SearchStrategy[Reply]:
        """Give a whole subscription: some data, then its end, in all the ways in which one ends."""
        data = self._answers.to(request).map(lambda item: Payload("data", {"data": item}))
        failures = errors.map(lambda found: Payload("error", found)) | errors.map(
            lambda found: Payload("data", {"errors": found, "data": None})
        )
        ends = st.just(Payload("complete")) | failures
        return st.builds(lambda items, end: Reply(payloads=(*items, end)), st.lists(data, max_size=3), ends)


def _beginnings(data: Any) -> st.SearchStrategy[bytes]:
    content = json.dumps({"data": data}).encode()
    return st.integers(0, len(content) - 1).map(lambda end: content[:end])


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, each in list(inner)[:20] for place in _places(each, (*path, key))]
    return [path, *below] if path else below


@st.composite
def _damaged(draw: st.DrawFn, data: dict[str, Any]) -> Any:
    data = json.loads(json.dumps(data))
    *way, last = draw(st.sampled_from(_places(data)))
    parent: Any = data
    for step in way:
        parent = parent[step]
    if isinstance(last, str) and draw(st.booleans()):
        del parent[last]
    else:
        parent[last] = draw(st.sampled_from([None, [], {}, "", "x", -1, 1.5, True, [None], {"x": 1}]))
    return data
