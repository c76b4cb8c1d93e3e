"""When a request is made again."""

from __future__ import annotations

import math

import pytest

from mcli._core.failures import _retry_after
from mcli._core.retry import TRIES, TRIES_TO_CONNECT, Failure, Kind, is_ambiguous, pause

_PAUSES = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15]
"""Seconds at most, after the first attempt, the second, and so on."""


@pytest.mark.parametrize(
    ("failure", "ambiguous"),
    [
        (Failure(Kind.UNREACHED), False),
        (Failure(Kind.LOST), True),
        (Failure(Kind.REFUSED, 429), False),
        (Failure(Kind.REFUSED, 502), True),
        (Failure(Kind.REFUSED, 503), True),
        (Failure(Kind.REFUSED, 504), True),
        (Failure(Kind.FINAL, 500), False),
    ],
)
def test_what_is_ambiguous(failure: Failure, ambiguous: bool) -> None:
    """A change may have been carried out where no answer came, or one from before the platform."""
    assert ambiguous == is_ambiguous(failure)


@pytest.mark.parametrize("failure", [Failure(Kind.LOST), Failure(Kind.REFUSED, 503)])
def test_what_is_ambiguous_is_not_repeated(failure: Failure) -> None:
    """What may be done twice is not repeated, what may be repeated is."""
    assert pause(failure, 1, repeatable=False) is None
    assert pause(failure, 1, repeatable=True) is not None


def test_an_answer_is_not_repeated() -> None:
    """A final answer is no reason to ask again."""
    assert pause(Failure(Kind.FINAL, 500), 1, repeatable=True) is None


def test_a_dead_endpoint_is_given_up_within_a_second() -> None:
    """The pauses between attempts to connect are less than a second in all."""
    pauses = [
        pause(Failure(Kind.UNREACHED), attempt, repeatable=False, chance=1)
        for attempt in range(1, TRIES_TO_CONNECT + 1)
    ]
    assert pauses[-1] is None
    assert sum(each for each in pauses if each is not None) < 1


@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_pauses_double_up_to_a_quarter_of_a_minute(chance: float) -> None:
    """The pauses double, up to 15 seconds, and chance takes up to half of each away."""
    found = [pause(Failure(Kind.LOST), attempt, repeatable=True, chance=chance) for attempt in range(1, 10)]
    assert found == pytest.approx([longest * (1 + chance) / 2 for longest in _PAUSES])


def test_a_dead_endpoint_is_tried_four_times() -> None:
    """An endpoint that cannot be reached is tried four times, after pauses of half the length."""
    dead = Failure(Kind.UNREACHED)
    found = [pause(dead, attempt, repeatable=False, chance=1) for attempt in range(1, 5)]
    assert [0.1, 0.2, 0.4, None] == found


def test_pauses_are_spread() -> None:
    """Without a given chance no two pauses are alike."""
    found = {pause(Failure(Kind.LOST), 5, repeatable=True) for _ in range(20)}
    assert 20 == len(found)


def test_attempts_end() -> None:
    """A platform that never can is asked ten times."""
    asked = [pause(Failure(Kind.REFUSED, 503), attempt, repeatable=True) for attempt in range(1, TRIES + 1)]
    assert [False] * 9 + [True] == [each is None for each in asked]


@pytest.mark.parametrize(("asked", "seconds"), [(0, 0), (600, 600), (601, None), (math.inf, None)])
def test_a_platform_that_asks_for_more_than_ten_minutes_is_down(asked: float, seconds: float | None) -> None:
    """What the platform asks for is waited for, up to ten minutes."""
    assert seconds == pause(Failure(Kind.REFUSED, 429, asked), 1, repeatable=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("9" * 400, math.inf),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    """`Retry-After` is read in both forms that HTTP has; what is neither is ignored."""
    assert seconds == _retry_after(text)


@pytest.mark.parametrize("text", ["²", "inf", "nan", "Thu, 01 Jan 9999999 00:00:00 GMT"])
def test_a_strange_retry_after_does_no_harm(text: str) -> None:
    """Digits that are no number of seconds are ignored, and nothing is raised."""
    assert _retry_after(text) is None
