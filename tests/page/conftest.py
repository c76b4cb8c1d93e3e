"""One platform for all claims: two simulated nodes of eight GPUs each, whose runs are real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mcli
from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def platform_of_the_page() -> Iterator[Platform]:
    """Give the platform that the claims share."""
    with Platform(cluster=virtual(2, 8), grace=1) as platform:
        yield platform


@pytest.fixture(autouse=True)
def _on_the_platform(platform_of_the_page: Platform) -> Iterator[None]:
    with mcli.MAPIConnection(platform_of_the_page.endpoint, platform_of_the_page.api_key):
        yield
