"""What a terminal shows."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from mcli.cli import console


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_a_pipe_has_colours_where_they_are_forced(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    """`NO_COLOR` goes before `FORCE_COLOR`."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert coloured is console.is_coloured(sys.stdout)


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are aligned; cells of any width stay whole, on one line each."""
    console.table(("A", "B"), [("x" * 300, "one\ntwo"), ("y", "z" * 300)])
    lines = capsys.readouterr().out.splitlines()
    assert [f"{'A':<300}  B", f"{'x' * 300}  one two", f"{'y':<300}  {'z' * 300}"] == lines


def in_terminal(code: str, **variables: str) -> str:
    """Return what a program shows on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", **variables}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=theirs, stderr=theirs, stdin=theirs, env=environment
    ) as program:
        os.close(theirs)
        shown = b""
        while block := _read(ours):
            shown += block
        program.wait(60)
    os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end was closed
        return b""


TABLE = "from mcli.cli import console; console.table(('A', 'B'), [('x', 'y' * 200)])"


def test_a_terminal_cuts_the_last_column() -> None:
    """No row is wider than the terminal."""
    lines = in_terminal(TABLE, NO_COLOR="1").split("\r\n")
    assert [4, 80] == [len(line) for line in lines[:2]]
    assert lines[1].endswith("…")


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_has_colours(variables: dict[str, str], coloured: bool) -> None:
    """But for those that ask for none."""
    assert coloured is ("\x1b[1m" in in_terminal(TABLE, **variables))


def test_a_live_line_stands_below_what_is_printed() -> None:
    """It is taken away before a line is printed, drawn again after it, and gone at the end."""
    code = (
        "from mcli.cli.console import LiveLine\n"
        "line = LiveLine(); line.show('Running'); line.print('one\\n'); line.close()"
    )
    shown = in_terminal(code, NO_COLOR="1")
    again = "\r\x1b[2K"
    assert f"{again}Running{again}one\r\n{again}Running{again}" == shown
