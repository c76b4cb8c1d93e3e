"""What holds for every subscription, whatever the platform sends, in both subprotocols."""

from __future__ import annotations

import base64
import re
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from mcli_mapi import operations
from mcli_mapi.get_run_logs import GetRunLogs
from mcli_mapi.watch_run_status import WatchRunStatus

from mcli import MAPIConnection, get_run_logs
from mcli._core import loop
from mcli._core.connection import Connection
from mcli._core.transport import HttpTransport
from mcli.exceptions import MAPIException
from tests.fake import SCHEMA, Answers, Fake, Replies, Reply, Request, Variables
from tests.fake.serving import SUBPROTOCOLS, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcli_mapi.base_model import Result

KEY = "a-key"
DOCUMENTS: dict[str, tuple[str, type[Result]]] = {
    "GetRunLogs": (operations.GET_RUN_LOGS_GQL, GetRunLogs),
    "WatchRunStatus": (operations.WATCH_RUN_STATUS_GQL, WatchRunStatus),
}

few = settings(max_examples=settings().max_examples // 10)
fake = Fake()
replies = Replies(Answers(SCHEMA))
variables = Variables(SCHEMA)


@pytest.fixture(scope="module", params=SUBPROTOCOLS)
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve the fake over sockets, in one subprotocol."""
    with listening(fake, request.param) as url:
        yield url
        loop.submit(loop.close_resources()).result()


@pytest.mark.parametrize("name", DOCUMENTS)
@few
@given(data=st.data())
def test_a_subscription_gives_what_was_sent(endpoint: str, name: str, data: st.DataObject) -> None:
    """Every piece of data arrives in order; an end with errors is a `MAPIException`, after the data before it."""
    document, kind = DOCUMENTS[name]
    (operation,) = [each for each in parse(document).definitions if isinstance(each, OperationDefinitionNode)]
    sent = data.draw(variables.of(operation))
    replied: list[Reply] = []
    received: list[Result] = []

    def answer(request: Request) -> Reply:
        replied.append(data.draw(replies.streams(request)))
        return replied[-1]

    async def take() -> None:
        transport = HttpTransport(Connection(endpoint, lambda: KEY))
        stream = transport.subscribe(kind, document, name, sent)
        while (each := await anext(stream, None)) is not None:
            received.append(each)

    told = ""
    try:
        fake.result(loop.submit(take()), answer)
    except MAPIException as error:
        told = str(error)
    *items, end = replied[-1].payloads
    assert [item.content["data"] for item in items] == [each.model_dump(by_alias=True) for each in received]
    assert bool(told) is (end.kind != "complete")
    assert re.fullmatch(r"(Error [45]\d\d: .+)?", told, re.DOTALL)


@few
@pytest.mark.filterwarnings("ignore:The platform lacks bytes of the log")
@given(chunks=st.lists(st.binary(max_size=4)), broken=st.text(max_size=5) | st.none(), end=st.integers())
def test_a_log_is_read_or_refused(endpoint: str, chunks: list[bytes], broken: str | None, end: int) -> None:
    """Chunks of a log are joined; a chunk that is no base64 is a `MAPIException`, and never a bare error."""
    sent: list[dict[str, Any]] = []
    for chunk in chunks:
        position = (sent[-1]["endOffset"] if sent else 0) + len(chunk)
        sent.append({"chunk": base64.b64encode(chunk).decode(), "endOffset": position})
    if broken is not None:
        sent.append({"chunk": broken, "endOffset": end})
    stream = Reply.stream(*({"getRunLogsV2": each} for each in sent))
    nothing = Reply.of({"errors": [{"message": "enough"}]})
    with MAPIConnection(endpoint, KEY):
        pending = get_run_logs("a", future=True)
        with suppress(MAPIException) if broken is not None else nullcontext():
            text = fake.result(pending, lambda asked: stream if asked.name == "GetRunLogs" else nothing)
            assert broken is not None or text == b"".join(chunks).decode(errors="replace")
