"""The event loop on its thread: through forks, and without threads of others."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli._core import loop
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect, ServeHttp


def test_there_is_one_thread(connect: Connect) -> None:
    """However many calls there are, they run on one thread."""
    connect(answer=wire.Script(wire.page(wire.run())))
    for future in [mcli.get_run("run-a", future=True) for _ in range(20)]:
        future.result(wire.PATIENCE)
    assert 1 == len([each for each in threading.enumerate() if each.name == "mcli"])


def test_nothing_runs_before_the_first_call() -> None:
    """Importing everything starts no thread."""
    code = "import mcli, threading; [getattr(mcli, n) for n in mcli.__all__]; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1\n" == done.stdout


def test_names_are_resolved(connect: Connect) -> None:
    """A host that is a name, not an address, is looked up beside the loop."""
    connect("http://no-such-host.invalid/graphql")
    with pytest.raises(
        mcli.MAPIException, match=r"Error 503: Cannot connect to http://no-such-host\.invalid"
    ):
        mcli.get_run("run-a")


def test_localhost_is_resolved() -> None:
    """The loop's own look-up gives what the system gives."""
    expected = socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)

    async def look_up() -> object:
        return await asyncio.get_running_loop().getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)

    assert expected == loop.submit(look_up()).result(wire.PATIENCE)


@pytest.fixture
def forked(serve_http: ServeHttp) -> wire.HttpServer:
    """Give a server that this process is connected to already."""
    server = serve_http(lambda call: wire.page(wire.run()))
    mcli.get_run("run-a")
    return server


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_its_own_loop(forked: wire.HttpServer) -> None:
    """A child makes calls over connections of its own, and the parent's go on."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, mcli.get_run("run-a", timeout=wire.PATIENCE).name.encode())
        except BaseException as error:  # noqa: BLE001  # whatever it is, the parent shows it
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        assert "run-a" == answer.read()
    assert (child, 0) == os.waitpid(child, 0)
    assert "run-a" == mcli.get_run("run-a").name
    assert 2 == forked.connections


def test_what_belongs_to_the_loop_is_made_once() -> None:
    """A resource is made at its first use, also when many threads want it at once."""
    made = []
    barrier = threading.Barrier(8)

    class Resource:
        async def aclose(self) -> None:
            made.append("closed")

    def use() -> None:
        barrier.wait()
        loop.resource("test", lambda: made.append("made") or Resource())  # type: ignore[func-returns-value]  # short

    threads = [threading.Thread(target=use) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    loop.submit(loop._close_resources()).result(wire.PATIENCE)
    assert ["made", "closed"] == made
