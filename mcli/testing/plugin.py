"""The pytest plugin: fixtures for tests of code that uses `mcli`. pytest finds it by its entry point.

It imports nothing of `mcli` until a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcli.testing.platform import PlatformForTests

__all__ = ["local_platform", "shared_local_platform"]


@pytest.fixture
def local_platform() -> Iterator[PlatformForTests]:
    """Send all calls of the test to a platform of its own."""
    from mcli.testing import local_platform

    with local_platform() as platform:
        yield platform


@pytest.fixture(scope="session")
def _session_platform() -> Iterator[PlatformForTests]:
    from mcli.testing.platform import PlatformForTests

    with PlatformForTests(grace=1.0) as platform:
        yield platform


@pytest.fixture
def shared_local_platform(
    _session_platform: PlatformForTests, request: pytest.FixtureRequest
) -> Iterator[PlatformForTests]:
    """Send all calls of the test to the platform of the session, as a new user, who has nothing there so far.

    At the end of the test its runs are stopped, and nothing goes wrong any more that it had planned.
    """
    import mcli

    name = f"test-{abs(hash(request.node.nodeid)):x}"
    key = _session_platform.add_user(name, f"{name}@localhost")
    with mcli.MAPIConnection(_session_platform.endpoint, key):
        yield _session_platform
        _session_platform.faults.clear()
        mcli.delete_runs(list(mcli.get_runs(limit=100).iter_all()))
