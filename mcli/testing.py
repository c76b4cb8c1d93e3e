"""The local platform for tests: the real thing, in this process, gone when the block ends.

A run is a real process on this machine. The pytest fixture of the same name comes with

    pytest_plugins = ["mcli.testing"]

in a `conftest.py`.
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcli._core.connection import MAPIConnection

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcli.platform import Platform

__all__ = ["local_platform"]


@contextmanager
def local_platform(**options: Any) -> Generator[Platform]:
    """Send the calls of a `with` block to a local platform of its own, in all threads of the process.

    Its data is in a temporary folder. At the end its runs are stopped and everything of it is removed.

    Args:
        options: What `mcli.platform.Platform` takes, e.g. `data_dir` to keep the data, or `cluster`.

    Yields:
        The platform, with `endpoint` and `api_key`.

    Raises:
        ImportError: What the platform needs, the extra `local`, is not installed.

    >>> import mcli
    >>> with local_platform() as platform:
    ...     run = mcli.create_run(mcli.RunConfig("hi", image="bash", command="echo hi", compute={"gpus": 0}))
    ...     mcli.wait_for_run_status(run, "completed").status
    <RunStatus.COMPLETED: 'COMPLETED'>
    """
    from mcli.platform import Platform  # an extra

    with Platform(**options) as platform, MAPIConnection(platform.endpoint, platform.api_key):
        yield platform


if importlib.util.find_spec("pytest") is not None:
    import pytest

    @pytest.fixture(name="local_platform")
    def _local_platform() -> Generator[Platform]:
        """A local platform of the test's own, which all calls go to."""
        with local_platform() as platform:
            yield platform
