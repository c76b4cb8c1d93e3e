"""Time: the machine's own, or one that a test turns by hand; and the one form in which it travels."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Clock",
    "SystemClock",
    "VirtualClock",
    "format_bound",
    "format_time",
    "later",
    "parse_time",
    "seconds_between",
    "sleep_until_or",
]

_LONGEST_SLEEP = 60.0  # seconds


class Clock(Protocol):
    """Where the platform reads the time, and how it waits for it."""

    def now(self) -> datetime:
        """Give the present moment, in UTC."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Return once `now()` has reached `moment`."""


def _seconds_passed() -> float:
    """Return the seconds since some moment, those in which the machine slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SystemClock:
    """The machine's time at the start, and from then on what has passed since: setting the clock changes nothing."""

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        passed: Callable[[], float] = _seconds_passed,
    ) -> None:
        self._start, self._passed_before, self._passed = wall(), passed(), passed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed() - self._passed_before)

    async def sleep_until(self, moment: datetime) -> None:
        # the loop's own clock stands still while the machine sleeps
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - nothing tells of a moment
            await asyncio.sleep(min(left, _LONGEST_SLEEP))


class VirtualClock:
    """A clock that stands still until `advance` is called, from any thread.

    >>> clock = VirtualClock()
    >>> before = clock.now()
    >>> clock.advance(90)
    >>> (clock.now() - before).total_seconds()
    90.0
    """

    def __init__(self, start: datetime = datetime(2024, 6, 4, tzinfo=UTC)) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._sleepers: list[tuple[datetime, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, moment: datetime) -> None:
        over = asyncio.Event()
        sleeper = (moment, asyncio.get_running_loop(), over)
        with self._lock:
            if moment <= self._now:
                return
            self._sleepers.append(sleeper)
        try:
            await over.wait()
        finally:
            with self._lock:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Move the time forward and wake all whose moment has come."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._now]
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
        for _, loop, over in due:
            loop.call_soon_threadsafe(over.set)


async def sleep_until_or(clock: Clock, event: asyncio.Event, moment: datetime | None) -> None:
    """Return once the event is set or the moment has come; without a moment only the event counts."""
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(event.wait())]
    if moment is not None:
        waits.append(asyncio.create_task(clock.sleep_until(moment)))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def format_time(moment: datetime) -> str:
    """Write a moment as every client reads it: UTC, three fraction digits, `Z`. Texts sort as moments do.

    >>> format_time(datetime(2024, 6, 4, 0, 35, 56, 123999, UTC))
    '2024-06-04T00:35:56.123Z'
    """
    # not strftime, which writes years before 1000 with fewer than four digits
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def parse_time(text: str) -> datetime:
    """Read any ISO 8601 moment; one without an offset is UTC.

    >>> parse_time("2024-06-04T02:35:56+02:00") == parse_time("2024-06-04T00:35:56")
    True
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_bound(moment: datetime) -> str:
    """Write the bound of a filter, rounded up: stored moments are whole milliseconds, so `>=`, `<` hold."""
    spare = math.ceil(moment.microsecond / 1000) * 1000 - moment.microsecond
    return format_time(moment + timedelta(microseconds=spare))


def later(text: str, seconds: float) -> str:
    """Give the moment so many seconds after a moment on the wire."""
    return format_time(parse_time(text) + timedelta(seconds=seconds))


def seconds_between(start: str, end: str) -> float:
    """Give the seconds from one moment on the wire to another."""
    return (parse_time(end) - parse_time(start)).total_seconds()
