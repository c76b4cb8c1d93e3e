"""Audit a platform by the specification of GraphQL over HTTP, with node: `python -m tests.contract.audit`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mcli.platform import Platform

HERE = Path(__file__).parent


def main() -> int:
    """Install the audit in a temporary folder, print what it finds, and return its exit status."""
    with TemporaryDirectory() as folder, Platform() as platform:
        for name in ("package.json", "audit.mjs"):  # node looks for packages beside the script
            shutil.copy(HERE / name, folder)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
        command = ["node", "audit.mjs", platform.endpoint, platform.api_key]
        return subprocess.run(command, cwd=folder, check=False, timeout=120).returncode


if __name__ == "__main__":
    sys.exit(main())
