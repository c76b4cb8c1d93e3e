"""What lives across calls: what is kept, what resets it, and who ends it."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException
from mcli.logs import AHEAD
from tests import wire
from tests.conftest import runs_asked_for

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection

    from tests.conftest import Connect, ServeHttp, ServeSocket
    from tests.wire import Subscription

MEBIBYTE = 1 << 20


async def end(log: Subscription) -> None:
    await log.complete()


# Resources


def test_cancelled_calls_free_their_connections(serve_http: ServeHttp) -> None:
    """After 30 times 16 futures that were cancelled while they waited, 64 calls find room."""
    hangs = True
    server = serve_http(lambda call: wire.for_ever() if hangs else runs_asked_for(call))
    for turn in range(1, 31):
        futures = [mcli.get_run(f"run-{number}", future=True) for number in range(16)]
        server.wait_until(lambda turn=turn: len(server.calls) == 16 * turn)  # type: ignore[misc]
        for future in futures:
            future.cancel()
    server.wait_until(lambda: server.open == 0)
    hangs = False
    names = [f"run-{number}" for number in range(64)]
    futures = [mcli.get_run(name, future=True) for name in names]
    assert names == [future.result(wire.PATIENCE).name for future in futures]


@pytest.mark.parametrize(
    "greet", [{"type": "connection_error", "payload": {"message": "no"}}, {"kind": "hello"}]
)
def test_a_refused_socket_is_closed(serve_socket: ServeSocket, greet: dict[str, Any]) -> None:
    """A socket whose greeting is refused, or not understood, is closed at once by the client."""
    server = serve_socket(end, greet=greet)
    with pytest.raises(MAPIException):
        mcli.get_run_logs("run-a")
    server.wait_until(lambda: (server.connections, server.open) == (1, 0))


# What many share


class Held(wire.SocketServer):
    """Acknowledges a socket when it is told to."""

    go: asyncio.Event
    arrived = False

    async def _begin(self) -> None:
        self.go = asyncio.Event()
        await super()._begin()

    async def _serve(self, peer: ServerConnection) -> None:
        self.arrived = True
        self.changed()
        await self.go.wait()
        await super()._serve(peer)

    async def release(self) -> None:
        """Acknowledge the sockets that wait, and all others."""
        self.go.set()


def test_who_leaves_does_not_end_what_others_wait_for(stack: ExitStack, connect: Connect) -> None:
    """Of 20 logs that wait for one socket to open one is cancelled: the other 19 come."""
    server = stack.enter_context(Held(end))
    connect(server.url, answer=runs_asked_for)
    futures = [mcli.get_run_logs(f"run-{number}", future=True) for number in range(20)]
    server.wait_until(lambda: server.arrived)
    futures[0].cancel()
    server.call(server.release())
    with pytest.raises(CancelledError):
        futures[0].result(wire.PATIENCE)
    assert [""] * 19 == [future.result(wire.PATIENCE) for future in futures[1:]]
    assert 1 == server.connections


# State that progress resets


def test_the_backoff_begins_anew_after_progress(serve_socket: ServeSocket) -> None:
    """A log comes whole through 30 drops, since something came between any two of them."""

    async def script(log: Subscription) -> None:
        if log.asked["offset"] == 30:
            await log.complete()
            return
        await log.next(wire.chunk(b"x", log.asked["offset"] + 1))
        await log.drop()

    server = serve_socket(script)
    assert "x" * 30 == mcli.get_run_logs("run-a")
    assert 31 == server.connections


def test_only_what_waits_counts_against_the_limit_of_a_log(serve_socket: ServeSocket) -> None:
    """A log that is read as it comes costs one subscription, however long it is."""

    async def script(log: Subscription) -> None:
        await log.next(wire.chunk(b"begin\n", 6))
        await wire.for_ever()

    server = serve_socket(script)
    lines = mcli.follow_run_logs("run-a")
    assert "begin\n" == next(lines)
    (log,) = server.subscriptions
    line = b"x" * (MEBIBYTE - 1) + b"\n"
    for number in range(1, 3 * AHEAD // MEBIBYTE):
        server.call(log.next(wire.chunk(line, 6 + number * MEBIBYTE)))
        assert [line.decode()] == list(islice(lines, 1))
    server.call(log.complete())
    assert ([], 1) == (list(lines), len(server.subscriptions))


def test_a_token_is_read_anew_for_each_socket(
    stack: ExitStack, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that comes back after a drop greets with what the token's file says then."""
    token = isolated / "token"

    async def script(log: Subscription) -> None:
        if log.asked["offset"] == 0:
            await log.next(wire.chunk(b"a\n", 2))
            token.write_text("second")
            await log.drop()
            return
        await log.complete()

    server = stack.enter_context(wire.SocketServer(script))
    token.write_text("first")
    monkeypatch.setenv("MOSAICML_ACCESS_TOKEN_FILE", str(token))
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", server.url)
    assert ["a\n"] == list(mcli.follow_run_logs("run-a", resumption=0))
    sent = [greeting["payload"]["Authorization"] for greeting in server.greetings]
    assert ["Bearer first", "Bearer second"] == sent
