"""Certificates for those who reach the platform over a network: given ones, or a pair that is made once.

A pair of ours is signed by itself: whoever connects trusts it by a bundle that holds the system's roots and it.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["own_pair", "write_bundle"]

_LIFETIME = timedelta(days=3650)
_LEFT = timedelta(days=30)
"""A pair that is valid for less is made anew."""


def own_pair(folder: Path, hosts: Collection[str]) -> tuple[Path, Path]:
    """Return the files of a certificate for these hosts and of its key; they are made if they are not there yet."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if not (key.exists() and _is_good(certificate, hosts)):
        folder.mkdir(mode=0o700, exist_ok=True)
        _make(certificate, key, hosts)
    return certificate, key


def write_bundle(bundle: Path, certificate: Path) -> None:
    """Write a file with the system's roots and a certificate: for `SSL_CERT_FILE` of those who connect."""
    roots = ssl.get_default_verify_paths().cafile
    _write(bundle, (Path(roots).read_bytes() if roots else b"") + b"\n" + certificate.read_bytes())


def _is_good(certificate: Path, hosts: Collection[str]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    known = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    return known >= set(hosts) and found.not_valid_after_utc - datetime.now(UTC) > _LEFT


def _make(certificate: Path, key: Path, hosts: Collection[str]) -> None:
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mcli platform")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in sorted(hosts)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, encoded)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
