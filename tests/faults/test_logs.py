"""Logs of any bytes, cut at any place, by any number of faults."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import mcli
from mcli._log_text import LogText
from mcli.platform.execution.folders import RunFolders
from tests.faults.faults import (
    Bitten,
    Closed,
    Cut,
    Duplicated,
    Ending,
    Interrupted,
    OffsetIgnored,
    Overlapping,
    Refused,
)
from tests.faults.proxy import Proxy, SocketFault
from tests.faults.scripts import run
from tests.faults.stage import BOUND

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.faults.stage import Stage

_LINE = st.one_of(
    st.text(max_size=200).map(str.encode),
    st.binary(max_size=200),
    st.builds(
        lambda char, count: char.encode() * count, st.characters(codec="utf-8"), st.integers(0, 100_000)
    ),
)
LOGS = st.builds(
    lambda lines, last: b"".join(line + b"\n" for line in lines) + last, st.lists(_LINE, max_size=20), _LINE
)
"""Bytes of logs: valid UTF-8 and others, lines of 0 to 400 kB, with and without a newline at the end."""

PLACES = st.integers(0, 300_000) | st.integers(0, 500)
CUTS: st.SearchStrategy[SocketFault] = st.one_of(
    st.builds(Cut, st.sampled_from([Ending.RESET, Ending.CLOSED, Ending.HALF_CLOSED]), PLACES),
    st.builds(Closed, st.sampled_from([1000, 1001, 1011, 1012]), st.integers(0, 5)),
    st.builds(Interrupted, st.sampled_from([b"<html>", b"{}", b"[]", b"\xff"]), st.integers(1, 5)),
)
LAST: st.SearchStrategy[SocketFault] = st.one_of(
    st.just(SocketFault()),
    st.builds(Duplicated),
    st.builds(Overlapping, st.integers(0, 100_000)),
    st.builds(Bitten, st.integers(1, 2000).map(lambda size: size * 50)),
    st.builds(OffsetIgnored),
)


@pytest.fixture
def log(stage: Stage) -> Generator[Path]:
    """The file that the platform keeps the log of the book in; put back at the end."""
    with stage.directly():
        book = mcli.get_run(stage.book)
    file = RunFolders(stage.platform.data_dir / "runs").node(book.name, 0, 0).log
    whole = file.read_bytes()
    yield file
    file.write_bytes(whole)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(content=LOGS, cuts=st.lists(CUTS, max_size=2), last=LAST)
def test_cuts_change_nothing(
    stage: Stage, log: Path, content: bytes, cuts: list[SocketFault], last: SocketFault
) -> None:
    """The text is the decoding of the whole, and the lines joined are the text, wherever connections end."""
    log.write_bytes(content)

    proxy = Proxy(stage.platform.endpoint, [*cuts, last])
    with stage.behind(proxy):
        lines = list(mcli.follow_run_logs(stage.book, timeout=BOUND))

    assert content.decode(errors="replace") == "".join(lines)
    assert list(LogText(content.decode(errors="replace"))) == lines


def test_goes_on_in_the_resumption_that_it_began_with(stage: Stage, tmp_path: Path) -> None:
    """A log that is cut while its run is tried again goes on where it was, then with the next resumption."""
    first, second = "first\n" * 1000, "second\n" * 2000
    (tmp_path / "0").write_text(first)
    (tmp_path / "1").write_text(second)
    again = f"[ -e {tmp_path}/again ] && cat {tmp_path}/1 && exit 0\ntouch {tmp_path}/again; cat {tmp_path}/0"
    made, gate = stage.gated("echo the end; exit 1", before=again, max_retries=1)
    proxy = Proxy(stage.platform.endpoint, [])

    with stage.behind(proxy):
        lines = mcli.follow_run_logs(made, timeout=BOUND)
        text = "".join(itertools.islice(lines, 1, 1001))  # after the name of the working folder
        proxy.wait_until(lambda: proxy.answered("GetRuns"))
        proxy.sockets.extend(Refused(503) for _ in range(100))
        proxy.drop()
        gate.touch()
        with stage.directly():
            mcli.wait_for_run_status(made, "completed", timeout=BOUND)
        proxy.sockets.clear()
        text += "".join(line for line in lines if not line.startswith("[mcli] "))

    said = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("[mcli] "))
    assert f"{first}the end\n{second}" == said


MEASURED = """
import itertools

def memory(kind):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(kind))

def peak(work):
    "Return the bytes that the process has more, at most, while something is done; Linux knows."
    before = memory("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    kept = work()
    return memory("VmHWM") - before

next(mcli.follow_run_logs(big))  # with everything imported
"""


@pytest.fixture
def big(log: Path, stage: Stage) -> str:
    """Name of a run with a log of 100 MB."""
    log.write_bytes((b"x" * 99 + b"\n") * 1_000_000)
    return stage.book


@pytest.mark.faults
def test_a_large_log_takes_the_memory_of_two_texts_at_most(stage: Stage, big: str) -> None:
    """Beside the text there is a second one for a moment, for Python copies a str to make a subclass of it."""
    extra = run(stage, MEASURED + "print(peak(lambda: mcli.get_run_logs(big)))", big=big)
    assert int(extra) < 200e6 + 32e6


@pytest.mark.faults
def test_a_slow_consumer_takes_little_memory(stage: Stage, big: str) -> None:
    """While nobody reads the lines of a log of 100 MB, only some of it is fetched, and other calls go on."""
    text = """
def work():
    lines = mcli.follow_run_logs(big)
    next(lines)
    for _ in range(2):
        mcli.watch_run_status(big, future=True).__next__().result(), mcli.get_run_logs(big, tail=1000)
    return lines
print(peak(work))
"""
    assert int(run(stage, MEASURED + text, big=big)) < 16e6


@pytest.mark.faults
def test_a_fast_consumer_takes_little_memory(stage: Stage, big: str) -> None:
    """Who reads a log of 100 MB line by line needs a small part of that."""
    text = "print(peak(lambda: sum(1 for line in mcli.follow_run_logs(big))))"
    assert int(run(stage, MEASURED + text, big=big)) < 48e6
