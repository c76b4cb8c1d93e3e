"""What holds for every object list: it is a list."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from mcli import ObjectList

numbers = st.lists(st.integers(), max_size=8)
bounds = st.none() | st.integers(-10, 10)
steps = st.none() | st.integers(-3, 3).filter(bool)


@given(numbers, numbers, bounds, bounds, steps)
def test_it_does_what_a_list_does(
    one: list[int], two: list[int], start: int | None, stop: int | None, step: int | None
) -> None:
    """Sums, slices, comparisons and pickles are those of plain lists."""
    ours, part = ObjectList(one, int), slice(start, stop, step)
    assert one + two == ours + two
    assert one[part] == ours[part]
    assert (one < two) == (ours < ObjectList(two, int))
    assert one == pickle.loads(pickle.dumps(ours))
