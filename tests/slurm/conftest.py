"""One cluster for all tests that need a real Slurm; they are skipped with the reason where there can be none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mcli.platform.execution.slurm import SlurmEngine
from tests.platform.engines.stage import Stage
from tests.slurm.cluster import SlurmCluster, what_is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Return a cluster of three nodes."""
    if reason := what_is_missing():
        pytest.skip(f"no Slurm: {reason}")
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    before = os.environ.get("SLURM_CONF")
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


@pytest.fixture
def stage(cluster: SlurmCluster, tmp_path: Path) -> Stage:
    """Return a stage on the cluster."""
    return Stage(tmp_path, SlurmEngine, cluster="tested")
