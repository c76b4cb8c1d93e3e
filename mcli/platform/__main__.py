"""Start, find and stop the local platform: `python -m mcli.platform --help`."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mcli.platform import commands
from mcli.platform.execution.containers import KINDS
from mcli.platform.execution.engine import GRACE
from mcli.platform.presence import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_IDLE_SECONDS = 600.0
_INTERRUPTED = 130
_SWITCH = argparse.BooleanOptionalAction


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
    configure = add(
        "configure", commands.configure, "change settings for the next start, and print them", folder, server
    )
    configure.add_argument("--defaults", action="store_true", help="forget the settings made so far")
    add("status", commands.status, "tell where the platform is; exit status 3 if nowhere", folder)
    stop = add("stop", commands.stop, "stop the platform; runs go on", folder)
    stop.add_argument("--stop-runs", action="store_true", help="stop the runs first")
    stop.add_argument("--timeout", type=_seconds, default=60.0, help="seconds to wait for the end")
    prune = add("prune", commands.prune, "remove the files of runs that ended long ago", folder)
    prune.add_argument(
        "--older-than",
        type=_age,
        required=True,
        metavar="AGE",
        help="how long ago the runs ended, like 7d or 12h",
    )
    prune.add_argument("--keep-logs", action="store_true", help="remove only what the runs have made")
    reset = add("reset", commands.reset, "remove runs, logs, secrets and keys; settings stay", folder)
    reset.add_argument("--yes", "-y", action="store_true", help="do not ask on a terminal")
    reset.add_argument(
        "--timeout", type=_seconds, default=60.0, help="seconds to wait for the end of the platform"
    )
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
    """Return the options that are settings; one that is not given is as it was at the last start."""
    server = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    add = server.add_argument
    add(
        "--port",
        type=_whole(0, 65535),
        help="port on 127.0.0.1, 0 for a free one; with --bind the port there",
    )
    add("--grace", type=_seconds, help=f"seconds between SIGTERM and SIGKILL of runs ({GRACE:g})")
    add("--log-limit", type=_size, help="size of a log from which on it is cut, like 500MiB (10GiB)")
    add("--python", type=_path, help="Python whose packages runs find (the one that serves)")
    add(
        "--namespaces",
        action=_SWITCH,
        help="whether /workspace is real for a run, where the machine allows it",
    )
    add("--containers", choices=("none", "auto", *KINDS), help="what runs commands in their images (none)")
    add(
        "--container-options",
        action="append",
        metavar="OPTION",
        help="further option of its `run`, like --container-options=--ulimit=nofile=4096:4096",
    )
    add("--cluster-name", action="append", help="name of the cluster; given again, a further name for it")
    add("--nodes", type=_whole(0), help="simulate a cluster of so many nodes; 0 for this machine")
    add("--gpus-per-node", type=_whole(0), help="GPUs of each simulated node (8)")
    add("--gpu-type", help="type of the simulated GPUs (a100_80gb)")
    add("--engine", choices=("processes", "slurm"), help="what executes runs (processes)")
    add("--shared", type=_path, metavar="FOLDER", help="folder for runs that all nodes of Slurm see")
    add("--slurm-partitions", action="append", metavar="PRIORITY=NAME", help="partition for a priority")
    add("--slurm-preemptible-partition", metavar="NAME", help="partition for preemptible runs")
    add(
        "--slurm-options",
        action="append",
        metavar="OPTION",
        help="further option of sbatch, like --account=x",
    )
    add("--bind", metavar="ADDRESS", help="let other machines connect to this address")
    add("--endpoint", metavar="URL", help="how other machines reach the platform")
    add("--tls-cert", type=_path, metavar="FILE", help="certificate for --bind; by default one is made")
    add("--tls-key", type=_path, metavar="FILE", help="its key")
    add("--plain-http", action=_SWITCH, help="let other machines connect without encryption")
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


def _path(text: str) -> str:
    return str(_folder(text)) if text else ""


def _size(text: str) -> int:
    """Read a number of bytes, with a unit or without.

    >>> _size("10GiB"), _size("1500")
    (10737418240, 1500)
    """
    found = re.fullmatch(r"(\d+)\s*([KMGT]i?B?|B?)", text.strip(), re.IGNORECASE)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"must be a size like 10GiB, not {text!r}")
    return int(found[1]) << 10 * " kmgt".index(found[2][:1].lower().replace("b", "") or " ")


def _age(text: str) -> timedelta:
    """Read a span of time.

    >>> _age("7d"), _age("1.5h")
    (datetime.timedelta(days=7), datetime.timedelta(seconds=5400))
    """
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower())
    try:
        return timedelta(**{units[found[2]]: float(found[1])}) if found else _no_age(text)
    except OverflowError:
        return _no_age(text)


def _no_age(text: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"must be a span of time like 7d, 12h or 30m, not {text!r}")


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
