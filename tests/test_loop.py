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
from mcli._core import loop, process
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        process.resource("test", lambda: made.append("made") or Resource())  # type: ignore[func-returns-value]  # short

    threads = [threading.Thread(target=use) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    loop.submit(loop.close_resources()).result(wire.PATIENCE)
    assert ["made", "closed"] == made


def printed_by(server: wire.HttpServer, code: str) -> str:
    """Run a script whose calls go to a server, and return what it prints."""
    environment = os.environ | {"MOSAICML_API_ENDPOINT": server.url, "MOSAICML_API_KEY": wire.KEY}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=wire.PATIENCE * 2
    )
    assert "" == done.stderr
    return done.stdout


@pytest.fixture
def server() -> Iterator[wire.HttpServer]:
    """A server that knows one run, and takes every change."""

    def answer(call: wire.Call) -> object:
        changed = {"createRun": [wire.run()], "updateRunMetadata": [wire.run()]}
        return wire.page(wire.run()) if "getRunsPaginatedData" in call.variables else {"data": changed}

    with wire.HttpServer(answer) as server:
        yield server


def test_a_query_needs_no_event_loop(server: wire.HttpServer) -> None:
    """A script that only asks loads no asyncio, and starts no thread."""
    code = """
import sys, threading, mcli
mcli.get_run("run-a"), mcli.get_runs()
print("asyncio" in sys.modules, threading.active_count())
"""
    assert "False 1\n" == printed_by(server, code)


def test_nothing_is_imported_on_the_thread_of_the_loop(server: wire.HttpServer) -> None:
    """Who forks while the loop works leaves the child no half-imported module, and no lock on one."""
    code = """
import sys, threading
names = set()
sys.addaudithook(lambda event, given: event == "import" and names.add((threading.current_thread().name, given[0])))
import mcli
mcli.update_run_metadata("run-a", {"a": 1}, future=True).result()
mcli.create_run(mcli.RunConfig(name="r", image="i"), future=True).result()
print(sorted(name for thread, name in names if thread != "MainThread"))
"""
    assert "[]\n" == printed_by(server, code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("pause", [0.0, 0.01, 0.03, 0.1])
def test_a_child_that_is_forked_early_can_call(server: wire.HttpServer, pause: float) -> None:
    """A logger sends something, and a moment later a data loader forks: its children make calls as well."""
    code = f"""
import os, sys, time, mcli
kept = mcli.update_run_metadata("run-a", {{"a": 1}}, future=True)
time.sleep({pause})
child = os.fork()
made = mcli.create_run(mcli.RunConfig(name="r", image="i"), future=True).result(20)
os.write(1, f"{{made.name}} {{mcli.get_run('run-a').name}}\\n".encode())  # whole: two processes write
if child:
    print(os.waitpid(child, 0)[1], kept.result(20).name)
"""
    assert ["0 run-a", "run-a run-a", "run-a run-a"] == sorted(printed_by(server, code).splitlines())
