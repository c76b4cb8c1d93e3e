"""From pieces of a log's bytes to text and lines."""

from __future__ import annotations

import base64

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mcli import MAPIException
from mcli._log_text import LineSplitter, LogDecoder, LogText


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_chunk_that_was_read_adds_nothing() -> None:
    """A chunk that comes again is left out."""
    decoder = LogDecoder()
    assert ["abc", "", "def"] == [
        decoder.decode(encoded(b"abc"), 3),
        decoder.decode(encoded(b"abc"), 3),
        decoder.decode(encoded(b"def"), 6),
    ]


def test_a_chunk_that_overlaps_adds_what_is_new() -> None:
    """Of a chunk that repeats bytes only the rest is taken, also within a character."""
    decoder = LogDecoder()
    data = "a€b".encode()
    first = decoder.decode(encoded(data[:3]), 3)
    assert "a€b" == first + decoder.decode(encoded(data), 5)


def test_a_chunk_from_before_moves_nothing() -> None:
    """A chunk that ends before what was read is left out, and the log goes on where it was."""
    decoder = LogDecoder()
    decoder.decode(encoded(b"abcd"), 4)
    assert ("", 4) == (decoder.decode(encoded(b"ab"), 2), decoder.offset)


def test_a_log_may_begin_anywhere() -> None:
    """The first chunk of a tail begins where the tail does."""
    decoder = LogDecoder()
    assert "tail" == decoder.decode(encoded(b"tail"), 1000, from_anywhere=True)
    assert 1000 == decoder.offset


def test_an_invalid_byte_loses_nothing_after_it() -> None:
    """A byte that is no UTF-8 becomes U+FFFD, at once, and what follows it comes with it."""
    assert "a\ufffdb" == LogDecoder().decode(encoded(b"a\xffb"), 3)


def test_half_a_character_at_the_end_is_said() -> None:
    """What is left of a character when the log ends becomes U+FFFD."""
    decoder = LogDecoder()
    assert "" == decoder.decode(encoded("€".encode()[:2]), 2)
    assert "\ufffd" == decoder.end()


@pytest.mark.parametrize("chunk", ["abc", "€€€€", "====a", "YW\nJj"])
def test_a_chunk_that_is_no_base64_is_an_error_of_ours(chunk: str) -> None:
    """What the platform sends and cannot be decoded is a `MAPIException`."""
    with pytest.raises(MAPIException, match=r"Error 500: .* base64"):
        LogDecoder().decode(chunk, 3)


def test_newlines_and_carriage_returns_end_lines() -> None:
    """A progress bar comes as it moves; other separators do not cut a line."""
    splitter = LineSplitter()
    assert ["1%\r", "2%\x0b\x85\u2028\n"] == splitter.split("1%\r2%\x0b\x85\u2028\nnext")
    assert ["next"] == splitter.end()


def test_a_carriage_return_waits_for_what_follows() -> None:
    """Whether a line ends with it or with the newline after it, the next byte tells, or the end."""
    splitter = LineSplitter()
    assert [[], ["a\r\n"], []] == [splitter.split(text) for text in ("a\r", "\nb", "\r")]
    assert ["b\r"] == splitter.end()


@given(st.lists(st.text("ab\r\n", max_size=5)))
def test_any_pieces_give_the_lines_of_the_whole(pieces: list[str]) -> None:
    """However a text is cut, its lines are those of the whole, and of the log as a text."""
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.split(piece)] + splitter.end()
    assert list(LogText("".join(pieces))) == lines


def test_log_text_is_a_str() -> None:
    """A log is a `str` in every respect, but iterates by lines."""
    text = LogText("a\n\nb")
    assert ("a\n\nb", 4, ["a", "", "b"]) == (text, len(text), text.split("\n"))
    assert ["a\n", "\n", "b"] == list(text)


def test_a_long_log_ends_with_its_last_line() -> None:
    """The lines of a log are as many as its newlines, however long it is."""
    assert ["a\n"] * 1000 == list(LogText("a\n" * 1000))
