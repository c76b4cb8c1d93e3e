"""How the platform is reached from other machines, if it is meant to be."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcli.platform.serving.access import LOOPBACK
from mcli.platform.serving.server import PATH
from mcli.platform.serving.tls import own_pair, write_bundle

__all__ = ["Outside", "bundle"]

_EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Outside:
    """An address of this machine to listen on, besides loopback, and the name that others know it by.

    Raises:
        ValueError: The parts contradict each other.
    """

    bind: str = ""
    """Address to listen on; empty for loopback alone."""
    endpoint: str = ""
    """URL of the platform as others know it; empty for that of the address."""
    certificate: str = ""
    key: str = ""
    """Files in PEM; without them a pair is made that is signed by itself."""
    plain_http: bool = False
    """Whether keys and logs may travel without encryption."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError(
                "A certificate needs its key, and a key its certificate: give tls_cert and tls_key."
            )
        if self.plain_http and self.certificate:
            raise ValueError(
                "Plain HTTP has no certificate: give either plain_http, or tls_cert and tls_key."
            )
        if self.endpoint and not (self._url.scheme in {"http", "https"} and self._url.hostname):
            raise ValueError(f"endpoint must be a URL like https://host:8443{PATH}, not {self.endpoint!r}.")
        if self._url.scheme == "http" and self.is_open and not self.plain_http:
            raise ValueError(
                "endpoint is plain HTTP: keys would travel unencrypted. Give plain_http to allow that."
            )

    @property
    def is_open(self) -> bool:
        """Whether there is an address besides loopback."""
        return bool(self.bind) and self.bind not in LOOPBACK

    @property
    def hosts(self) -> set[str]:
        """Names that requests may be sent to, and that the certificate holds."""
        named = {self.bind} - {"", *_EVERY_ADDRESS} | {self._url.hostname or ""} - {""}
        return named or ({socket.gethostname(), socket.getfqdn()} if self.is_open else set())

    @property
    def _url(self) -> Any:
        return urlsplit(self.endpoint)

    def url(self, port: int) -> str:
        """Return the endpoint as others know it, for the port that is listened on."""
        if self.endpoint:
            return self.endpoint if self._url.path.strip("/") else self.endpoint.rstrip("/") + PATH
        host = socket.getfqdn() if self.bind in _EVERY_ADDRESS else self.bind
        name = f"[{host}]" if ":" in host else host
        return f"{'http' if self.plain_http else 'https'}://{name}:{port}{PATH}"

    def encryption(self, data_dir: Path) -> dict[str, str]:
        """Return uvicorn's options for TLS; makes the pair and the bundle of certificates. Empty for plain HTTP."""
        if self.plain_http:
            return {}
        certificate, key = Path(self.certificate), Path(self.key)
        folder = data_dir / "tls"
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self.certificate:
            certificate, key = own_pair(folder, self.hosts)
        write_bundle(bundle(data_dir), certificate)
        return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}


def bundle(data_dir: Path) -> Path:
    """Return the file of certificates that those who connect must trust."""
    return data_dir / "tls" / "bundle.pem"
