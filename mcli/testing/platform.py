"""The platform for tests: the real thing, in this process, gone when the block ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcli._core.connection import MAPIConnection
from mcli.platform import Platform
from mcli.platform.clock import SystemClock
from mcli.platform.scheduling.cluster import virtual
from mcli.testing.faults import Faults
from mcli.testing.scripts import ScriptedEngine

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcli.testing.scripts import Scripts

__all__ = ["PlatformForTests", "local_platform"]

_GRACE = 1.0
"""Seconds that a stopped run has, where a test says nothing else: 30 would be waited for."""


class PlatformForTests(Platform):
    """A platform whose requests a test can let go wrong.

    Args:
        options: What `mcli.platform.Platform` takes.
    """

    def __init__(self, **options: Any) -> None:
        self.faults: Faults = Faults()
        """What goes wrong with requests; nothing, until the test says so."""
        super().__init__(wrap=self.faults.around, **options)


@contextmanager
def local_platform(*, scripts: Scripts | None = None, **options: Any) -> Generator[PlatformForTests]:
    """Send the calls of a `with` block to a local platform of its own, in all threads of the process.

    Its data is in a temporary folder. At the end its runs are stopped and everything of it is removed.

    Args:
        scripts: What runs do, by the names in their configurations, in place of processes (`Script`): the cluster is
            then one of 8 GPUs, unless another is given.
        options: What `mcli.platform.Platform` takes, e.g. `data_dir` to keep the data, `cluster`, or `clock`. `grace`
            is 1 second here unless it is given.

    Yields:
        The platform, with `endpoint`, `api_key` and `faults`.

    Raises:
        ImportError: The parts of the extra `local` are not installed.

    >>> import mcli
    >>> with local_platform() as platform:
    ...     run = mcli.create_run(mcli.RunConfig("hi", image="bash", command="echo hi", compute={"gpus": 0}))
    ...     mcli.wait_for_run_status(run, "completed").status
    <RunStatus.COMPLETED: 'COMPLETED'>
    """
    options.setdefault("grace", _GRACE)
    if scripts is not None:
        clock = options.setdefault("clock", SystemClock())
        options["engine"] = ScriptedEngine(scripts, clock, options.pop("cluster", None) or virtual(1, 8))
    with PlatformForTests(**options) as platform, MAPIConnection(platform.endpoint, platform.api_key):
        yield platform
