"""Proxies and certificates of the environment, for calls, logs and watches alike."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli import MAPIException, MCLIConfigError, OutcomeUnknown
from mcli._core.proxies import proxy_for
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Connect

ENDPOINT = "https://platform.test/graphql"
CALLS: dict[str, Callable[[], object]] = {
    "query": lambda: mcli.get_run("run-a"),
    "future": lambda: mcli.get_run("run-a", future=True).result(wire.PATIENCE),
    "change": lambda: mcli.create_run(mcli.RunConfig(name="r", image="i")),
    "log": lambda: mcli.get_run_logs("run-a", timeout=wire.PATIENCE),
    "watch": lambda: next(mcli.watch_run_status("run-a", timeout=wire.PATIENCE)),
    "wait": lambda: mcli.wait_for_run_status("run-a", "completed", timeout=wire.PATIENCE),
}


def nobody() -> str:
    """Return a place on loopback where nobody listens."""
    with wire.socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": " https://user:pass@p:1/ "}, "https://user:pass@p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "platform.test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, .test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[::1],10.0.0.0/8,atform.test"}, "http://p:1"),
        ({}, None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    """The variable of the scheme counts, then ALL_PROXY, unless NO_PROXY covers the host."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(ENDPOINT)
    assert expected == (found and found.url)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "address", ["ftp://p:1", "http://", "http://p:port", "http://p:1 2", "socks5://p:1", "://", "http://[::1"]
)
def test_what_is_not_a_proxy_is_told_at_the_call(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, address: str, call: Callable[[], object]
) -> None:
    """Whatever the variable holds, every call says which one it is, and sends nothing."""
    monkeypatch.setenv("ALL_PROXY", address)
    connect(ENDPOINT)
    with pytest.raises(MCLIConfigError, match="ALL_PROXY"):
        call()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_proxy_that_is_not_there_is_told(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    """The proxy is named with its variable, without its password; a change is not said to be unknown."""
    place = nobody()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:geheim@{place}")
    connect(ENDPOINT)
    with pytest.raises(
        MAPIException, match=f"by the proxy http://{place} of HTTPS_PROXY: Connection refused"
    ) as caught:
        call()
    assert (False, False) == (isinstance(caught.value, OutcomeUnknown), "geheim" in str(caught.value))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ["missing", "not PEM", "empty", "a folder"])
def test_certificates_that_cannot_be_read_are_told(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, call: Callable[[], object]
) -> None:
    """The variable is named at the call; nothing was sent, so nothing is unknown."""
    file = tmp_path / "certificates"
    if kind == "a folder":
        file.mkdir()
    elif kind != "missing":
        file.write_text("" if kind == "empty" else "hello")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    connect(ENDPOINT)
    with pytest.raises(MCLIConfigError, match="SSL_CERT_FILE"):
        call()


@pytest.fixture
def of_strangers(tmp_path: Path) -> ssl.SSLContext:
    """Give the TLS of a server whose certificate nobody trusts."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=localhost"
    )
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    return context


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_certificate_that_is_not_trusted_is_told(
    connect: Connect, of_strangers: ssl.SSLContext, call: Callable[[], object]
) -> None:
    """The error says so at once, and how to trust the certificate; nothing was sent, so nothing is unknown."""
    with wire.HttpServer(lambda call: wire.page(wire.run()), tls=of_strangers) as server:
        connect(server.url.replace("http://127.0.0.1", "https://localhost"))
        with pytest.raises(
            MAPIException, match=r"certificate of https://localhost.* is not trusted.*SSL_CERT_FILE"
        ) as caught:
            call()
        assert ([], False) == (server.calls, isinstance(caught.value, OutcomeUnknown))


def test_a_certificate_that_the_environment_names_is_trusted(
    connect: Connect, of_strangers: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_FILE makes calls of both kinds work."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    with wire.HttpServer(lambda call: wire.page(wire.run()), tls=of_strangers) as server:
        connect(server.url.replace("http://127.0.0.1", "https://localhost"))
        names = [mcli.get_run("run-a").name, mcli.get_run("run-a", future=True).result(wire.PATIENCE).name]
        mcli.MAPIConnection.reset_connection()
    assert ["run-a", "run-a"] == names
