"""What becomes of calls when the process ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATED = {"data": {"createRun": [wire.run()], "updateRunMetadata": [wire.run()]}}
BEGIN = "import atexit, os, signal, sys, time\nimport mcli\n"
CREATE = "mcli.create_run(mcli.RunConfig(name='r', image='bash'), future=True)"

UPDATE = """
mcli.update_run_metadata('run-a', {'a': 1}, future=True, protect=True)
os.write(1, b'sent\\n')
time.sleep(60)
"""


class Release:
    """Answers calls once the test says so."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def __call__(self, answer: Any) -> Any:
        await self._event.wait()
        return answer

    async def now(self) -> None:
        self._event.set()


@pytest.fixture
def release() -> Release:
    return Release()


@pytest.fixture
def server(release: Release) -> Iterator[wire.HttpServer]:
    """Give a server that holds changes back until it is told to answer."""
    with wire.HttpServer(
        lambda call: (
            release(CREATED)
            if call.operation in {"CreateRun", "UpdateRunMetadata"}
            else wire.page(wire.run())
        )
    ) as server:
        yield server


def start(server: wire.HttpServer, code: str) -> subprocess.Popen[str]:
    environment = os.environ | {"MOSAICML_API_ENDPOINT": server.url, "MOSAICML_API_KEY": wire.KEY}
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=wire.PATIENCE * 2)
    return process.returncode, output, errors


def test_a_mutation_in_flight_is_finished(server: wire.HttpServer, release: Release) -> None:
    """`create_run(config, future=True)` may be the last line of a script."""
    process = start(server, CREATE)
    server.wait_until(lambda: len(server.calls) == 1)
    server.call(release.now())
    assert (0, "", "") == ended(process)
    assert 0 == server.abandoned


def test_what_is_given_up_is_said(server: wire.HttpServer) -> None:
    """A change without an answer is given up after a while, and stderr says so."""
    process = start(server, f"from mcli._core import shutdown\nshutdown.PATIENCE = 0.2\n{CREATE}")
    code, _, errors = ended(process)
    assert 0 == code
    assert (
        "mcli: create_run had no answer when the process ended: whether it was carried out is unknown."
        in errors
    )
    assert "Traceback" not in errors


def test_a_query_in_flight_is_dropped(server: wire.HttpServer) -> None:
    """Nobody waits for a query when the script has ended: it is cancelled, without a word."""
    server._answer = lambda call: wire.for_ever()
    process = start(server, "f = mcli.get_run('run-a', future=True)\nsys.stdin.close()")
    assert (0, "", "") == ended(process)


def test_calls_work_in_atexit_handlers(server: wire.HttpServer) -> None:
    """A handler that was registered after the first call makes calls as usual."""
    process = start(server, "mcli.get_run('a')\natexit.register(lambda: print(mcli.get_run('run-a').name))")
    assert (0, "run-a\n", "") == ended(process)


def test_calls_work_in_older_atexit_handlers(server: wire.HttpServer) -> None:
    """A handler that was registered before the first call runs last, and makes calls as well."""
    process = start(server, "atexit.register(lambda: print(mcli.get_run('run-a').name))\nmcli.get_run('a')")
    assert (0, "run-a\n", "") == ended(process)


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 starts no thread there")
def test_the_first_call_may_be_in_an_atexit_handler(server: wire.HttpServer) -> None:
    """A handler may make the first call of the process."""
    process = start(server, "atexit.register(lambda: print(mcli.get_run('run-a').name))")
    assert (0, "run-a\n", "") == ended(process)


def test_sigterm_waits_for_protected_updates(server: wire.HttpServer, release: Release) -> None:
    """A protected update is finished before the process dies of SIGTERM, as it would have without us."""
    process = start(server, UPDATE)
    server.wait_until(lambda: len(server.calls) == 1)
    assert process.stdout is not None
    assert "sent\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    server.call(release.now())
    assert -signal.SIGTERM == ended(process)[0]
    assert 0 == server.abandoned


def test_the_previous_sigterm_handler_runs(server: wire.HttpServer, release: Release) -> None:
    """The handler that was there before runs after the protected update, once."""
    code = "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'mine\\n'), sys.exit(3)))"
    process = start(server, code + UPDATE)
    server.wait_until(lambda: len(server.calls) == 1)
    assert process.stdout is not None
    assert "sent\n" == process.stdout.readline()
    server.call(release.now())
    process.send_signal(signal.SIGTERM)
    assert (3, "mine\n", "") == ended(process)


def test_ctrl_c_says_that_the_outcome_is_unknown(server: wire.HttpServer) -> None:
    """Ctrl-C in a blocking change ends the process soon, and stderr says what is unknown."""
    process = start(server, CREATE.replace("future=True", "timeout=60"))
    server.wait_until(lambda: len(server.calls) == 1)
    process.send_signal(signal.SIGINT)
    code, _, errors = ended(process)
    assert -signal.SIGINT == code
    assert "mcli: create_run was interrupted: whether it was carried out is unknown." in errors
    assert "KeyboardInterrupt" in errors


@pytest.mark.parametrize(
    "call",
    ["mcli.get_run('run-a', timeout=None)", CREATE.replace("future=True", "timeout=None"), CREATE],
    ids=["query", "change", "future"],
)
@pytest.mark.parametrize("warm", ["mcli.get_run('a')", "mcli.get_run('a', future=True).result()", "pass"])
def test_a_call_while_the_interpreter_ends_fails_at_once(
    server: wire.HttpServer, call: str, warm: str
) -> None:
    """What is called by the end of a global object, when the threads are gone, is told and not waited for."""
    code = f"""
mcli.get_run, mcli.create_run, mcli.RunConfig  # the end of the interpreter imports nothing
{warm}
class Late:
    def __del__(self, call=lambda: {call}, write=os.write, error=mcli.MAPIException):
        try:
            call()
        except error as e:
            write(1, str(e).encode())
kept = Late()
"""
    status, output, errors = ended(start(server, code))
    assert (0, "") == (status, errors)
    assert "the interpreter is ending" in output


@pytest.mark.parametrize(
    "wait",
    [
        "mcli.wait_for_run_status('run-a', 'completed')",
        "mcli.wait_for_run_status('run-a', 'completed', future=True).result()",
        "list(mcli.watch_run_status('run-a'))",
        "list(mcli.follow_run_logs('run-a'))",
        "mcli.get_run('run-a', timeout=None)",
    ],
)
def test_a_daemon_thread_that_waits_ends_silently(server: wire.HttpServer, wait: str) -> None:
    """The end of the process ends a wait that nobody needs any more, without a word."""
    server._answer = lambda call: wire.for_ever()
    code = f"""
import threading
threading.Thread(target=lambda: {wait}, daemon=True).start()
os.read(0, 1)
"""
    process = start(server, code)
    server.wait_until(lambda: len(server.calls) == 1)
    assert (0, "", "") == ended(process)


def test_sigterm_waits_no_longer_than_the_call(server: wire.HttpServer) -> None:
    """A protected update gets the rest of its own timeout, and then the old handler runs."""
    code = """
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'mine'), os._exit(3)))
try:
    mcli.update_run_metadata('run-a', {'a': 1}, protect=True, timeout=1.5)
except TimeoutError:
    os.write(1, b'late')
"""
    process = start(server, code)
    server.wait_until(lambda: len(server.calls) == 1)
    process.send_signal(signal.SIGTERM)
    status, output, errors = ended(process)
    assert (3, "mine") == (status, output)
    assert "update_run_metadata had no answer" in errors


def test_sigterm_waits_for_an_answer_that_takes_long(server: wire.HttpServer, release: Release) -> None:
    """With a bound of 25 s, an answer counts that comes after the 5 s which other changes get."""
    process = start(server, "from mcli._core import shutdown\nshutdown.PATIENCE = 0.01" + UPDATE)
    server.wait_until(lambda: len(server.calls) == 1)
    assert process.stdout is not None
    assert "sent\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    server.call(release.now())
    assert (-signal.SIGTERM, "") == (process.wait(wire.PATIENCE), ended(process)[2])


def test_a_second_sigterm_ends_the_wait(server: wire.HttpServer) -> None:
    """Who sends SIGTERM again does not want to wait for the protected update."""
    process = start(server, UPDATE)
    server.wait_until(lambda: len(server.calls) == 1)
    assert process.stdout is not None
    assert "sent\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    status, _, errors = ended(process)
    assert -signal.SIGTERM == status
    assert "update_run_metadata had no answer" in errors


def test_ctrl_c_in_a_wait_says_that_the_run_goes_on(server: wire.HttpServer) -> None:
    """Interrupting a wait ends the wait, not the run."""
    server._answer = lambda call: wire.for_ever()
    process = start(server, "mcli.wait_for_run_status('run-a', 'completed')")
    server.wait_until(lambda: len(server.calls) == 1)
    process.send_signal(signal.SIGINT)
    status, _, errors = ended(process)
    assert (-signal.SIGINT, True) == (status, "the run goes on" in errors)
