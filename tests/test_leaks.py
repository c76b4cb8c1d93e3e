"""No key and no secret in anything that people print, log or send to others."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mcli
from mcli import MCLIEnvVarSecret, RunConfig
from mcli._core import endpoint
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect, ServeHttp, ServeSocket

VALUE = "value-that-nobody-may-see"
CONFIG = RunConfig(name="run", image="bash", command="true", env_variables={"TOKEN": VALUE})
SECRET = MCLIEnvVarSecret(name="s", key="TOKEN", value=VALUE)


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log everything, of all libraries."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def assert_nothing_is_told(logged: pytest.LogCaptureFixture, *texts: str) -> None:
    said = "\n".join([*texts, logged.text, *(repr(vars(record)) for record in logged.records)])
    assert [] == [hidden for hidden in (wire.KEY, VALUE) if hidden in said]


def test_http_logs_no_key(serve_http: ServeHttp, logged: pytest.LogCaptureFixture) -> None:
    """At DEBUG, with the loggers of httpx and httpcore turned up, no record holds the key or a variable."""
    created = {"data": {"createRun": [wire.run()]}}
    serve_http(lambda call: created if call.operation == "CreateRun" else wire.page(wire.run()))
    mcli.get_run("run-a")
    mcli.create_run(CONFIG)
    assert any(record.name.startswith("httpcore") for record in logged.records)
    assert_nothing_is_told(logged)


def test_websockets_log_no_key(serve_socket: ServeSocket, logged: pytest.LogCaptureFixture) -> None:
    """At DEBUG no record of the client holds the greeting of a websocket."""

    async def script(log: wire.Subscription) -> None:
        await log.complete()

    server = serve_socket(script)
    mcli.get_run_logs("run-a")
    server.wait_until(lambda: server.open == 0)
    of_client = [each for each in logged.records if "server" not in each.name]  # the test's own
    assert [] == [each for each in of_client if wire.KEY in each.getMessage()]


def test_http2_logs_no_key(logged: pytest.LogCaptureFixture) -> None:
    """The compression of headers in HTTP/2 logs each of them at DEBUG; for our clients it does not."""
    hpack = pytest.importorskip("hpack")
    endpoint.Endpoint("https://one.test/graphql", None)
    hpack.Encoder().encode([("authorization", wire.KEY)])
    assert_nothing_is_told(logged)


def failures(call: Callable[[], object]) -> str:
    """Return all that can be read off the exception of a call."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    pytest.fail("the call succeeded")


ANSWERS: dict[str, Any] = {
    "refused": wire.error(401, "The API key is unknown"),
    "no json": httpx.Response(200, text=f"<html>{VALUE}</html>"),
    "lost": httpx.ReadError("reset"),
    "malformed": {
        "data": {
            "createRun": [wire.run(createdAt=VALUE)],
            "createSecret": [{"name": "s", "createdAt": VALUE}],
        }
    },
    "echo": {"data": {"createRun": VALUE, "createSecret": VALUE}},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("call", [lambda: mcli.create_run(CONFIG), lambda: mcli.create_secret(SECRET)])
def test_no_exception_holds_a_secret(
    connect: Connect, logged: pytest.LogCaptureFixture, answer: Any, call: Callable[[], object]
) -> None:
    """Message, repr and traceback of a failed call hold neither the key nor what was sent or answered."""
    connect(answer=wire.Script(answer))
    assert_nothing_is_told(logged, failures(call))


def test_a_key_that_is_none_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    """A key that no header can hold is an error that does not show it."""
    monkeypatch.setenv("MOSAICML_API_KEY", wire.KEY + "\nX: y")
    assert_nothing_is_told(logged, failures(lambda: mcli.get_run("run-a")))


def test_no_repr_holds_a_secret(logged: pytest.LogCaptureFixture) -> None:
    """What holds a key or a value does not show it."""
    connection = mcli.MAPIConnection(wire.ENDPOINT, wire.KEY)
    with connection:
        current = mcli.MAPIConnection.get_current_connection()
        config = mcli.MCLIConfig(MOSAICML_API_KEY=wire.KEY, mcloud_envs={"DEV": wire.KEY})
        texts = [repr(each) for each in (connection, current, config, SECRET)]
        assert_nothing_is_told(logged, *texts, str(current), str(config), str(SECRET))
