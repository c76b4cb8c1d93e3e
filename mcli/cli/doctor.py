"""`mcli doctor`: what is there, what is not, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mcli.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["doctor"]

_GREEN, _YELLOW, _RED = 32, 33, 31
_SECONDS = 5.0
"""How long the endpoint is waited for."""
_CLOCK_SECONDS = 60
"""By how much clocks may differ: tokens and logs are compared by time."""
_DISK_BYTES = 1 << 30
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


class Finding(NamedTuple):
    """What was found of one thing."""

    what: str
    is_fine: bool | None
    """None where it is neither: something that need not be there."""
    told: str


@click.command()
def doctor() -> None:
    """Check the installation, the endpoint, the key, proxies and certificates, and what the platform can use.

    The exit status is 1 where something is wrong.
    """
    wrong = 0
    for check in (_installation, _settings, _endpoint, _proxies, _certificates, _platform, _tools, _disk):
        for finding in check():
            mark, code = {True: ("ok", _GREEN), False: ("!!", _RED), None: ("--", _YELLOW)}[finding.is_fine]
            click.echo(f"{console.paint(mark, code)}  {finding.what:<13} {finding.told}")
            wrong += finding.is_fine is False
    raise click.exceptions.Exit(1 if wrong else 0)


def _installation() -> Iterator[Finding]:
    import mcli
    from mcli._neighbours import MEND, other_client

    where = Path(mcli.__file__).parent
    yield Finding(
        "installation", True, f"mcli {mcli.__version__} in {where}, Python {sys.version.split()[0]}"
    )
    if other := other_client():
        yield Finding("two clients", False, f"{other} has files of the same names. To mend it: {MEND}.")


def _settings() -> Iterator[Finding]:
    from mcli import config

    mode = config.mode()
    yield _told("configuration", lambda: f"{config.config_path()}, mode {mode.name}")
    if mode is not config.MCLIMode.LOCAL or config.endpoint_is_given():
        yield _told("API key", lambda: "set" if config.authorization() else "not set")


def _endpoint() -> Iterator[Finding]:
    from mcli import config

    if config.mode() is config.MCLIMode.LOCAL and not config.endpoint_is_given():
        return
    import httpx

    endpoint = config.endpoint()
    try:
        began = time.monotonic()
        answer = httpx.post(endpoint, json={"query": "{ __typename }"}, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        yield Finding("endpoint", False, f"{endpoint} cannot be asked: {error}")
        return
    yield Finding("endpoint", True, f"{endpoint} answers in {1000 * (time.monotonic() - began):.0f} ms")
    if date := answer.headers.get("date"):
        apart = abs(parsedate_to_datetime(date).timestamp() - time.time())
        said = f"{apart:.0f} s from the endpoint's"
        yield Finding(
            "clock", apart <= _CLOCK_SECONDS, said if apart <= _CLOCK_SECONDS else f"{said}: set it"
        )


def _proxies() -> Iterator[Finding]:
    for name in _PROXIES:
        if value := os.environ.get(name) or os.environ.get(name.lower()):
            host = value.rpartition("@")[2]  # no password
            yield Finding("proxy", None, f"{name} is {host}")


def _certificates() -> Iterator[Finding]:
    if file := os.environ.get("SSL_CERT_FILE"):
        import ssl

        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            yield Finding("certificates", False, f"SSL_CERT_FILE={file} cannot be used: {error}")
        else:
            yield Finding("certificates", True, f"SSL_CERT_FILE={file}")


def _platform() -> Iterator[Finding]:
    try:
        from mcli.platform.presence import default_data_dir, find
    except ImportError as error:
        yield Finding("platform", None, f"not installed ({error.name} is missing); it is the extra `local`")
        return
    folder = default_data_dir()
    found = find(folder)
    told = f"runs at {found['endpoint']}" if found else f"does not run; its data are in {folder}"
    yield Finding("platform", True if found else None, told)


def _tools() -> Iterator[Finding]:
    for what, names in (
        ("bash", ("bash",)),
        ("GPUs", ("nvidia-smi",)),
        ("containers", ("podman", "docker", "apptainer")),
        ("Slurm", ("sbatch",)),
    ):
        found = [name for name in names if shutil.which(name)]
        needed = what == "bash"
        yield Finding(what, True if found else False if needed else None, ", ".join(found) or "not found")


def _disk() -> Iterator[Finding]:
    from mcli import config

    folder = config.config_path().absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield Finding("disk", free > _DISK_BYTES, f"{free / 1e9:.1f} GB free at {folder}")


def _told(what: str, tell: Callable[[], str]) -> Finding:
    """Return what a function tells, or the error that it raises."""
    from mcli.exceptions import MCLIException

    try:
        return Finding(what, True, tell())
    except (MCLIException, ValueError) as error:
        return Finding(what, False, str(error))
