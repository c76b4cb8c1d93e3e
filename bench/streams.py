"""Logs and watches, each as a ratio to its floor in the same run: `python -m bench.streams`."""

import asyncio
import base64
import json
import resource
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

import mcli

LOG = 32 << 20


def frames(size: int, total: int) -> list[tuple[str, int]]:
    """Return a log of lines as base64 chunks of a size, each with its end offset."""
    chunk = base64.b64encode((b"x" * 79 + b"\n") * (size // 80) or b"x" * 99 + b"\n").decode()
    step = len(base64.b64decode(chunk))
    return [(chunk, step * (i + 1)) for i in range(total // step)]


@contextmanager
def serving(answer: Any) -> Iterator[str]:
    """Serve subscriptions in a process of its own, and give the endpoint."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    parent, child = context.Pipe()
    process = context.Process(target=_serve, args=(answer, child), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{parent.recv()}/graphql"
    process.kill()
    process.join()


def _serve(answer: Any, pipe: Any) -> None:
    async def handle(socket: ServerConnection) -> None:
        async for raw in socket:
            message = json.loads(raw)
            if message["type"] == "connection_init":
                await socket.send('{"type": "connection_ack"}')
            elif message["type"] == "subscribe":
                await answer(socket, message["id"])

    async def main() -> None:
        protocols = [Subprotocol("graphql-transport-ws")]
        async with serve(handle, "127.0.0.1", 0, subprotocols=protocols, compression=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(main())


def log_frames(size: int, total: int) -> tuple[Any, Any]:
    """Return what serves a log in frames of one size, and what reads it with bare websockets, JSON and base64."""
    texts = frames(size, total)

    async def answer(socket: ServerConnection, serial: str) -> None:
        for chunk, end in texts:
            data = {"data": {"getRunLogsV2": {"chunk": chunk, "endOffset": end}}}
            await socket.send(json.dumps({"id": serial, "type": "next", "payload": data}))
        await socket.send(json.dumps({"id": serial, "type": "complete"}))

    async def bare(endpoint: str) -> int:
        url = "ws" + endpoint.removeprefix("http")
        size = 0
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], max_size=None) as socket:
            await socket.send('{"type": "connection_init"}')
            await socket.recv()
            await socket.send('{"type": "subscribe", "id": "1"}')
            async for raw in socket:
                message = json.loads(raw)
                if message["type"] == "complete":
                    return size
                size += len(base64.b64decode(message["payload"]["data"]["getRunLogsV2"]["chunk"]))
        return size

    return answer, bare


def logs(size: int, total: int) -> None:
    """get_run_logs of frames of one size, against bare websockets and base64."""
    answer, bare = log_frames(size, total)
    with serving(answer) as endpoint, mcli.MAPIConnection(endpoint, "a-key"):
        ours, floor = [], []
        for _ in range(5):
            begin = time.perf_counter()
            text = mcli.get_run_logs("a-run")
            ours.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            assert len(text) == asyncio.run(bare(endpoint))
            floor.append(time.perf_counter() - begin)
    one, other = statistics.median(ours), statistics.median(floor)
    print(f"log frames of {size:6} bytes: {one:6.3f} s, bare {other:6.3f} s, {one / other:5.2f} x")


def watches(count: int) -> None:
    """Many watches at once, started cold."""
    statuses = ("PENDING", "RUNNING", "COMPLETED")

    async def answer(socket: ServerConnection, serial: str) -> None:
        for status in statuses:
            data = {"data": {"watchRunStatus": status}}
            await socket.send(json.dumps({"id": serial, "type": "next", "payload": data}))

    from mcli_mapi.get_runs_paginated import GetRunsPaginated

    from bench.server import page
    from mcli._core.answers import read
    from mcli._run_values import runs_of

    (run,) = runs_of(read(GetRunsPaginated, page(1, details=False)).get_runs_paginated.runs)
    with serving(answer) as endpoint, mcli.MAPIConnection(endpoint, "a-key"):
        begin = time.perf_counter()
        streams = [mcli.watch_run_status(run, future=True) for _ in range(count)]
        times = []
        firsts = [next(stream) for stream in streams]
        for first in firsts:
            first.add_done_callback(lambda _: times.append(time.perf_counter() - begin))
        for first in firsts:
            first.result()
        print(
            f"{count} watches cold: all delivered in {max(times):.3f} s, median {statistics.median(times):.3f} s"
        )
        for stream in streams:
            stream.close()
    print(
        f"threads: {threading.active_count()}, memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
    )


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["logs", "watches"]
    if "logs" in chosen:
        for size, total in ((64_000, LOG), (4_000, LOG), (100, 1 << 20)):
            logs(size, total)
    if "watches" in chosen:
        watches(1000)
