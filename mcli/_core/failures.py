"""Classify a failed request: which exception to raise, and whether the server may have executed it. No I/O."""

from __future__ import annotations

import email.utils
import json
import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcli._core.library import httpx
from mcli._core.network import TIMEOUT, trusted
from mcli._core.retry import TRANSIENT, Failure, Kind
from mcli.exceptions import MAPIException

if TYPE_CHECKING:
    from mcli._core.proxies import Proxy

__all__ = ["UNANSWERED", "refusal", "root_cause", "unanswered", "unverified"]

UNANSWERED = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError)
"""What is raised in place of an answer."""
_NEVER_SENT = (httpx.LocalProtocolError, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)
_UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def refusal(error: MAPIException, response: httpx.Response | None, *, changes: bool) -> Failure:
    """Classify an error answer, or one that cannot be parsed."""
    if response is not None and error.status in TRANSIENT:
        return Failure(Kind.REFUSED, int(error.status), _retry_after(response.headers.get("retry-after", "")))
    if response is not None and changes and _is_broken(response):
        return Failure(Kind.LOST, int(error.status))
    return Failure(Kind.FINAL, int(error.status))


def _is_broken(response: httpx.Response) -> bool:
    """Tell whether an answer may be what is left of the platform's; a page of HTML comes from something else."""
    if response.is_client_error or response.is_redirect:
        return False
    if response.is_success and response.content.lstrip().startswith(b"<"):
        return False
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(answer, dict) and answer.keys() & {"data", "errors"})


def _retry_after(text: str) -> float | None:
    """Read seconds, or a date."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def unanswered(error: Exception, url: str, proxy: Proxy | None) -> tuple[MAPIException, Failure]:
    """Say why no answer came, and whether the request may have been executed."""
    what = root_cause(error)
    if isinstance(error, _NEVER_SENT):
        return MAPIException(400, f"The request to {url} cannot be sent: {what}."), Failure(Kind.FINAL)
    if isinstance(error, _UNREACHED):
        if (untrusted := unverified(error, url)) is not None:
            return untrusted, Failure(Kind.FINAL)
        hint = f"{'Is' if proxy is None else 'Does the proxy run? Is'} the endpoint right, and does it run?"
        by = "" if proxy is None else f" by {proxy}"
        return MAPIException(503, f"Cannot connect to {url}{by}: {what}.", hint), Failure(Kind.UNREACHED)
    if isinstance(error, httpx.TimeoutException):
        return MAPIException(504, f"{url} sent nothing for {TIMEOUT.read:g} s."), Failure(Kind.LOST)
    return MAPIException(503, f"The connection to {url} was lost: {what}."), Failure(Kind.LOST)


def unverified(error: BaseException, url: str) -> MAPIException | None:
    """Say that the certificate of an endpoint, or of the proxy before it, is not trusted, if that is what is wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return MAPIException(
                503, f"The certificate of {url} is not trusted: {cause.verify_message}.", trusted()
            )
        cause = cause.__cause__ or cause.__context__
    return None


def root_cause(error: BaseException) -> str:
    """Return the words of the operating system, which the layers above it replace by vaguer ones."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        return root_cause(cause)
    if isinstance(error, BaseExceptionGroup):
        return root_cause(error.exceptions[0])
    if isinstance(error, UnicodeError):
        return "a name or header holds characters that cannot be sent"  # its own text may hold the key
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # asyncio puts the address in its place
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error) or type(error).__name__).removesuffix(".")
