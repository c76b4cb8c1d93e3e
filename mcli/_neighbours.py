"""The platform's own client has a package of our name: is it in this environment too?"""

from __future__ import annotations

import functools
import os
import sys

from mcli._warnings import warn

__all__ = ["MEND", "other_client", "warn_of_other_client"]

MEND = "pip uninstall -y mosaicml-cli, and then install this package again with --force-reinstall --no-deps"
"""What mends an environment that has both."""
_PREFIX, _SUFFIX = "mosaicml_cli-", ".dist-info"


def other_client() -> str | None:
    """Return the name and version of the platform's own client where it is installed: `mosaicml-cli 0.6.30`."""
    for folder in sys.path:
        if os.path.basename(folder) not in {"site-packages", "dist-packages"}:  # noqa: PTH119 - at the first call
            continue
        try:
            names = os.listdir(folder)  # noqa: PTH208 - half the time of pathlib's
        except OSError:
            continue
        for name in names:
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                return f"mosaicml-cli {name.removeprefix(_PREFIX).removesuffix(_SUFFIX)}"
    return None


@functools.cache
def warn_of_other_client() -> None:
    """Warn, once, where both clients are installed: each has overwritten files of the other."""
    if found := other_client():
        warn(
            f"{found} is installed in this environment as well, and has files of the same names. To mend it: {MEND}."
        )
