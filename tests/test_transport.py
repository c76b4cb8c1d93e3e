"""Requests over HTTP: connections, headers, what is repeated and what is not."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

import mcli
from mcli import MAPIException, OutcomeUnknown, RunConfig
from mcli._core import blocking, loop
from mcli._core.network import tls
from tests import wire

if TYPE_CHECKING:
    from contextlib import ExitStack

    from tests.conftest import Connect, ServeHttp

CONFIG = RunConfig(name="run", image="bash", command="true")
CREATED = {"data": {"createRun": [wire.run("run-a")]}}
NOT_NOW = httpx.Response(503)
LATER = httpx.Response(429, headers={"retry-after": "0"})
PING = {"data": {"__typename": "Query"}}
SUPPORTED = {"accept-idempotency-key": "true"}


def refused_url() -> str:
    """Return the URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/graphql"


# Connections


def test_calls_in_a_row_share_one_connection(serve_http: ServeHttp) -> None:
    """200 calls in a row open one connection."""
    server = serve_http(lambda call: wire.page(wire.run()))
    for _ in range(200):
        mcli.get_run("run-a")
    assert (1, 200) == (server.connections, len(server.calls))


def test_calls_at_once_all_get_their_answer(serve_http: ServeHttp) -> None:
    """200 futures, made by 8 threads, each bring the run that they asked for."""
    from tests.conftest import runs_asked_for

    serve_http(runs_asked_for)
    names = [f"run-{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        futures = list(threads.map(lambda name: mcli.get_run(name, future=True), names))
    assert names == [future.result(wire.PATIENCE).name for future in futures]


def test_a_connection_that_the_server_closed_is_no_error(serve_http: ServeHttp) -> None:
    """A call after the server closed the idle connection opens another one."""
    server = serve_http(
        lambda call: httpx.Response(200, json=wire.page(wire.run()), headers={"connection": "close"})
    )
    assert ["run-a"] * 3 == [mcli.get_run("run-a").name for _ in range(3)]
    assert 3 == server.connections


def test_reset_connection_opens_new_ones(serve_http: ServeHttp) -> None:
    """After `reset_connection` a call opens a new connection, and works."""
    server = serve_http(lambda call: wire.page(wire.run()))
    mcli.get_run("run-a")
    mcli.MAPIConnection.reset_connection()
    mcli.get_run("run-a")
    assert 2 == server.connections


def test_one_tls_context() -> None:
    """However many endpoints and pools there are, the certificates are read once."""
    first = blocking.Endpoint("https://one.test/graphql", None)
    second = blocking.Endpoint("https://two.test/graphql", None)
    assert {id(tls())} == {id(each._context) for each in (first, second)}


def test_http2_has_a_tls_context_of_its_own() -> None:
    """Connections write into a context what they offer to speak: websockets must not offer HTTP/2."""
    assert tls() is not tls(http2=True)


def test_the_headers_say_who_asks(connect: Connect) -> None:
    """A request carries the key as it is, and names this client."""
    asked = wire.Script(wire.page(wire.run()))
    connect(answer=asked)
    mcli.get_run("run-a")
    (call,) = asked.calls
    names = ["authorization", "content-type", "x-mosaicml-client", "x-mosaicml-client-version"]
    assert [wire.KEY, "application/json", "mcli", mcli.__version__] == [call.headers[name] for name in names]


def test_no_proxy_stands_before_loopback(serve_http: ServeHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls to this machine go there, whatever proxy the environment names."""
    monkeypatch.setenv("HTTP_PROXY", refused_url())
    serve_http(lambda call: wire.page(wire.run()))
    assert "run-a" == mcli.get_run("run-a").name


def test_a_call_goes_where_it_was_made_for(stack: ExitStack) -> None:
    """A future asks the endpoint of the block in which it was made, also if that ended meanwhile."""
    gate = threading.Event()
    loop.event_loop()
    loop.call_soon(gate.wait, wire.PATIENCE)  # holds the loop up
    with mcli.MAPIConnection(wire.ENDPOINT, wire.KEY, http=wire.http(wire.Script(wire.page(wire.run())))):
        future = mcli.get_runs(future=True)
    gate.set()
    assert ["run-a"] == [run.name for run in future.result(wire.PATIENCE)]


# What is repeated


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_query_is_repeated(connect: Connect, status: int) -> None:
    """A query that the platform cannot take now is made again."""
    asked = wire.Script(httpx.Response(status), httpx.Response(status), wire.page(wire.run()))
    connect(answer=asked)
    assert "run-a" == mcli.get_run("run-a").name
    assert 3 == len(asked.calls)


def test_a_graphql_error_that_says_not_now_is_repeated(connect: Connect) -> None:
    """The code of a GraphQL error counts like the status of HTTP."""
    asked = wire.Script(wire.error(503, "down"), wire.page(wire.run()))
    connect(answer=asked)
    assert "run-a" == mcli.get_run("run-a").name


def test_a_query_survives_a_lost_connection(serve_http: ServeHttp) -> None:
    """A query whose answer breaks off is made again."""
    server = serve_http(wire.Script(lambda call: ConnectionResetError(), wire.page(wire.run())))
    assert "run-a" == mcli.get_run("run-a").name
    assert 2 == len(server.calls)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_a_final_answer_is_not_repeated(connect: Connect, status: int) -> None:
    """An answer that will not change is an error at once."""
    asked = wire.Script(wire.error(status, "no"))
    connect(answer=asked)
    with pytest.raises(MAPIException) as caught:
        mcli.get_run("run-a")
    assert (status, 1) == (caught.value.status, len(asked.calls))


def test_retry_after_is_obeyed(connect: Connect) -> None:
    """Where the platform names a pause that would pass the time limit, its refusal is the error, at once."""
    connect(answer=wire.Script(httpx.Response(503, headers={"retry-after": "3600"})))
    begin = time.monotonic()
    with pytest.raises(MAPIException, match="503"):
        mcli.get_run("run-a", timeout=60)
    assert time.monotonic() - begin < 30


def test_within_the_limit_the_last_error_is_raised(connect: Connect) -> None:
    """Where no attempt fits into the time limit any more, the error is what happened and no timeout."""
    connect(answer=wire.Script(httpx.Response(502)))
    with pytest.raises(MAPIException, match="502"):
        mcli.get_run("run-a", timeout=0.5)


def test_a_dead_endpoint_is_said_to_be_dead(connect: Connect) -> None:
    """Where nobody listens, the error is a 503 that names the endpoint, before the time limit."""
    url = refused_url()
    connect(url)
    with pytest.raises(MAPIException) as caught:
        mcli.get_run("run-a")
    assert 503 == caught.value.status
    assert f"Cannot connect to {url}: Connection refused." in str(caught.value)
    assert "Is the endpoint right" in str(caught.value)


# Mutations


@pytest.mark.parametrize("fault", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), NOT_NOW], ids=str)
def test_an_ambiguous_mutation_is_not_repeated(connect: Connect, fault: object) -> None:
    """A change that may have been carried out is made once, and the error says so and how to find out."""
    asked = wire.Script(fault, PING)
    connect(answer=asked)
    with pytest.raises(OutcomeUnknown, match=r"Whether CreateRun was carried out is unknown.*get_runs"):
        mcli.create_run(CONFIG)
    assert ["CreateRun", "Ping"] == asked.operations


def test_a_mutation_is_repeated_where_the_endpoint_remembers_it(connect: Connect) -> None:
    """An endpoint that knows idempotency keys gets an ambiguous change again, under the same key."""
    asked = wire.Script(httpx.ReadError("reset"), httpx.Response(200, json=PING, headers=SUPPORTED), CREATED)
    connect(answer=asked)
    assert "run-a" == mcli.create_run(CONFIG).name
    assert ["CreateRun", "Ping", "CreateRun"] == asked.operations
    first, _, second = (call.headers.get("idempotency-key") for call in asked.calls)
    assert first == second is not None


def test_what_the_endpoint_remembers_is_asked_once(connect: Connect) -> None:
    """An answer that declares idempotency keys spares the question."""
    found = httpx.Response(200, json=wire.page(wire.run()), headers=SUPPORTED)
    asked = wire.Script(found, NOT_NOW, CREATED)
    connect(answer=asked)
    mcli.get_run("run-a")
    mcli.create_run(CONFIG)
    assert ["GetRunsPaginatedWithDetails", "CreateRun", "CreateRun"] == asked.operations


def test_each_mutation_has_its_own_key(connect: Connect) -> None:
    """Two changes carry two idempotency keys, and a query none."""
    asked = wire.Script(CREATED, CREATED, wire.page(wire.run()))
    connect(answer=asked)
    mcli.create_run(CONFIG)
    mcli.create_run(CONFIG)
    mcli.get_run("run-a")
    keys = [call.headers.get("idempotency-key") for call in asked.calls]
    assert keys[0] != keys[1]
    assert keys[2] is None


@pytest.mark.parametrize(
    "fault", [LATER, httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")], ids=str
)
def test_a_mutation_that_did_not_begin_is_repeated(connect: Connect, fault: object) -> None:
    """A change that the platform certainly did not carry out is made again."""
    asked = wire.Script(fault, CREATED)
    connect(answer=asked)
    assert "run-a" == mcli.create_run(CONFIG).name
    assert ["CreateRun", "CreateRun"] == asked.operations


def test_input_that_is_no_json_is_not_sent(connect: Connect) -> None:
    """What has no form in JSON is an error before anything is sent."""
    asked = wire.Script(CREATED)
    connect(answer=asked)
    with pytest.raises(mcli.MCLIRunConfigValidationError, match="parameters"):
        mcli.create_run(RunConfig(name="run", image="bash", parameters={"x": object()}))
    assert [] == asked.calls


def test_a_redirect_is_told(connect: Connect) -> None:
    """A key goes to no other place than the one that was named; the error says which place that would be."""
    moved = httpx.Response(301, headers={"location": "https://elsewhere.test/graphql?token=x"})
    connect(answer=wire.Script(moved))
    with pytest.raises(
        mcli.MAPIException, match=r"301: .* redirects to https://elsewhere\.test/graphql\. "
    ) as caught:
        mcli.get_run("run-a")
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        'Cannot query field "x" on type "Run".',
        'Unknown argument "y" on field "getRuns".',
        'Unknown type "Z".',
    ],
)
def test_a_server_of_another_version_is_told(connect: Connect, message: str) -> None:
    """Where the platform does not know what we ask for, the error says why."""
    connect(answer=wire.Script(httpx.Response(400, json=wire.error(400, message))))
    with pytest.raises(mcli.MAPIException, match="This client and the platform differ in version"):
        mcli.get_run("run-a")


def test_an_endpoint_is_asked_twice_whether_it_remembers_keys(serve_http: ServeHttp) -> None:
    """A lasting 503 on a change is answered soon: the question is asked no more often."""
    server = serve_http(lambda call: httpx.Response(503, headers={"retry-after": "1"}))
    with pytest.raises(mcli.OutcomeUnknown):
        mcli.create_run(mcli.RunConfig(name="r", image="i"), timeout=None)
    assert ["CreateRun", "Ping", "Ping"] == [call.operation for call in server.calls]


def test_a_slow_drip_escapes_no_time_limit() -> None:
    """A slow drip of the answer ends with the caller's time, also within the head."""

    class Drip(wire.HttpServer):
        async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nslowly: ")
            for _ in range(1000):
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
            return False

    with (
        Drip(lambda call: None) as server,
        mcli.MAPIConnection(server.url, wire.KEY),
        pytest.raises(TimeoutError, match=r"within 0\.5 s"),
    ):
        mcli.get_run("run-a", timeout=0.5)


class Blocking(httpx.BaseTransport):
    """Carries requests by blocking."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=wire.page(wire.run()))


@pytest.mark.parametrize("future", [False, True])
def test_a_blocking_transport_carries_both_kinds_of_calls(future: bool) -> None:
    """What a test gives in place of sockets may be of either kind."""
    with mcli.MAPIConnection(wire.ENDPOINT, wire.KEY, http=Blocking()):
        found = mcli.get_run("run-a", future=True).result(wire.PATIENCE) if future else mcli.get_run("run-a")
    assert "run-a" == found.name
