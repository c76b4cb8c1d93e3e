"""The command as a module: `python -m mcli`."""

from __future__ import annotations

import sys

from mcli.cli import main

if __name__ == "__main__":
    sys.exit(main())
