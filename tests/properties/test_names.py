"""What holds for the names that runs are given."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mcli._run_names import cleaned

VALID = re.compile(r"(?=.{1,63}\Z)[a-z0-9]+(-+[a-z0-9]+)*", re.ASCII)


@given(st.text(min_size=1, max_size=56) | st.text("aZ9-_é \n", min_size=1, max_size=56))
def test_a_name_that_can_be_mended_becomes_valid(name: str) -> None:
    """Every name of at most 56 characters is cleaned to a valid one of the same length."""
    clean = cleaned(name)
    assert VALID.fullmatch(clean)
    assert len(clean) <= len(name.lower())


@given(st.text("a0-", max_size=61).map("z{}9".format))
def test_a_valid_name_is_left_alone(name: str) -> None:
    """Cleaning does not change a name that the platform takes."""
    assert name == cleaned(name)


@given(st.text("aZ-", min_size=57, max_size=80))
def test_a_name_that_is_too_long_is_left_to_the_platform(name: str) -> None:
    """A name that leaves no room for the suffix is sent as it is."""
    assert name == cleaned(name)


@given(st.from_regex(r"[A-Za-z0-9][ -~]{0,54}", fullmatch=True))
def test_what_is_valid_within_a_name_is_kept(name: str) -> None:
    """Letters and digits keep their places, in lower case; all else becomes a hyphen, or a digit at the end."""
    assert re.sub(r"[^a-z0-9]", "-", name.lower())[:-1] == cleaned(name)[:-1]


def test_letters_that_grow_in_lower_case_are_cut() -> None:
    """A name that becomes longer than 63 characters in lower case is cut there."""
    assert 63 == len(cleaned("a" + "\u0130" * 55))
