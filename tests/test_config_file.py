"""How the configuration file is edited, to the letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcli._config_file import change, edited, read
from mcli.exceptions import MCLIConfigError


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("a: 1 # one\nb: 2\nc: 3\n", {("b",): 5}, "a: 1 # one\nb: 5\nc: 3\n"),
        ("a: 1 # one\nb: 2\n", {("a",): "x: y"}, "a: 'x: y' # one\nb: 2\n"),
        ("a:\nb: 2 # two\n", {("a",): 5}, "a: 5\nb: 2 # two\n"),
        ("a: 1 # one\nb: |\n  text\nc: 3\n", {("b",): 5}, "a: 1 # one\nb: 5\nc: 3\n"),
        ("f:\n  b: 1 # why\n  d: 2\n", {("f", "d"): 3}, "f:\n  b: 1 # why\n  d: 3\n"),
        ("f: {x: 1} # why\n", {("f", "x"): 2}, "f: {x: 2} # why\n"),
        ("a: 1 # one\n", {("a",): 2, ("b",): 3}, "a: 2 # one\nb: 3\n"),
    ],
)
def test_a_value_is_changed_where_it_stands(text: str, edits: Any, expected: str) -> None:
    """The old value goes, whatever form it has, and all around it stays."""
    assert expected == edited(text, edits, Path("file"))


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("a: 1", {("b",): 2}, "a: 1\nb: 2\n"),
        ("b: 1 # one\n", {("a",): 2}, "b: 1 # one\na: 2\n"),
        ("# first\na: 1\n", {("b",): "é"}, "# first\na: 1\nb: é\n"),
        ("# only\n", {("a",): 1}, "# only\na: 1\n"),
        ("", {("f", "x"): True}, "---\nf: {x: true}\n"),
        ("f:\n  b: 1 # why\n  d: 2\n", {("f", "c"): 3}, "f:\n  c: 3\n  b: 1 # why\n  d: 2\n"),
        ("a: 1 # one\nf:\n", {("f", "y"): 2}, "a: 1 # one\nf: {y: 2}\n"),
    ],
)
def test_a_new_value_gets_a_line(text: str, edits: Any, expected: str) -> None:
    """A new key goes to the end of the file; one of an inner map to its beginning."""
    assert expected == edited(text, edits, Path("file"))


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("a: 1\nb: 2 # two\nc: 3 # three\n", {("b",): None}, "a: 1\nc: 3 # three\n"),
        ("a: 1 # one\nb: 2", {("b",): None}, "a: 1 # one\n"),
        ("\nb: 2\nc: 3 # three\n", {("b",): None}, "\nc: 3 # three\n"),
        ("a: 1 # one\nb: 2\n", {("b",): {}}, "a: 1 # one\n"),
        ("a: 1 # one\nb: 2\n", {("c",): None}, "a: 1 # one\nb: 2\n"),
        ("a: 1 # one\nf:\n  x: 1\n", {("f", "y"): None}, "a: 1 # one\nf:\n  x: 1\n"),
        ("f:\n  b: 1 # why\n  d: 2\n  e: 3\n", {("f", "d"): None}, "f:\n  b: 1 # why\n  e: 3\n"),
        ("f:\n    b: 1\n# about g\ng: 2\n", {("f", "b"): None}, "# about g\ng: 2\n"),
        ("f:\n  x:\n    y: 1\ng: 2 # two\n", {("f",): None}, "g: 2 # two\n"),
        ("a: 1\nb:\n- 1\n- - 2\n  - 3\nc: 3 # three\n", {("b",): None}, "a: 1\nc: 3 # three\n"),
    ],
)
def test_a_value_is_taken_away_with_its_lines(text: str, edits: Any, expected: str) -> None:
    """Of a value that is taken away no line is left, and of a map that is empty then neither."""
    assert expected == edited(text, edits, Path("file"))


def test_a_form_that_cannot_be_edited_keeps_its_meaning() -> None:
    """Where there is no line to change the file is written anew."""
    assert "---\na: 1\nb: 2\n" == edited("{a: 1}\n", {("b",): 2}, Path("file"))


def test_folders_are_made_for_the_user_alone(tmp_path: Path) -> None:
    """The first change makes the folder and those above it; file and lock are closed to others."""
    path = tmp_path / "new" / "folder" / "file"
    change(path, {("a",): 1})
    assert {"a": 1} == read(path)
    made = [path.parent, path, path.with_name("file.lock")]
    assert [0o700, 0o600, 0o600] == [each.stat().st_mode & 0o777 for each in made]


def test_what_keeps_the_file_from_being_read_is_told(tmp_path: Path) -> None:
    """The message has the words of the operating system."""
    (tmp_path / "file").write_text("a: 1")
    with pytest.raises(MCLIConfigError, match=r"Cannot read the configuration file .*: Not a directory"):
        read(tmp_path / "file" / "inner")
    with pytest.raises(MCLIConfigError, match=r"Cannot read the configuration file .*: Is a directory"):
        read(tmp_path)
