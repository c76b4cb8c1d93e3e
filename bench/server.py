"""A server that does nothing but answer: what is measured against it is the client."""

import asyncio
import json
import sys
from typing import Any

RESUMPTION: dict[str, Any] = {
    "executionIndex": 0, "clusterName": "r1z1", "cpus": 0, "gpuType": "a100_80gb", "gpus": 8, "nodes": 1,
    "status": "RUNNING", "startTime": "2026-03-31T12:23:04.000Z", "endTime": None, "estimatedEndTime": None,
    "reason": "",
}  # fmt: skip
RUN: dict[str, Any] = {
    "id": "7d9f1c0e-3b4a-4f0e-9a52-0d1f6f0c8d11", "name": "bert-base-x7Kq2P", "status": "RUNNING",
    "createdAt": "2026-03-31T12:23:04.123Z", "updatedAt": "2026-03-31T12:23:05.123Z", "reason": "",
    "createdByEmail": "me@example.com", "priority": "auto", "maxRetries": 0, "preemptible": False,
    "retryOnSystemFailure": False, "maxDurationSeconds": None, "isDeleted": False, "runType": "TRAINING",
    "resumptions": [RESUMPTION],
}  # fmt: skip
DETAILS: dict[str, Any] = {
    "image": "mosaicml/llm-foundry:2.4.0",
    "originalRunInput": {
        "runName": "bert-base", "image": "mosaicml/llm-foundry:2.4.0", "command": "composer train.py $PARAMETERS",
        "compute": {"gpus": 8, "cluster": "r1z1"}, "scheduling": {"priority": "auto"},
        "integrations": [{"type": "git_repo", "params": {"gitRepo": "mosaicml/llm-foundry", "gitBranch": "main"}}],
        "envVariables": [{"envKey": "A", "envValue": "b"}],
        "parameters": {"seed": 17, "model": {"name": "mpt", "d_model": 768}, "optimizer": {"lr": 1e-4}},
        "metadata": {"team": "nlp"},
    },
    "metadata": {"mosaicml/training_progress": "[batch=3/10]", "loss": 2.3},
    "lastExecutionId": "98fd52c9-11c0-4d69-b3d5-1039247ae2e6",
    "lifecycle": [
        {"executionIndex": 0, "status": status, "startTime": "2026-03-31T12:23:04.000Z",
         "endTime": "2026-03-31T12:23:05.000Z", "reason": None}
        for status in ("PENDING", "QUEUED", "STARTING", "RUNNING")
    ],
    "nodes": [{"rank": 0, "name": "node-1", "status": "RUNNING", "reason": None}],
    "formattedRunEvents": [
        {"resumptionIndex": 0, "eventType": kind, "eventTime": "2026-03-31T12:23:04.000Z", "eventMessage": kind}
        for kind in ("CREATED", "STARTED")
    ],
}  # fmt: skip


def page(count: int, *, details: bool) -> bytes:
    """Return the answer of a list of runs."""
    runs = [
        {**RUN, "id": str(i), "name": f"run-{i}"} | ({"details": DETAILS} if details else {})
        for i in range(count)
    ]
    return json.dumps(
        {"data": {"getRunsPaginated": {"cursor": None, "hasNextPage": False, "runs": runs}}}
    ).encode()


class Answer(asyncio.Protocol):
    """Answers every request on a connection with the same body, after a delay."""

    def __init__(self, body: bytes, delay: float) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._answer, self._delay, self._received = head.encode() + body, delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if separator and len(rest) >= length:
            self._received = rest[length:]
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._answer)
            else:
                self._transport.write(self._answer)


async def main(count: int, details: bool, delay: float) -> None:
    """Serve until killed; the port is the first line of output."""
    body = page(count, details=details)
    server = await asyncio.get_running_loop().create_server(lambda: Answer(body, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2] == "details", float(sys.argv[3])))
