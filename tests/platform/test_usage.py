"""What runs use, and how the kernel's word on memory is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mcli.platform.execution.usage import Meter, out_of_memory_kills

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platform.caller import Caller

HOG = "python -c 'import time; held = bytearray(200_000_000); time.sleep(1.2)'"


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("groups", "counter", "text"),
    [
        ("0::/user/run", "sys/fs/cgroup/user/run/memory.events", "low 0\noom 2\noom_kill 3\n"),
        ("0::/", "sys/fs/cgroup/memory.events", "oom_kill 3\n"),
        (
            "9:cpu:/x\n4:memory:/docker/a",
            "sys/fs/cgroup/memory/docker/a/memory.oom_control",
            "under_oom 0\noom_kill 3",
        ),
        ("", "proc/vmstat", "pgfault 9\noom_kill 3\n"),
    ],
    ids=["version 2", "version 2 in a container", "version 1", "none"],
)
def test_counters_of_the_kernel(tmp_path: Path, groups: str, counter: str, text: str) -> None:
    """The count of our own group is read, of the machine where there is none."""
    write(tmp_path, "proc/vmstat", "oom_kill 100\n")
    write(tmp_path, "proc/self/cgroup", f"{groups}\n" if groups else "")
    write(tmp_path, counter, text)
    assert 3 == out_of_memory_kills(tmp_path)


def test_a_machine_that_counts_nothing(tmp_path: Path) -> None:
    """Where the kernel tells nothing, nothing was killed for want of memory."""
    assert 0 == out_of_memory_kills(tmp_path)


def test_a_look_sees_the_memory_of_all_processes(tmp_path: Path) -> None:
    """What two processes hold is counted together, and the peak stays."""
    meter = Meter(tmp_path)
    while meter.seconds_left:
        pass
    meter.look([os.getpid(), os.getpid()])
    twice = meter.result(0, stopped=False)["peak_bytes"]
    assert 0 < twice


def test_a_stopped_command_was_not_short_of_memory(tmp_path: Path) -> None:
    """SIGKILL after a stop is ours."""
    assert not Meter(tmp_path).result(137, stopped=True)["out_of_memory"]


def test_the_end_tells_what_was_used(caller: Caller) -> None:
    """The event of a run's end has its peak of memory, which is that of its largest moment, and its CPU time."""
    run = caller.finish(HOG)
    last = run["details"]["formattedRunEvents"][-1]["eventMessage"]
    assert last.startswith("Run completed successfully. At most ")
    used, unit = last.removeprefix("Run completed successfully. At most ").split()[:2]
    assert "MB" == unit
    assert 190 < float(used) < 400
    assert "Run completed successfully" == run["reason"]


def test_gpus_are_watched(tmp_path: Path, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nvidia-smi is, the end tells how busy the run's own GPUs were."""
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        '#!/bin/sh\nfor each; do case $each in --filename=*) printf "50\\n100\\n" > "${each#*=}";; esac; done\n'
    )
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    run = caller.finish("sleep 0.5", compute={"gpus": 1})
    assert run["details"]["formattedRunEvents"][-1]["eventMessage"].endswith("GPUs busy for 75 %.")
