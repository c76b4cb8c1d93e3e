"""The suite of every engine, on a real Slurm."""

import pytest

from tests.platform.engines.test_conformance import *  # noqa: F403 - all of it

pytestmark = pytest.mark.slurm
