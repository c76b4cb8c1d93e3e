"""For tests of code that uses `mcli`: a platform of their own, scripted runs, a clock that a test turns, faults.

Nothing here is a mock: calls go over HTTP and websockets to the real platform, which runs in this process.

    from mcli.testing import Script, VirtualClock, local_platform

    clock = VirtualClock()
    with local_platform(clock=clock, scripts={"train": Script(seconds=3600, log={0: "begun\\n"}, code=1)}):
        run = mcli.create_run(mcli.RunConfig("train", image="bash", command="./train.sh", compute={"gpus": 8}))
        mcli.wait_for_run_status(run, "RUNNING")
        clock.advance(3600)
        assert mcli.wait_for_run_status(run, "COMPLETED").status.name == "FAILED"

The pytest fixtures `local_platform` and `shared_local_platform` are there wherever this package is installed:
see `mcli.testing.plugin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcli.platform.clock import VirtualClock
    from mcli.platform.scheduling.cluster import virtual as virtual_cluster
    from mcli.testing.faults import Faults
    from mcli.testing.platform import local_platform
    from mcli.testing.scripts import Script

__all__ = ["Faults", "Script", "VirtualClock", "local_platform", "virtual_cluster"]

_HOME = {
    "Faults": ("mcli.testing.faults", "Faults"),
    "Script": ("mcli.testing.scripts", "Script"),
    "VirtualClock": ("mcli.platform.clock", "VirtualClock"),
    "local_platform": ("mcli.testing.platform", "local_platform"),
    "virtual_cluster": ("mcli.platform.scheduling.cluster", "virtual"),
}


def __getattr__(name: str) -> object:
    # pytest imports this package in every project that has it installed
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(__import__(module, fromlist=(attribute,)), attribute)
