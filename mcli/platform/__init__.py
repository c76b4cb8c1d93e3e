"""The local platform: the MosaicML platform's interface, served on this machine, where a run is a real process.

A run executes its command with the rights of the user who started the platform. See `python -m mcli.platform --help`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcli.platform.service import Platform

__all__ = ["Platform"]


def __getattr__(name: str) -> object:
    # the parts of this package are also programs of their own, which must not load a server.
    if name == "Platform":
        from mcli.platform.service import Platform

        return Platform
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
