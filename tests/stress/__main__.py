"""Play all scenarios, or those that are named, and print their figures: `python -m tests.stress [SCENARIO …]`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.stress import big_logs, full_disk, kills, million

SCENARIOS = {
    "kills": kills.play,
    "full disk": full_disk.play,
    "big logs": big_logs.play,
    "a million runs": million.play,
}
BAD = ("lost", "doubled", "stuck", "failed without reason")


def main() -> int:
    """Return 0 if nothing was lost, doubled, stuck, or failed without a reason."""
    sums = dict.fromkeys(BAD, 0)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    for name, play in SCENARIOS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        begin = time.monotonic()
        with TemporaryDirectory(prefix="mcli-stress-") as folder:
            figures = play(Path(folder), random.Random(seed))
        told = ", ".join(f"{key} {value}" for key, value in figures.items())
        print(f"{name} ({time.monotonic() - begin:.0f} s): {told}", flush=True)
        for key in BAD:
            sums[key] += figures.get(key, 0)
    print(", ".join(f"{key} {value}" for key, value in sums.items()))
    return int(any(sums.values()))


if __name__ == "__main__":
    sys.exit(main())
