"""What holds for every failure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcli._core.retry import Failure, Kind, is_ambiguous, pause

failures = st.builds(
    Failure,
    st.sampled_from(Kind),
    st.sampled_from([0, 429, 500, 502, 503, 504]),
    st.none() | st.floats(0, 1000),
)
attempts = st.integers(1, 20)
chances = st.floats(0, 1)


@given(failures, attempts)
def test_a_mutation_is_never_repeated_when_ambiguous(failure: Failure, attempt: int) -> None:
    """Whatever failed, what may have been carried out is not made again."""
    if is_ambiguous(failure):
        assert pause(failure, attempt, repeatable=False) is None


@given(failures, attempts, chances)
def test_pauses_are_bounded(failure: Failure, attempt: int, chance: float) -> None:
    """A pause is what the platform asks for, up to ten minutes, else between 0 and 15 seconds."""
    seconds = pause(failure, attempt, repeatable=True, chance=chance)
    if seconds is not None:
        assert 0 < seconds <= 15 or seconds == failure.retry_after <= 600


@given(failures, attempts, chances)
def test_pauses_grow(failure: Failure, attempt: int, chance: float) -> None:
    """The same failure, one attempt later, waits at least as long, or is given up."""
    now = pause(failure, attempt, repeatable=True, chance=chance)
    later = pause(failure, attempt + 1, repeatable=True, chance=chance)
    assert later is None or (now is not None and later >= now)


@given(failures, attempts)
def test_the_platform_is_never_asked_before_it_wants_to(failure: Failure, attempt: int) -> None:
    """A pause is no shorter than the platform asks for."""
    seconds = pause(failure, attempt, repeatable=True)
    assert seconds is None or failure.retry_after is None or seconds >= failure.retry_after
