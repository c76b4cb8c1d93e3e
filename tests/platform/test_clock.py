"""Time, and its one form on the wire."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.clock import SystemClock, VirtualClock, format_bound, format_time, parse_time

MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))]),
)


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_moments(one: datetime, other: datetime) -> None:
    """Texts on the wire are in the order of their moments."""
    assert sorted([format_time(one), format_time(other)]) == [
        format_time(moment) for moment in sorted([one, other])
    ]


@given(MOMENTS)
def test_round_trip(moment: datetime) -> None:
    """A moment comes back to the millisecond."""
    assert timedelta(0) <= moment - parse_time(format_time(moment)) < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS)
def test_bounds_split_like_moments(stored: datetime, bound: datetime) -> None:
    """A stored moment is before a bound exactly if its text is before the bound's."""
    text = format_time(stored)
    assert (parse_time(text) < bound) == (text < format_bound(bound))


def test_virtual_clock_wakes_whose_moment_has_come() -> None:
    """`advance` wakes those whose moment has come and nobody else."""

    async def main() -> list[bool]:
        clock = VirtualClock()
        waits = [
            asyncio.create_task(clock.sleep_until(clock.now() + timedelta(seconds=seconds)))
            for seconds in (1, 3)
        ]
        await asyncio.sleep(0)
        clock.advance(2)
        await waits[0]
        done = [wait.done() for wait in waits]
        waits[1].cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return done

    assert [True, False] == asyncio.run(main())


def test_moment_in_the_past_is_no_wait() -> None:
    """Waiting for what is past returns at once, on every clock."""
    for clock in (SystemClock(), VirtualClock()):
        asyncio.run(clock.sleep_until(clock.now() - timedelta(hours=1)))
