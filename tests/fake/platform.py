"""The fake itself: a transport in this process, and a server for both websocket subprotocols."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from tests.fake.requests import SCHEMA, Request, read_body, read_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLSchema

    from tests.fake.replies import Reply

__all__ = ["Fake"]

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a client that neither asks nor ends is taken to hang."""


class _Question:
    """A request that waits for its reply."""

    def __init__(self, content: bytes | dict[str, Any]) -> None:
        self.content = content
        self.reply: Future[Reply] = Future()


class Fake(httpx.AsyncBaseTransport):
    """Takes requests on any thread, and has the thread of the test reply to them.

    The choices of Hypothesis belong to that thread: a reply is drawn there when the request that it answers is known.

    Args:
        schema: What requests must fit.
    """

    endpoint = "http://fake.invalid/graphql"

    def __init__(self, schema: GraphQLSchema = SCHEMA) -> None:
        self.schema = schema
        self.requests: list[Request] = []
        """What was asked, in order."""
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Reply to one request over HTTP."""
        reply = await self.ask(await request.aread())
        return httpx.Response(reply.status, content=reply.content)

    async def ask(self, content: bytes | dict[str, Any]) -> Reply:
        """Have the test reply to a body, or to the payload of a message."""
        question = _Question(content)
        self._questions.put(question)
        return await asyncio.wrap_future(question.reply)

    def result(self, call: Future[T], answer: Callable[[Request], Reply]) -> T:
        """Return the result of a call, and reply to what it asks for meanwhile.

        Raises:
            InvalidRequestError: The call sent what the schema does not allow.
            AssertionError: The call hangs.
        """
        call.add_done_callback(lambda _: self._questions.put(None))
        try:
            while (question := self._next()) is not None:
                if question.reply.set_running_or_notify_cancel():  # else whoever asked has left
                    question.reply.set_result(self._answer(question.content, answer))
        except BaseException:
            call.cancel()
            while self._next() is not None:  # what a cancelled call still asked is asked of nobody
                pass
            raise
        return call.result()

    def blocking(self, call: Callable[[], T], answer: Callable[[Request], Reply]) -> T:
        """Return the result of a call that has no future; like `result`."""
        with ThreadPoolExecutor(1) as pool:
            return self.result(pool.submit(call), answer)

    def _next(self) -> _Question | None:
        try:
            return self._questions.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"the call neither asked nor ended within {PATIENCE} s") from None

    def _answer(self, content: bytes | dict[str, Any], answer: Callable[[Request], Reply]) -> Reply:
        body = read_body(content) if isinstance(content, bytes) else content
        request = read_request(self.schema, body)
        self.requests.append(request)
        return answer(request)
