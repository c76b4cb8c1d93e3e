"""Platforms to test on, each with a virtual cluster of two nodes with eight GPUs."""

from collections.abc import Iterator

import pytest

from mcli.platform import Platform
from mcli.platform.clock import VirtualClock
from mcli.platform.scheduling.cluster import virtual
from tests.platform.caller import Caller

GRACE = 1.0


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform that the tests of a module share."""
    with Platform(cluster=virtual(2, 8, "a100_80gb"), grace=GRACE) as platform:
        yield platform


@pytest.fixture(scope="module")
def caller(platform: Platform) -> Iterator[Caller]:
    """The owner of the shared platform."""
    caller = Caller(platform)
    yield caller
    caller.close()


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of `timed`, which stands still until a test turns it."""
    return VirtualClock()


@pytest.fixture
def timed(clock: VirtualClock) -> Iterator[Caller]:
    """The owner of a platform of the test's own, whose time is `clock`."""
    with Platform(cluster=virtual(2, 8, "a100_80gb"), clock=clock, grace=GRACE) as platform:
        caller = Caller(platform)
        yield caller
        caller.close()
