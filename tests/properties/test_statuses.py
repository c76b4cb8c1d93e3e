"""The order of the statuses of a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcli import RunStatus
from tests import strategies as ours


@given(ours.statuses, ours.statuses)
def test_before_and_after_are_converse(a: RunStatus, b: RunStatus) -> None:
    """What is before another has that after it, also where they may be the same."""
    assert a.before(b) is b.after(a)
    assert a.before(b, inclusive=True) is b.after(a, inclusive=True)


@given(ours.statuses, ours.statuses)
def test_inclusive_adds_the_status_itself(a: RunStatus, b: RunStatus) -> None:
    """With `inclusive` a status is before and after itself, and nothing else changes."""
    assert (a.before(b) or a is b) is a.before(b, inclusive=True)
    assert (a.after(b) or a is b) is a.after(b, inclusive=True)


@given(ours.statuses | st.text())
def test_reading_twice_is_reading_once(status: RunStatus | str) -> None:
    """What was read as a status is read as the same status."""
    once = RunStatus.from_string(status)
    assert once is RunStatus.from_string(once) is RunStatus.from_string(once.value)
