"""Parts of long files: where they begin and end, and that nobody waits while they are looked for."""

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.execution.log_limit import cut, notice
from mcli.platform.serving.log_files import chunks, exception_span, tail_start

MB = 1 << 20
HEAD = b"Traceback (most recent call last):\n"
TRACEBACK = re.compile(
    rb"^Traceback \(most recent call last\):\r?\n(?:[ \t].*\n|\r?\n)*[^ \t\r\n].*\n?", re.MULTILINE
)
LINES = st.sampled_from(
    [
        HEAD,
        HEAD.replace(b"\n", b"\r\n"),
        b"  File\n",
        b"\traise\n",
        b"\n",
        b"ValueError: x\n",
        b"x " + HEAD,
        b"end",
    ]
)


def turns(work: Coroutine[object, object, object]) -> int:
    """Count how often others have their turn while something is done."""

    async def count() -> int:
        task, number = asyncio.create_task(work), 0
        while not task.done():
            await asyncio.sleep(0)
            number += 1
        await task
        return number

    return asyncio.run(count())


@given(st.text(max_size=300), st.integers(0, 400))
def test_tail_never_cuts_a_character(tmp_path_factory: pytest.TempPathFactory, text: str, count: int) -> None:
    """The tail of a file is the last characters of its text."""
    file = tmp_path_factory.mktemp("tail") / "log"
    content = text.encode()
    file.write_bytes(content)
    start = asyncio.run(tail_start(file, count, len(content)))
    assert (text[-count:] if count else "") == content[start:].decode()


@pytest.mark.parametrize("count", [0, 1, MB // 2, MB // 2 + 1, 2 * MB, 3 * MB, 10**8])
def test_tail_of_a_long_file(tmp_path: Path, count: int) -> None:
    """A tail may be longer than what is read at once, and than the file."""
    file = tmp_path / "log"
    file.write_bytes("ä".encode() * (2 * MB))
    assert max(0, 4 * MB - 2 * count) == asyncio.run(tail_start(file, count, 4 * MB))


def test_tail_gives_way(tmp_path: Path) -> None:
    """Others have their turn for each megabyte that a tail is looked for in."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * (20 * MB))
    assert turns(tail_start(file, 19 * MB, 20 * MB)) > 15


@given(st.lists(LINES, max_size=12))
def test_first_exception(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """The first traceback is found, from its head to the line that names the exception."""
    file, content = tmp_path_factory.mktemp("exception") / "log", b"".join(lines)
    file.write_bytes(content)
    found = TRACEBACK.search(content)
    expected = found.span() if found else (len(content), len(content))
    assert expected == asyncio.run(exception_span(file, len(content)))


@pytest.mark.parametrize("shift", range(-40, 3))
def test_exception_at_the_edge_of_a_block(tmp_path: Path, shift: int) -> None:
    """A head that lies across two blocks is found, and only where a line begins."""
    file = tmp_path / "log"
    before = b"x" * (MB + shift - 1) + b"\n"
    file.write_bytes(before + HEAD + b"  File\nValueError: x\nrest")
    expected = (len(before), len(before) + len(HEAD) + 7 + 14)
    assert expected == asyncio.run(exception_span(file, file.stat().st_size))
    file.write_bytes(before.replace(b"\n", b" ") + HEAD + b"  File\nValueError: x\n")
    size = file.stat().st_size
    assert (size, size) == asyncio.run(exception_span(file, size))


def test_search_of_an_exception_gives_way(tmp_path: Path) -> None:
    """Others have their turn for each megabyte without an exception, and within endless frames."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * (20 * MB) + b"\n" + HEAD + b" frame\n" * 100_000)
    assert turns(exception_span(file, file.stat().st_size)) > 100


def test_chunks_end_where_they_should(tmp_path: Path) -> None:
    """No chunk reaches beyond the end that was asked for, nor is there one from beyond it."""
    file = tmp_path / "log"
    file.write_bytes(b"0123456789")
    assert [[b"345"], [], [b"9"], []] == [
        list(chunks(file, position, end)) for position, end in ((3, 6), (7, 6), (9, 20), (20, 30))
    ]


@pytest.mark.parametrize("length", [0, 99, 100])
def test_log_up_to_its_limit(tmp_path: Path, length: int) -> None:
    """A log that is not longer than its limit stays as it is."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * length)
    assert (False, length) == (cut(str(file), 100), file.stat().st_size)


@pytest.mark.parametrize("length", [101, 150, 100_000])
def test_log_over_its_limit(tmp_path: Path, length: int) -> None:
    """A log that is longer is cut at the limit and says so at its end, as often as more is appended."""
    file = tmp_path / "log"
    with file.open("ab", buffering=0) as log:
        for _ in range(3):
            log.write(b"x" * length)
            assert cut(str(file), 100)
            assert b"x" * 100 + notice(100) == file.read_bytes()


def test_log_that_is_not_there(tmp_path: Path) -> None:
    """A log that was not written yet is not cut."""
    assert not cut(str(tmp_path / "log"), 100)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_reader_of_a_log_that_is_cut(
    tmp_path_factory: pytest.TempPathFactory, length: int, position: int, end: int
) -> None:
    """Before and after a log is cut its readers get the same bytes."""
    file = tmp_path_factory.getbasetemp() / "log-to-cut"
    file.write_bytes(b"x" * length)
    before = b"".join(chunks(file, position, end, 100))
    cut(str(file), 100)
    assert b"".join(chunks(file, position, end)) == before[: max(0, file.stat().st_size - position)]
    assert len(before) <= max(0, end - position)
