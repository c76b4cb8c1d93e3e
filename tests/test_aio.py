"""The calls for asyncio programs."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import mcli
import mcli.aio
from mcli import MAPIException
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect


def test_every_call_is_there() -> None:
    """`mcli.aio` has the calls of `mcli`, all of them, and nothing else."""
    calls = {name for name in mcli.__all__ if hasattr(getattr(mcli, name), "aio")}
    assert calls == set(mcli.aio.__all__)


@pytest.mark.parametrize("name", mcli.aio.__all__)
def test_calls_have_the_signatures_of_the_blocking_ones(name: str) -> None:
    """A call takes the same arguments in both modules."""
    ours, theirs = (list(inspect.signature(getattr(module, name)).parameters) for module in (mcli.aio, mcli))
    assert theirs == ours


def test_a_call_is_awaited(connect: Connect) -> None:
    """A call gives on asyncio's loop what the blocking one gives."""
    connect(answer=wire.Script(wire.page(wire.run("run-a"))))
    assert mcli.get_run("run-a") == asyncio.run(mcli.aio.get_run("run-a"))


def test_calls_run_at_once(connect: Connect) -> None:
    """Calls that are gathered are all under way before the first is answered."""
    all_asked = asyncio.Barrier(3)

    async def answer(_: wire.Call) -> Any:
        await all_asked.wait()
        return wire.page(wire.run())

    async def ask() -> list[mcli.Run]:
        return await asyncio.gather(*(mcli.aio.get_run("run-a") for _ in range(3)))

    connect(answer=answer)
    assert 3 == len(asyncio.run(ask()))


def test_errors_come_out_of_the_await(connect: Connect) -> None:
    """An error of the platform is raised where the call is awaited."""
    connect(answer=wire.Script(wire.error(404, "gone")))
    with pytest.raises(MAPIException, match="Error 404: gone"):
        asyncio.run(mcli.aio.delete_secrets(["a"]))


def test_a_call_that_is_not_there_is_an_attribute_error() -> None:
    """What has no form for asyncio is not in the module."""
    with pytest.raises(AttributeError, match=r"module 'mcli.aio' has no attribute 'RunConfig'"):
        mcli.aio.RunConfig  # type: ignore[attr-defined]  # noqa: B018  # the access is what is tested


def test_the_module_needs_no_import_of_its_own() -> None:
    """`mcli.aio` is there after `import mcli`, and importing it imports no call."""
    program = "import mcli, sys; mcli.aio; print('mcli.runs' in sys.modules, mcli.aio.get_run.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "False get_run\n" == done.stdout
