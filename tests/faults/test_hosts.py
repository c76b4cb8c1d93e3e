"""Scripts in their own process: how they end, what interrupts them, and what they are made of."""

from __future__ import annotations

import signal
import textwrap
from typing import TYPE_CHECKING

import pytest

import mcli
from tests.faults.faults import Ending, Lost
from tests.faults.scripts import Script, run, script

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.faults.stage import Stage

SOON = 3.9
"""Seconds in which a script must be gone that waits for nothing: below the other limits, enough on a busy machine."""
PATIENCE, PATIENCE_AFTER_INTERRUPT = 5.0, 1.0
"""Seconds that a change gets at the end of a script."""
HANGING = {
    "get_run": "mcli.get_run(book, timeout=None)",
    "get_runs": "mcli.get_runs(timeout=None)",
    "follow_run_logs": "list(mcli.follow_run_logs(part))",
    "watch_run_status": "list(mcli.watch_run_status(part))",
    "wait_for_run_status": "mcli.wait_for_run_status(part, 'completed')",
    "next_page": "mcli.get_runs(limit=1, timeout=None).next_page()",
}
"""Blocking calls that do not end."""
IN_BACKGROUND = {
    "get_run": "kept = mcli.get_run(book, future=True)",
    "follow_run_logs": "steps = mcli.follow_run_logs(part, future=True).result(); kept = [next(steps), next(steps)]",
    "watch_run_status": "steps = mcli.watch_run_status(part, future=True); kept = [next(steps), next(steps)]",
    "wait_for_run_status": "kept = mcli.wait_for_run_status(part, 'completed', future=True)",
    "asyncio": """
        import asyncio
        async def main():
            asyncio.get_running_loop().create_task(mcli.wait_for_run_status.aio(part, 'completed'))
            await asyncio.sleep(0)
        asyncio.run(main())""",
}


@pytest.fixture(scope="module")
def part(stage: Stage) -> Generator[str]:
    """Name of a run that goes on until the end of the tests."""
    made, gate = stage.gated(before="echo begun")
    yield made.name
    gate.touch()


def is_hanging(running: Script) -> None:
    """Wait until a request is in flight that gets no answer: of a query, or a subscription."""
    proxy = running.proxy
    assert proxy.wait_until(lambda: bool(proxy.messages("subscribe") or proxy.hurt_at))


@pytest.mark.parametrize(
    "call",
    [each if each == "get_run" else pytest.param(each, marks=pytest.mark.faults) for each in IN_BACKGROUND],
)
def test_nothing_holds_the_end_of_a_script(stage: Stage, part: str, call: str) -> None:
    """A script ends at once, and in silence, while queries or streams hang."""
    silent = Lost(f"GetRuns{'' if call == 'get_run' else ' never'}", Ending.SILENT)
    text = f"{textwrap.dedent(IN_BACKGROUND[call])}\nready()"
    with script(stage, text, silent, book=stage.book, part=part) as running:
        running.until_ready()
        ended = running.end()

    assert (0, "", True) == (ended.code, ended.err, ended.seconds < SOON)


@pytest.mark.parametrize(
    "call", [each if each == "get_run" else pytest.param(each, marks=pytest.mark.faults) for each in HANGING]
)
def test_interrupts_blocking_calls(stage: Stage, part: str, call: str) -> None:
    """Ctrl-C ends a blocking call with KeyboardInterrupt, and the script at once."""
    silent = Lost("GetRuns" if call.startswith(("get", "next")) else "never", Ending.SILENT)
    with script(stage, HANGING[call], silent, book=stage.book, part=part) as running:
        is_hanging(running)
        ended = running.interrupt()

    assert (-signal.SIGINT, True) == (ended.code, ended.seconds < SOON)
    assert ended.err.rstrip().endswith("KeyboardInterrupt")
    assert "mcli: " not in ended.err


def test_finishes_a_change_that_is_the_last_line(stage: Stage) -> None:
    """The run is created although nobody waits for it."""
    stem = stage.name("last")
    run(stage, "mcli.create_run(config(stem), future=True)", stem=stem)
    assert stage.count(stem) == 1


@pytest.mark.faults
def test_finishes_many_changes(stage: Stage) -> None:
    """All runs are created although nobody waits for them."""
    stem = stage.name("many")
    run(stage, "kept = [mcli.create_run(config(stem), future=True) for _ in range(20)]", stem=stem)
    assert stage.count(stem) == 20


@pytest.mark.faults
def test_says_at_the_end_what_is_unknown(stage: Stage) -> None:
    """A change without an answer is waited for, for five seconds, and then stderr says that its outcome is unknown."""
    text = "mcli.create_run(config('unknown'), future=True); ready()"
    with script(stage, text, Lost("CreateRun", Ending.SILENT, executed=True)) as running:
        running.until_ready()
        ended = running.end()

    assert 0 == ended.code
    assert ended.err.startswith("mcli: create_run had no answer when the process ended: whether")
    assert PATIENCE - 1 < ended.seconds < PATIENCE + SOON


@pytest.mark.faults
def test_says_at_the_end_what_failed(stage: Stage) -> None:
    """A change that fails while the script ends is told on stderr."""
    run_text = "mcli.stop_run('no-such-run', future=True)"
    with script(stage, run_text) as running:
        ended = running.end()
    assert ended.err.startswith("mcli: stop_run failed when the process ended: Error 404: ")


@pytest.mark.faults
def test_is_shorter_with_changes_after_an_interrupt(stage: Stage) -> None:
    """After Ctrl-C a change gets one second."""
    text = "mcli.create_run(config('unknown'), future=True); ready(); time.sleep(100)"
    with script(stage, text, Lost("CreateRun", Ending.SILENT, executed=True)) as running:
        running.until_ready()
        ended = running.interrupt()

    assert "mcli: create_run had no answer when the process ended" in ended.err
    assert ended.seconds < PATIENCE_AFTER_INTERRUPT + SOON


def test_says_what_an_interrupt_leaves_unknown(stage: Stage) -> None:
    """A blocking change that Ctrl-C interrupts gets one second, and then stderr says that its outcome is unknown."""
    text = "mcli.create_run(config('unknown'), timeout=None)"
    with script(stage, text, Lost("CreateRun", Ending.SILENT, executed=True)) as running:
        is_hanging(running)
        ended = running.interrupt()

    assert -signal.SIGINT == ended.code
    assert ended.err.startswith("mcli: create_run was interrupted: whether it was carried out is unknown")
    assert ended.seconds < PATIENCE_AFTER_INTERRUPT + SOON


@pytest.mark.faults
def test_works_in_atexit_handlers(stage: Stage) -> None:
    """Handlers can call, also for the first time, and what they change in their last line is done."""
    text = """
        def handler():
            print(mcli.get_run(book).name == book, flush=True)
            print(len(list(mcli.follow_run_logs(book))) > 1000, flush=True)
            mcli.create_run(config(stem), future=True)
        atexit.register(handler)
        atexit.register(handler)
    """
    stem = stage.name("exit")
    assert run(stage, text, book=stage.book, stem=stem) == "True\nTrue\n" * 2
    assert stage.count(stem) == 2


@pytest.mark.faults
def test_finishes_what_old_atexit_handlers_change(stage: Stage) -> None:
    """A handler from before the first call runs after everything else, and what it changes is done."""
    text = """
        atexit.register(lambda: mcli.create_run(config(stem), future=True))
        mcli.get_run(book)
    """
    stem = stage.name("exit")
    assert run(stage, text, book=stage.book, stem=stem) == ""
    assert stage.count(stem) == 1


@pytest.mark.faults
def test_works_in_threads_that_outlive_the_main_thread(stage: Stage) -> None:
    """A thread that goes on after the last line of the script can call."""
    text = """
        def work():
            threading.main_thread().join()
            print(mcli.get_run(book).name == book, len(list(mcli.follow_run_logs(book))) > 1000)
        threading.Thread(target=work).start()
    """
    assert run(stage, text, book=stage.book) == "True True\n"


def test_works_in_forked_children(stage: Stage, part: str) -> None:
    """A child has connections of its own, and the parent's go on."""
    text = """
        watch = mcli.watch_run_status(part)
        next(watch), mcli.get_run(book)
        child = os.fork()
        print(mcli.get_run(book).name == book, len(list(mcli.follow_run_logs(book))) > 1000, flush=True)
        if child:
            print(os.waitpid(child, 0)[1], mcli.get_run(book).name == book)
    """
    assert sorted(run(stage, text, book=stage.book, part=part).splitlines()) == [
        "0 True",
        "True True",
        "True True",
    ]


@pytest.mark.faults
def test_a_forked_child_finishes_its_changes(stage: Stage) -> None:
    """What a child of multiprocessing changes in its last line is done."""
    text = """
        import multiprocessing
        def work(number):
            mcli.create_run(config(stem), future=True).result()
            return mcli.get_run(book).name == book
        mcli.get_run(book)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(work, range(4)))
    """
    stem = stage.name("pool")
    assert run(stage, text, stem=stem, book=stage.book) == "[True, True, True, True]\n"
    assert stage.count(stem) == 4


@pytest.mark.faults
def test_works_inside_a_running_loop(stage: Stage) -> None:
    """Blocking calls work where asyncio runs, as in notebooks, and so do those of mcli.aio."""
    text = """
        import asyncio, mcli.aio
        async def main():
            print(mcli.get_run(book).name == book, (await mcli.aio.get_run(book)).name == book)
            print(len(list(mcli.follow_run_logs(book))) == len([x async for x in mcli.aio.follow_run_logs(book)]))
        asyncio.run(main())
    """
    assert run(stage, text, book=stage.book) == "True True\nTrue\n"


# `print` in a handler may meet the `print` that it interrupts.
PROTECTED = """
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"previous\\n"), sys.exit(3)))
kept = mcli.update_run_metadata(book, {"step": 7}, future=True, protect=True)
ready()
time.sleep(100)
"""


def test_finishes_protected_changes_after_sigterm(stage: Stage) -> None:
    """SIGTERM waits for a protected change, and then does what it did before."""
    with script(stage, PROTECTED, book=stage.book) as running:
        running.until_ready()
        running.process.terminate()
        ended = running.end()
    assert (3, "previous\n", "") == (ended.code, ended.out, ended.err)
    with stage.directly():
        assert (mcli.get_run(stage.book).metadata or {})["step"] == 7


@pytest.mark.faults
def test_waits_no_longer_than_the_bound_after_sigterm(stage: Stage) -> None:
    """A protected change without an answer holds SIGTERM for five seconds."""
    with script(stage, PROTECTED, Lost("UpdateRunMetadata", Ending.SILENT), book=stage.book) as running:
        running.until_ready()
        is_hanging(running)
        running.process.terminate()
        ended = running.end()
    assert (3, "previous\n") == (ended.code, ended.out)
    assert "mcli: update_run_metadata had no answer" in ended.err
    assert ended.seconds < PATIENCE + SOON


@pytest.mark.faults
def test_dies_of_sigterm_as_before(stage: Stage) -> None:
    """Without a handler of the script's, SIGTERM ends the process as it always did."""
    text = PROTECTED.partition("\n")[2].partition("\n")[2]
    with script(stage, text, book=stage.book) as running:
        running.until_ready()
        running.process.terminate()
        ended = running.end()
    assert (-signal.SIGTERM, "") == (ended.code, ended.err)


@pytest.mark.faults
def test_protects_off_the_main_thread(stage: Stage) -> None:
    """A thread can ask for protection; no handler is installed, and the end of the script waits for the change."""
    text = """
        def work():
            mcli.update_run_metadata(book, {"thread": 1}, future=True, protect=True)
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    """
    assert run(stage, text, book=stage.book) == "True\n"
    with stage.directly():
        assert (mcli.get_run(stage.book).metadata or {})["thread"] == 1
