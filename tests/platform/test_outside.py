"""The platform for other machines: a second address, encrypted unless that is declined."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from mcli.platform import Platform
from mcli.platform.presence import find
from mcli.platform.serving.outside import Outside
from mcli.platform.serving.tls import own_pair
from tests.platform.caller import NEW

ADDRESS = "127.0.0.2"
"""An address that is this machine's everywhere on Linux, and not one of those that are called loopback here."""
ME = {"query": "{ getUsers(getUsersData: {}) { email } }"}


def served(platform: Platform) -> dict[str, Any]:
    found = find(platform.data_dir)
    assert found
    return found


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with a certificate that it has made."""
    with Platform(tmp_path_factory.mktemp("data"), outside=Outside(bind=ADDRESS)) as platform:
        yield platform


def test_encrypted_by_default(encrypted: Platform) -> None:
    """Other machines connect over TLS, with the bundle of certificates that is announced."""
    found = served(encrypted)
    context = ssl.create_default_context(cafile=found["ca_file"])
    headers = {"Authorization": encrypted.api_key}
    assert found["public_endpoint"].startswith(f"https://{ADDRESS}:")
    with httpx.Client(verify=context, headers=headers) as client:
        assert "data" in client.post(found["public_endpoint"], json=ME).json()


def test_websocket_over_tls(encrypted: Platform) -> None:
    """Subscriptions are encrypted like requests."""
    found = served(encrypted)
    context = ssl.create_default_context(cafile=found["ca_file"])
    address = found["public_endpoint"].replace("https", "wss", 1)
    with connect(address, subprotocols=[NEW], ssl=context, proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": encrypted.api_key}}))
        assert {"type": "connection_ack"} == json.loads(socket.recv(timeout=20))


def test_certificate_is_not_trusted_without_the_bundle(encrypted: Platform) -> None:
    """Nobody trusts the pair by chance."""
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        httpx.post(served(encrypted)["public_endpoint"], json=ME)


def test_plain_http_is_not_spoken_outside(encrypted: Platform) -> None:
    """Whoever speaks plain HTTP to the address outside gets no answer, and loopback stays plain."""
    with pytest.raises(httpx.TransportError):
        httpx.post(served(encrypted)["public_endpoint"].replace("https", "http", 1), json=ME)
    assert 401 == httpx.post(encrypted.endpoint, json=ME).status_code


def test_key_of_the_certificate_is_private(encrypted: Platform) -> None:
    """Nobody else can read the key of the certificate."""
    assert 0o600 == (encrypted.data_dir / "tls" / "key.pem").stat().st_mode & 0o777


def test_only_meant_hosts(encrypted: Platform) -> None:
    """A request must be for a host that the platform is known by, also from outside."""
    found = served(encrypted)
    context = ssl.create_default_context(cafile=found["ca_file"])
    headers = {"Authorization": encrypted.api_key, "Host": "evil.example"}
    with httpx.Client(verify=context, headers=headers) as client:
        answer = client.post(found["public_endpoint"], json=ME)
    assert 403 == answer.status_code
    assert ADDRESS in answer.json()["errors"][0]["message"]


def test_plain_http_by_choice(tmp_path: Path) -> None:
    """Plain HTTP is spoken outside if that was chosen, by the given name too, and again there after a restart."""
    outside = Outside(bind=ADDRESS, endpoint="http://login-1:80", plain_http=True)
    ports = set()
    for _ in range(2):
        with Platform(tmp_path, outside=outside) as platform:
            assert "http://login-1:80/graphql" == served(platform)["public_endpoint"]
            port = int((tmp_path / "outside_port").read_text())
            headers = {"Authorization": platform.api_key, "Host": "login-1"}
            assert "data" in httpx.post(f"http://{ADDRESS}:{port}/graphql", json=ME, headers=headers).json()
            ports.add(port)
    assert 1 == len(ports)


def test_given_certificate(tmp_path: Path) -> None:
    """A certificate that is given is used, and what is no certificate is told with its file."""
    (tmp_path / "mine").mkdir()
    certificate, key = map(str, own_pair(tmp_path / "mine", ["login-1"]))
    with Platform(
        tmp_path / "a", outside=Outside(bind=ADDRESS, certificate=certificate, key=key)
    ) as platform:
        context = ssl.create_default_context(cafile=served(platform)["ca_file"])
        assert Path(certificate).read_bytes() in Path(served(platform)["ca_file"]).read_bytes()
        assert context.cert_store_stats()["x509"] > 0
    bad = str(tmp_path / "a" / "api_key")
    with pytest.raises(OSError, match=r"certificate .*api_key"):
        Platform(tmp_path / "a", outside=Outside(bind=ADDRESS, certificate=bad, key=bad)).start()


def test_pair_is_made_once(tmp_path: Path) -> None:
    """A pair is kept while it holds the hosts, and made anew for others."""
    first, again, other = (
        own_pair(tmp_path, hosts)[0].read_bytes() for hosts in (["a", "10.0.0.1"], ["10.0.0.1"], ["b"])
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"certificate": "x"}, "tls_key"),
        ({"key": "x"}, "tls_cert"),
        ({"certificate": "x", "key": "y", "plain_http": True}, "plain_http"),
        ({"endpoint": "login-1:8443"}, "must be a URL"),
        ({"endpoint": "ftp://login-1"}, "must be a URL"),
        ({"bind": ADDRESS, "endpoint": "http://login-1"}, "unencrypted"),
    ],
)
def test_parts_that_contradict(parts: dict[str, Any], told: str) -> None:
    """What contradicts itself is refused with the names of the settings."""
    with pytest.raises(ValueError, match=told):
        Outside(**parts)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_every_address(bind: str) -> None:
    """Who listens on every address is known by the machine's name."""
    outside = Outside(bind=bind)
    assert outside.hosts
    assert bind not in outside.hosts
    assert any(host in outside.url(1) for host in outside.hosts)
