"""The websocket that all subscriptions share: opened once, refused at once, closed when unused."""

from __future__ import annotations

import socket as sockets
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException
from mcli._core import loop
from mcli._core.link import Inbox, Lost
from mcli._core.socket import GraphQLSocket
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect, ServeSocket
    from tests.wire import Subscription


async def end(log: Subscription) -> None:
    await log.complete()


def test_the_first_message_says_who_asks(serve_socket: ServeSocket) -> None:
    """The headers of HTTP travel in `connection_init`."""
    server = serve_socket(end)
    mcli.get_run_logs("run-a")
    expected = {
        "Authorization": wire.KEY,
        "Content-Type": "application/json",
        "x-mosaicml-client": "mcli",
        "x-mosaicml-client-version": mcli.__version__,
    }
    assert [{"type": "connection_init", "payload": expected}] == server.greetings


def test_the_key_is_read_for_each_connection(
    serve_socket: ServeSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a drop the greeting has the key that is valid then."""
    keys = iter(["first", "second"])
    server = wire.SocketServer(end)
    with server:
        connection = mcli.MAPIConnection.get_current_connection
        monkeypatch.setenv("MOSAICML_API_ENDPOINT", server.url)
        for key in keys:
            monkeypatch.setenv("MOSAICML_API_KEY", key)
            assert server.url == connection().endpoint
            mcli.get_run_logs("run-a")
        assert ["first", "second"] == [each["payload"]["Authorization"] for each in server.greetings]


REFUSALS: dict[str, tuple[dict[str, Any], int, str]] = {
    "4401": ({"greet": 4401}, 401, "closed the websocket (4401"),
    "4403": ({"greet": 4403}, 403, "closed the websocket (4403"),
    "connection_error": (
        {"greet": {"type": "connection_error", "payload": {"message": "The API key is unknown"}}},
        401,
        "The API key is unknown",
    ),
    "401": ({"refuse": 401}, 401, "refused to open a websocket"),
    "404": ({"refuse": 404}, 404, "refused to open a websocket"),
    "no ack": ({"greet": {"kind": "hello"}}, 500, "does not speak GraphQL over websockets"),
}


@pytest.mark.parametrize(("options", "status", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_an_error_at_once(
    serve_socket: ServeSocket, options: dict[str, Any], status: int, message: str
) -> None:
    """A server that will not have us is asked once, and its refusal is the error."""
    server = serve_socket(end, **options)
    with pytest.raises(MAPIException) as caught:
        mcli.get_run_logs("run-a")
    assert status == caught.value.status
    assert message in str(caught.value)
    assert server.connections <= 1


@pytest.mark.parametrize("status", [502, 503])
def test_a_server_that_cannot_now_is_asked_again(serve_socket: ServeSocket, status: int) -> None:
    """A handshake that fails for now is tried again."""
    serve_socket(end, refuse=status)
    with pytest.raises(MAPIException) as caught:
        mcli.get_run_logs("run-a")
    assert status == caught.value.status


def test_a_dead_endpoint_is_said_to_be_dead(connect: Connect) -> None:
    """Where nobody listens, a log is an error that names the endpoint, not a wait for ever."""
    with sockets.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/graphql"
    connect(url)
    with pytest.raises(MAPIException, match=f"Error 503: Cannot open a websocket at {url}"):
        mcli.get_run_logs("run-a")


def test_no_proxy_stands_before_loopback(serve_socket: ServeSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets to this machine go there, whatever proxy the environment names."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    serve_socket(end)
    assert "" == mcli.get_run_logs("run-a")


def test_a_socket_serves_many_logs(serve_socket: ServeSocket) -> None:
    """Logs that are read one after the other, or at once, share a socket."""
    server = serve_socket(end)
    mcli.get_run_logs("run-a")
    futures = [mcli.get_run_logs(f"run-{number}", future=True) for number in range(20)]
    assert [""] * 20 == [future.result(wire.PATIENCE) for future in futures]
    assert (1, 21) == (server.connections, len(server.subscriptions))


def test_an_unused_socket_is_closed(serve_socket: ServeSocket) -> None:
    """Soon after the last subscription the socket is closed; the next one opens another."""
    server = serve_socket(end)
    mcli.get_run_logs("run-a")
    server.wait_until(lambda: server.open == 0)
    assert "" == mcli.get_run_logs("run-a")
    assert 2 == server.connections


def test_pings_are_answered(serve_socket: ServeSocket) -> None:
    """A server that pings gets its pong, and keep-alives do no harm."""
    pongs = []

    async def script(log: Subscription) -> None:
        await log._peer.send('{"type": "ping"}')
        await log._peer.send('{"type": "ka"}')
        await log._peer.send('{"type": "next", "id": "no-such-id", "payload": {}}')
        await wire.for_ever()

    server = serve_socket(script)
    receive = server._receive

    def look(peer: Any, message: dict[str, Any]) -> None:
        if message["type"] == "pong":
            pongs.append(message)
        receive(peer, message)

    server._receive = look  # type: ignore[method-assign]  # a server of ours, to see what it ignores
    future = mcli.get_run_logs("run-a", future=True)
    server.wait_until(lambda: len(pongs) == 1)
    future.cancel()


GARBAGE: list[Callable[[], str | bytes]] = [
    lambda: "not json",
    lambda: "[]",
    lambda: b"\xff\x00",
    lambda: "{}",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_does_not_end_a_log(serve_socket: ServeSocket, garbage: Callable[[], str | bytes]) -> None:
    """What is no GraphQL costs the connection and no byte of the log."""
    first = iter([True])

    async def script(log: Subscription) -> None:
        if next(first, False):
            await log.next(wire.chunk(b"a\n", 2))
            await log._peer.send(garbage())
            await wire.for_ever()
        await log.next(wire.chunk(b"b\n", 4))
        await log.complete()

    serve_socket(script)
    assert ["a\n", "b\n"] == list(mcli.follow_run_logs("run-a"))


def test_reset_connection_does_not_end_a_log(serve_socket: ServeSocket) -> None:
    """Logs that are followed come back after `reset_connection`."""

    async def script(log: Subscription) -> None:
        if log.asked["offset"] == 0:
            await log.next(wire.chunk(b"a\n", 2))
            await wire.for_ever()
        await log.next(wire.chunk(b"b\n", 4))
        await log.complete()

    serve_socket(script)
    lines = mcli.follow_run_logs("run-a")
    assert "a\n" == next(lines)
    mcli.MAPIConnection.reset_connection()
    assert ["b\n"] == list(lines)


def test_a_link_that_closed_meanwhile_tells_a_late_subscription(serve_socket: ServeSocket) -> None:
    """A subscription whose turn comes after the socket has closed hears of it, and does not wait for ever."""

    server = serve_socket(end)

    async def subscribe_late() -> None:
        socket = GraphQLSocket(server.url, lambda: {"Authorization": wire.KEY})
        link = await socket._connected()
        await link.aclose()
        inbox = Inbox(None)
        link.subscribe({"query": "subscription S { s }"}, inbox)
        with pytest.raises(Lost):
            await inbox.take()

    loop.submit(subscribe_late()).result(wire.PATIENCE)


def test_a_refused_handshake_has_the_words_of_the_server(serve_socket: ServeSocket) -> None:
    """A websocket that is refused says why, where the server does."""
    serve_socket(lambda _: wire.for_ever(), refuse=403)
    with pytest.raises(mcli.MAPIException, match=r"Error 403: .* refused to open a websocket: no"):
        mcli.get_run_logs("run-a")
