"""Start, find and stop the local platform: `python -m mcli.platform --help`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mcli.platform import commands
from mcli.platform.execution.engine import GRACE
from mcli.platform.presence import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_IDLE_SECONDS = 600.0
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says, and return the exit status; what goes wrong is told in one line."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has enough, like `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return status


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    """Prints the version of the installed distribution, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"mcli-sdk {metadata.version('mcli-sdk')}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(prog="python -m mcli.platform", description=__doc__)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    verbs = parser.add_subparsers(required=True)
    folder, server = _folder_options(), _server_options()

    def add(name: str, command: object, text: str, *parents: _Parser) -> _Parser:
        verb = verbs.add_parser(name, parents=parents, help=text)
        verb.set_defaults(command=command)
        return verb

    serve = add("serve", commands.serve, "serve in the foreground", folder, server)
    serve.add_argument("--idle-timeout", type=_seconds, help="stop after so many idle seconds")
    serve.add_argument("--stop-runs", action="store_true", help="stop the runs as well at the end")
    start = add("start", commands.start, "serve in the background", folder, server)
    start.add_argument(
        "--idle-timeout", type=_seconds, default=_IDLE_SECONDS, help="stop after so many idle seconds"
    )
    add("status", commands.status, "tell where the platform is; exit status 3 if nowhere", folder)
    stop = add("stop", commands.stop, "stop the platform; runs go on", folder)
    stop.add_argument("--stop-runs", action="store_true", help="stop the runs first")
    stop.add_argument("--timeout", type=_seconds, default=60.0, help="seconds to wait for the end")
    logs = add("logs", commands.logs, "print the log of a run", folder)
    logs.add_argument("run", help="name of the run")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until the run has ended")
    logs.add_argument("--node", type=_whole(0), default=0, help="rank of the node")
    return parser


def _folder_options() -> _Parser:
    folder = _Parser(add_help=False)
    folder.add_argument(
        "--data-dir", type=_folder, default=default_data_dir(), help="where the state is (%(default)s)"
    )
    return folder


def _server_options() -> _Parser:
    server = _Parser(add_help=False)
    server.add_argument(
        "--port", type=_whole(0, 65535), default=0, help="port on 127.0.0.1, 0 for a free one"
    )
    server.add_argument(
        "--grace", type=_seconds, default=GRACE, help="seconds between SIGTERM and SIGKILL of runs"
    )
    server.add_argument(
        "--python", type=os.path.abspath, default=sys.executable, help="Python whose packages runs find"
    )
    server.add_argument("--nodes", type=_whole(1), help="simulate a cluster of so many nodes")
    server.add_argument("--gpus-per-node", type=_whole(0), default=8, help="GPUs of each simulated node")
    server.add_argument("--gpu-type", default="a100_80gb", help="type of the simulated GPUs")
    return server


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within bounds from the command line."""

    def read(text: str) -> int:
        allowed = f"a whole number from {least} to {most}" if most else f"a whole number of at least {least}"
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text!r}")
        return number

    return read


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
