"""Time, and its one form on the wire."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.clock import (
    SystemClock,
    VirtualClock,
    format_bound,
    format_time,
    parse_time,
    sleep_until_or,
)

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


def test_setting_the_clock_changes_nothing() -> None:
    """While a server lives its time goes on evenly, whatever the machine's clock is set to."""
    noon = datetime(2024, 6, 4, 12, tzinfo=UTC)
    wall, passed = iter([noon, noon - timedelta(hours=1)]), iter([100.0, 101.0])
    clock = SystemClock(lambda: next(wall), lambda: next(passed))
    assert noon + timedelta(seconds=1) == clock.now()


def test_whatever_is_first_ends_the_wait() -> None:
    """A wait for an event or a moment ends with the first of them."""

    async def main() -> list[datetime]:
        clock, event = VirtualClock(), asyncio.Event()
        waits = [
            asyncio.create_task(sleep_until_or(clock, event, None)),
            asyncio.create_task(sleep_until_or(clock, asyncio.Event(), clock.now() + timedelta(seconds=5))),
        ]
        await asyncio.sleep(0)
        event.set()
        await waits[0]
        assert not waits[1].done()
        await asyncio.sleep(0)
        clock.advance(5)
        await waits[1]
        return [clock.now()]

    assert 1 == len(asyncio.run(main()))
