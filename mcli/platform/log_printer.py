"""Print the log of a run, as any client of the platform could."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

__all__ = ["print_log"]

_PROTOCOL = Subprotocol("graphql-transport-ws")
_LOGS = """
subscription Logs($getRunLogsInput: GetRunLogsInput!) {
  getRunLogsV2(getRunLogsInput: $getRunLogsInput) { chunk endOffset }
}
"""


def print_log(found: dict[str, Any], run: str, *, node: int, follow: bool) -> None:
    """Write the log of a run to standard output.

    Args:
        found: What the platform has announced.
        run: Name of the run.
        node: Rank of the node.
        follow: Whether to go on until the resumption has ended.

    Raises:
        RuntimeError: There is no such log, or the platform cannot be reached.
    """
    key = Path(found["api_key_file"]).read_text(encoding="utf-8").strip()
    address = found["endpoint"].replace("http", "ws", 1)
    wanted = {"name": run, "follow": follow, "nodeRank": node, "offset": 0}
    try:
        # never by a proxy: the platform is on this machine
        with connect(address, subprotocols=[_PROTOCOL], max_size=None, proxy=None) as socket:
            socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": key}}))
            payload = {"query": _LOGS, "variables": {"getRunLogsInput": wanted}}
            socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            _print_all(socket)
    except BrokenPipeError:  # of our output: a socket's would be a WebSocketException
        raise
    except (WebSocketException, ConnectionError, TimeoutError) as error:
        raise RuntimeError(f"The platform at {found['endpoint']} cannot be reached: {error}") from None


def _print_all(socket: ClientConnection) -> None:
    for text in socket:
        message = json.loads(text)
        if message["type"] == "error":
            raise RuntimeError(message["payload"][0]["message"])
        if message["type"] == "complete":
            return
        if message["type"] == "next":
            if problems := message["payload"].get("errors"):
                raise RuntimeError(problems[0]["message"])
            sys.stdout.buffer.write(base64.b64decode(message["payload"]["data"]["getRunLogsV2"]["chunk"]))
            sys.stdout.flush()
    raise RuntimeError("The platform has closed the connection before the end of the log.")
