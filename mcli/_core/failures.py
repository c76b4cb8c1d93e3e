"""What became of a request that did not succeed: what to tell, and whether it may have been carried out. Pure."""

from __future__ import annotations

import email.utils
import json
import os
from datetime import UTC, datetime

import httpx

from mcli._core.endpoint import TIMEOUT
from mcli._core.retry import TRANSIENT, Failure, Kind
from mcli.exceptions import MAPIException

__all__ = ["refusal", "unanswered"]


def refusal(error: MAPIException, response: httpx.Response | None, *, changes: bool) -> Failure:
    """Say what an answer means that is an error, or none that can be read."""
    if response is not None and error.status in TRANSIENT:
        return Failure(Kind.REFUSED, int(error.status), _retry_after(response.headers.get("retry-after", "")))
    if response is not None and changes and _is_broken(response):
        return Failure(Kind.LOST, int(error.status))
    return Failure(Kind.FINAL, int(error.status))


def _is_broken(response: httpx.Response) -> bool:
    """Tell whether an answer may be what is left of the platform's; a page of HTML is something else's."""
    if response.is_client_error or (response.is_success and response.content.lstrip().startswith(b"<")):
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


def unanswered(error: Exception, url: str) -> tuple[MAPIException, Failure]:
    """Say why no answer came."""
    what = _root_cause(error)
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        return MAPIException(400, f"The request to {url} cannot be sent: {what}."), Failure(Kind.FINAL)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return (
            MAPIException(
                503, f"Cannot connect to {url}: {what}.", "Is the endpoint right, and does it run?"
            ),
            Failure(Kind.UNREACHED),
        )
    if isinstance(error, httpx.TimeoutException):
        return MAPIException(504, f"{url} sent nothing for {TIMEOUT.read:g} s."), Failure(Kind.LOST)
    return MAPIException(503, f"The connection to {url} was lost: {what}."), Failure(Kind.LOST)


def _root_cause(error: BaseException) -> str:
    """Return the words of the operating system, which the layers above it replace by vaguer ones."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        return _root_cause(cause)
    if isinstance(error, BaseExceptionGroup):
        return _root_cause(error.exceptions[0])
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # asyncio puts the address in its place
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error) or type(error).__name__).removesuffix(".")
