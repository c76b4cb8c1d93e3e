"""The HTTP library, by the one name that this package imports it by."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["httpx"]

if TYPE_CHECKING or "httpx" in sys.modules:
    import httpx
else:
    # Its own command line brings in click, rich and pygments where they are installed: 50 ms for what is not used.
    # A module without `main` is to httpx what one without these packages is; who wants the real one imports it.
    sys.modules["httpx._main"] = ModuleType("httpx._main")
    try:
        import httpx
    finally:
        del sys.modules["httpx._main"]
