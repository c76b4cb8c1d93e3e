"""The engines that the suite is played on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcli.platform.execution.processes import ProcessEngine
from mcli.platform.scheduling.cluster import virtual
from tests.platform.engines.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["processes"])
def stage(tmp_path: Path) -> Stage:
    """A stage for each engine."""
    return Stage(tmp_path, lambda: ProcessEngine(virtual(2, 8)))
