"""The configuration file among processes that save and read it at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from mcli import config
from mcli.config import MCLIConfig

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1.5
WRITER = """
import sys, time
from mcli.config import MCLIConfig

name, end, count = sys.argv[1], time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    kept = MCLIConfig.load_config()
    assert kept.MOSAICML_API_KEY == "abc", "the key is lost"
    assert kept.mcloud_envs.get(name, "0") == str(count), "the last change is lost"
    kept.mcloud_envs[name] = str(count := count + 1)
    kept.save_config()
print(count)
"""


def writer(name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, name, str(SECONDS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_nobody_loses_a_key_or_reads_a_broken_file(isolated: Path) -> None:
    """While two processes save in a loop, neither loses anything, and every read is of a whole file with the key."""
    config.set_api_key("abc")
    file = isolated / ".mosaic" / "mcli_config"
    file.write_text(f"# mine\n{file.read_text()}")
    reads = 0
    with writer("a") as one, writer("b") as two:
        while one.poll() is None or two.poll() is None:
            text = file.read_text()
            assert ("abc", "# mine\n") == (yaml.safe_load(text)["MOSAICML_API_KEY"], text[:7])
            assert "abc" == MCLIConfig.load_config().api_key
            reads += 1
        counts = [each.communicate()[0].strip() for each in (one, two)]
    assert {"a": counts[0], "b": counts[1]} == MCLIConfig.load_config().mcloud_envs
    assert [0, 0] == [one.returncode, two.returncode]
    assert reads > 0
