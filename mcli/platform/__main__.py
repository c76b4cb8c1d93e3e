"""Start, find and stop the local platform: `python -m mcli.platform --help`."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from mcli.platform.execution.executor import GRACE
from mcli.platform.execution.folders import make_private
from mcli.platform.presence import AlreadyServedError, default_data_dir, find
from mcli.platform.scheduling.cluster import Cluster, virtual

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli.platform.service import Platform

__all__ = ["main"]

_NOT_RUNNING = 3
_ALREADY_SERVED = 4
_STOP_RUNS = signal.SIGUSR1
_PROTOCOL = Subprotocol("graphql-transport-ws")
_SERVE_OPTIONS = ("data_dir", "port", "grace", "nodes", "gpus_per_node", "gpu_type", "idle_timeout")
_CHECK_SECONDS = 1.0
_START_SECONDS = 30.0
_IDLE_SECONDS = 600.0
_LOGS = """
subscription Logs($getRunLogsInput: GetRunLogsInput!) {
  getRunLogsV2(getRunLogsInput: $getRunLogsInput) { chunk endOffset }
}
"""


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; gives the exit status."""
    options = _parser().parse_args(arguments)
    status: int = options.command(options)
    return status


def _serve(options: argparse.Namespace) -> int:
    from mcli.platform.service import Platform  # The other commands would take twice as long with it.

    platform = Platform(options.data_dir, port=options.port, cluster=_cluster(options), grace=options.grace)
    try:
        platform.start()
    except (AlreadyServedError, OSError) as error:
        print(error, file=sys.stderr)
        return _ALREADY_SERVED if isinstance(error, AlreadyServedError) else 1
    print(json.dumps(find(options.data_dir)), flush=True)
    stop_runs = asyncio.run(_until_over(platform, options.idle_timeout))
    platform.stop(runs=stop_runs or options.stop_runs)
    return 0


async def _until_over(platform: Platform, idle_timeout: float | None) -> bool:
    """Wait for a signal or for idleness; tell whether the signal was the one that stops runs as well."""
    over, stop_runs = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)

    def end_with_runs() -> None:
        stop_runs.set()
        over.set()

    loop.add_signal_handler(_STOP_RUNS, end_with_runs)
    while not over.is_set() and (idle_timeout is None or platform.idle_seconds() < idle_timeout):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _CHECK_SECONDS)
    return stop_runs.is_set()


def _start(options: argparse.Namespace) -> int:
    make_private(options.data_dir)
    found = find(options.data_dir) or _start_in_background(options)
    if found is None:
        print(f"The platform did not start; see {options.data_dir / 'server.log'}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


def _start_in_background(options: argparse.Namespace) -> dict[str, Any] | None:
    # -P: a folder `mcli` where the user happens to be is not this package.
    command = [sys.executable, "-P", "-m", "mcli.platform", "serve", *_arguments(options)]
    log_file = options.data_dir / "server.log"
    log_file.touch(mode=0o600)
    with log_file.open("ab") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    with server.stdout or contextlib.nullcontext() as stdout:
        announcement = stdout.readline() if stdout else b""
    if announcement:
        server.returncode = 0  # It goes on without us.
        found: dict[str, Any] = json.loads(announcement)
        return found
    if server.wait() != _ALREADY_SERVED:
        return None
    _wait_until(lambda: find(options.data_dir) is not None, _START_SECONDS)  # Another `start` was quicker.
    return find(options.data_dir)


def _status(options: argparse.Namespace) -> int:
    found = find(options.data_dir)
    print(json.dumps({"running": found is not None, "data_dir": str(options.data_dir), **(found or {})}))
    return 0 if found else _NOT_RUNNING


def _stop(options: argparse.Namespace) -> int:
    found = find(options.data_dir)
    if found is None:
        return 0
    os.kill(found["pid"], _STOP_RUNS if options.stop_runs else signal.SIGTERM)
    if _wait_until(lambda: find(options.data_dir) is None, options.timeout):
        return 0
    print(
        f"The platform (process {found['pid']}) has not stopped within {options.timeout:g} s.",
        file=sys.stderr,
    )
    return 1


def _logs(options: argparse.Namespace) -> int:
    found = find(options.data_dir)
    if found is None:
        print("The platform is not running; `python -m mcli.platform start` starts it.", file=sys.stderr)
        return _NOT_RUNNING
    wanted = {"name": options.run, "follow": options.follow, "nodeRank": options.node, "offset": 0}
    key = Path(found["api_key_file"]).read_text().strip()
    with connect(
        found["endpoint"].replace("http", "ws", 1), subprotocols=[_PROTOCOL], max_size=None
    ) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": key}}))
        payload = {"query": _LOGS, "variables": {"getRunLogsInput": wanted}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        for text in socket:
            message = json.loads(text)
            if message["type"] == "next":
                sys.stdout.buffer.write(base64.b64decode(message["payload"]["data"]["getRunLogsV2"]["chunk"]))
                sys.stdout.flush()
            elif message["type"] == "error":
                print(message["payload"][0]["message"], file=sys.stderr)
                return 1
            elif message["type"] == "complete":
                return 0
    return 1


def _wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _cluster(options: argparse.Namespace) -> Cluster | None:
    if options.nodes is None:
        return None
    return virtual(options.nodes, options.gpus_per_node, options.gpu_type)


def _arguments(options: argparse.Namespace) -> list[str]:
    """Give the arguments of `serve` that mean the same as those of `start`."""
    given = {name: value for name in _SERVE_OPTIONS if (value := getattr(options, name)) is not None}
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mcli.platform", description=__doc__)
    commands = parser.add_subparsers(required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument(
        "--data-dir",
        type=lambda text: Path(text).absolute(),
        default=default_data_dir(),
        help="where the state is",
    )
    server = argparse.ArgumentParser(add_help=False)
    server.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, 0 for a free one")
    server.add_argument(
        "--grace", type=float, default=GRACE, help="seconds between SIGTERM and SIGKILL of runs"
    )
    server.add_argument("--nodes", type=int, help="simulate a cluster of so many nodes")
    server.add_argument("--gpus-per-node", type=int, default=8, help="GPUs of each simulated node")
    server.add_argument("--gpu-type", default="a100_80gb", help="type of the simulated GPUs")

    serve = commands.add_parser("serve", parents=[folder, server], help="serve in the foreground")
    serve.add_argument("--idle-timeout", type=float, help="stop after so many idle seconds")
    serve.add_argument("--stop-runs", action="store_true", help="stop the runs as well at the end")
    serve.set_defaults(command=_serve)
    start = commands.add_parser("start", parents=[folder, server], help="serve in the background")
    start.add_argument(
        "--idle-timeout", type=float, default=_IDLE_SECONDS, help="stop after so many idle seconds"
    )
    start.set_defaults(command=_start)
    status = commands.add_parser("status", parents=[folder], help="tell where the platform is; 3 if nowhere")
    status.set_defaults(command=_status)
    stop = commands.add_parser("stop", parents=[folder], help="stop the platform; runs go on")
    stop.add_argument("--stop-runs", action="store_true", help="stop the runs first")
    stop.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the end")
    stop.set_defaults(command=_stop)
    logs = commands.add_parser("logs", parents=[folder], help="print the log of a run")
    logs.add_argument("run", help="name of the run")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until the run has ended")
    logs.add_argument("--node", type=int, default=0, help="rank of the node")
    logs.set_defaults(command=_logs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
