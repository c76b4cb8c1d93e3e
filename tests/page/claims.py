"""How a claim is written and checked, and what claims have in common: runs, and platforms that answer as one says."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

import mcli
from tests import wire
from tests.fake import SCHEMA
from tests.fake.leaves import Leaf, example, pairs
from tests.fake.requests import read_body, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Fake", "arguments", "claims", "config", "done", "error", "fake", "kind", "quietly", "run", "sent"]

Claim = tuple[str, object, "Callable[[], object]"]


def claims(*rows: Claim) -> pytest.MarkDecorator:
    """Make a test of each claim: its words, what is expected, and what is seen."""
    cases = [pytest.param(expected, seen, id=words) for words, expected, seen in rows]
    return pytest.mark.parametrize(("expected", "seen"), cases)


# Runs


def config(command: str = "true", **fields: Any) -> mcli.RunConfig:
    """Return a configuration that the platform of the page takes."""
    return mcli.RunConfig(
        **{"name": "page", "image": "bash", "command": command, "compute": {"gpus": 0}, **fields}
    )


def run(command: str = "true", **fields: Any) -> mcli.Run:
    """Submit a run."""
    return mcli.create_run(config(command, **fields), timeout=60)


@functools.cache
def done(command: str = "true", gpus: int = 0) -> mcli.Run:
    """Return a run that has ended; for the same command the same."""
    return mcli.wait_for_run_status(run(command, compute={"gpus": gpus}), "completed", timeout=120)


# Errors


def error(call: Callable[[], object]) -> Any:
    """Return what a call raises, None if it raises nothing."""
    try:
        with warnings.catch_warnings(action="ignore"):
            call()
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is looked at
        return raised
    return None


def kind(call: Callable[[], object]) -> type | None:
    """Return the type of what a call raises."""
    raised = error(call)
    return None if raised is None else type(raised)


def quietly(call: Callable[[], Any]) -> Any:
    """Return what a call gives, whatever it warns of."""
    with warnings.catch_warnings(action="ignore"):
        return call()


# Platforms that answer as one says


class Fake(NamedTuple):
    """What was sent to a platform that answers with anything that the schema allows."""

    requests: list[dict[str, Any]]
    """The variables of each request."""

    @property
    def last(self) -> dict[str, Any]:
        """The one input of the last request."""
        return self.requests[-1]


@contextmanager
def fake(answer: Any = None, delay: float | None = 0) -> Iterator[Fake]:
    """Send the calls of a block to a platform that refuses what the schema does not allow.

    Args:
        answer: What it answers; without one, whatever the schema allows.
        delay: Seconds until it answers; None: it never does.
    """
    seen = Fake([])

    async def handle(request: httpx.Request) -> httpx.Response:
        asked = read_request(SCHEMA, read_body(request.content))
        seen.requests.append(dict(asked.variables))
        if delay is None:
            await asyncio.Event().wait()
        await asyncio.sleep(delay or 0)
        return wire.response(answer or {"data": example(SCHEMA, asked, _usual)})

    with mcli.MAPIConnection(wire.ENDPOINT, wire.KEY, http=httpx.MockTransport(handle)):
        yield seen


def _usual(leaf: Leaf) -> Any:
    return {"cursor": None, "hasNextPage": False}.get(leaf.path[-1], pairs(SCHEMA, leaf)[0][0])


def sent(call: Callable[[], object]) -> dict[str, Any]:
    """Return the variables of the last request that a call sends."""
    with fake() as seen:
        quietly(call)
    return seen.last


# Help


def arguments(function: object) -> set[str]:
    """Return the parameters that a docstring explains."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^    (\w+): \S", section[1], re.MULTILINE)) if section else set()
