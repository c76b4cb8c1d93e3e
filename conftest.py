"""What every test and every example of a docstring runs in."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mcli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcli.platform import Platform

# A shell's `&` makes what it starts ignore Ctrl-C, and that its children, whom tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home directory in which nothing was ever configured, and an environment that configures nothing."""
    for variable in list(os.environ):
        if variable.startswith(("MCLI_", "MOSAICML_")) or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.delenv("RUN_NAME", raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MCLI_CONFIG_DIR", str(home / ".mosaic"))
    return home


@pytest.fixture(scope="session", autouse=True)
def nothing_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail at the end if the tests left a thread, a process or a temporary file."""
    scratch = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        patch.setattr(tempfile, "tempdir", str(scratch))
        yield
    threads = [each.name for each in threading.enumerate() if not _is_expected(each)]
    if left := [*threads, *_children(), *map(str, scratch.iterdir())]:
        pytest.fail(f"the tests left behind: {left}")


def _is_expected(thread: threading.Thread) -> bool:
    return thread is threading.main_thread() or thread.name == "mcli"


def _children() -> list[str]:
    """Return the commands of the processes that this one started, where the system tells."""
    tasks = Path("/proc/self/task")
    lists = [task / "children" for task in tasks.iterdir()] if tasks.exists() else []
    pids = [pid for each in lists if each.exists() for pid in each.read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids]


# Examples in docstrings


@pytest.fixture(scope="session")
def shared_platform() -> Iterator[Platform]:
    """Give the local platform that the examples of this session share."""
    from mcli.platform import Platform

    with Platform() as platform:
        yield platform


@pytest.fixture(autouse=True)
def platform_of_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let an example that asks a platform ask the local one; the others do not start it."""
    if not isinstance(request.node, pytest.DoctestItem) or not asks_a_platform(request.node):
        yield
        return
    platform: Platform = request.getfixturevalue("shared_platform")
    with mcli.MAPIConnection(platform.endpoint, platform.api_key):
        yield


@pytest.fixture(autouse=True, scope="session")
def names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    """Let examples use `mcli` without importing it."""
    doctest_namespace["mcli"] = mcli


def asks_a_platform(item: pytest.DoctestItem) -> bool:
    """Tell whether the source of an example calls an operation."""
    source = "".join(example.source for example in item.dtest.examples)
    called = set(re.findall(r"mcli\.(\w+)\(", source))
    return any(name == "create_runs" or hasattr(getattr(mcli, name, None), "aio") for name in called)
