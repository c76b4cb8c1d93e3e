"""How hard properties look; servers for tests; the check that each test leaves the event loop as it found it."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings

from mcli import MAPIConnection
from mcli._core import loop
from tests import wire
from tests.census import nothing_stays

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# How hard properties look: HYPOTHESIS_PROFILE=thorough tries 20 times the examples (`nox -s thorough`).
# Nothing is judged by how long it takes: on a busy machine the first text of a fresh checkout takes half a minute.
settings.register_profile(
    "usual", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.register_profile("planted", settings.get_profile("usual"), phases=[Phase.explicit, Phase.generate])
settings.register_profile("mutants", settings.get_profile("planted"), max_examples=40, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


class Connect(Protocol):
    """Makes the calls of this test go to an endpoint."""

    def __call__(
        self, url: str = wire.ENDPOINT, *, answer: Callable[[wire.Call], Any] | None = None
    ) -> None: ...


class ServeHttp(Protocol):
    """Starts an HTTP server and makes the calls of this test go there."""

    def __call__(self, answer: Callable[[wire.Call], Any]) -> wire.HttpServer: ...


class ServeSocket(Protocol):
    """Starts a websocket server and makes the subscriptions of this test go there; `answer` is for the rest."""

    def __call__(
        self,
        script: Callable[[wire.Subscription], Awaitable[None]],
        *,
        answer: Callable[[wire.Call], Any] = ...,
        **options: Any,
    ) -> wire.SocketServer: ...


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give what is left at the end of the test, after the connections are closed; nothing may stay after it."""
    with nothing_stays(), ExitStack() as stack:
        yield stack
        assert set() == left_on_the_loop()


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    def enter(url: str = wire.ENDPOINT, *, answer: Callable[[wire.Call], Any] | None = None) -> None:
        http = None if answer is None else wire.http(answer)
        stack.enter_context(MAPIConnection(url, wire.KEY, http=http))

    return enter


@pytest.fixture
def serve_http(stack: ExitStack, connect: Connect) -> ServeHttp:
    def serve(answer: Callable[[wire.Call], Any]) -> wire.HttpServer:
        server = stack.enter_context(wire.HttpServer(answer))
        connect(server.url)
        return server

    return serve


@pytest.fixture
def serve_socket(stack: ExitStack, connect: Connect) -> ServeSocket:
    def serve(
        script: Callable[[wire.Subscription], Awaitable[None]],
        *,
        answer: Callable[[wire.Call], Any] = ended_runs,
        **options: Any,
    ) -> wire.SocketServer:
        server = stack.enter_context(wire.SocketServer(script, **options))
        connect(server.url, answer=answer)
        return server

    return serve


def ended_runs(call: wire.Call) -> dict[str, Any]:
    """Return the page of the runs that were asked for by name, all of which have ended."""
    return runs_asked_for(call, "COMPLETED")


def runs_asked_for(call: wire.Call, *state: Any, **more: Any) -> dict[str, Any]:
    """Return the page of the runs that were asked for by name, all alike."""
    names = call.variables["getRunsPaginatedData"]["filters"]["name"]["in"]
    return wire.page(*(wire.run(name, *state, **more) for name in names))


def left_on_the_loop() -> set[str]:
    """Close the connections and name the tasks that do not end then."""

    async def look() -> set[str]:
        await loop.close_resources()
        for _ in range(10):  # what ends may start what closes
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=2)
        return {str(task.get_coro()) for task in others if not task.done()}

    return loop.submit(look()).result(wire.PATIENCE * 2)
