"""What holds however a log is cut into pieces."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mcli._log_text import LineSplitter, LogDecoder, LogText
from tests.strategies import texts

logs = st.binary(max_size=60) | st.lists(texts | st.just("\n"), max_size=8).map(
    lambda each: "".join(each).encode()
)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Give a log, and pieces of it that leave nothing out but may repeat what came before."""
    log = draw(logs)
    cuts = sorted({0, len(log), *draw(st.lists(st.integers(0, len(log)), max_size=6))})
    chunks = []
    for begin, end in pairwise(cuts):
        starts = draw(st.lists(st.integers(0, begin), min_size=1, max_size=2))
        chunks += [(log[start:end], end) for start in starts]
    return log, chunks


@given(pieces())
def test_any_pieces_give_the_log(log_and_chunks: tuple[bytes, list[tuple[bytes, int]]]) -> None:
    """Pieces that overlap, repeat and split characters decode to what the whole decodes to."""
    log, chunks = log_and_chunks
    decoder = LogDecoder()
    text = "".join(decoder.decode(base64.b64encode(data).decode(), end) for data, end in chunks)
    assert log.decode("utf-8", "replace") == text + decoder.end()
    assert len(log) == decoder.offset


@given(st.lists(st.text(st.sampled_from("ab\n\r\u2028€"), max_size=5), max_size=8))
def test_lines_joined_are_the_text(parts: list[str]) -> None:
    """Lines come as they complete; joined, they are the text, and each but the last ends in its one line break."""
    splitter = LineSplitter()
    lines = [line for part in parts for line in splitter.split(part)]
    assert all(re.fullmatch(r"[^\r\n]*(\r\n|\r|\n)", line) for line in lines)
    assert "".join(parts) == "".join([*lines, *splitter.end()])


@given(st.text(st.sampled_from("ab\n\r"), max_size=20))
def test_log_text_iterates_as_the_splitter_does(text: str) -> None:
    """The lines of a whole log are those that following it gives."""
    splitter = LineSplitter()
    assert [*splitter.split(text), *splitter.end()] == list(LogText(text))
