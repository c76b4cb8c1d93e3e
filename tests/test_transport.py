"""Requests over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mcli
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import ServeHttp


def test_calls_in_a_row_share_one_connection(serve_http: ServeHttp) -> None:
    """200 calls in a row open one connection."""
    server = serve_http(lambda call: wire.page(wire.run()))
    for _ in range(200):
        mcli.get_run("run-a")
    assert (1, 200) == (server.connections, len(server.calls))
