"""What the commands of `python -m mcli.platform` do. Each takes the options and returns the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from mcli.platform import cleaning
from mcli.platform.execution import namespace
from mcli.platform.execution.folders import RunFolders
from mcli.platform.log_printer import print_log
from mcli.platform.presence import AlreadyServedError, find, make_data_dir
from mcli.platform.settings import OPTIONS, Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from mcli.platform.service import Platform

__all__ = ["configure", "logs", "prune", "reset", "serve", "start", "status", "stop"]

_NOT_RUNNING = 3
_ALREADY_SERVED = 4
_STOP_RUNS = signal.SIGUSR1
_CHECK_SECONDS = 1.0
_START_SECONDS = 30.0


def serve(options: argparse.Namespace) -> int:
    """Serve in the foreground until a signal comes, or nobody has used the platform for long."""
    from mcli.platform.execution.slurm import SlurmEngine  # the other commands would take longer with these
    from mcli.platform.service import Platform

    make_data_dir(options.data_dir)
    settings = Settings.load(options.data_dir).changed(_given(options))
    is_slurm = settings.engine == "slurm"
    platform = Platform(
        options.data_dir,
        port=settings.port,
        cluster=None if is_slurm else tuple(each.cluster() for each in settings.clusters),
        engine=SlurmEngine(settings.slurm()) if is_slurm else None,
        shared=settings.shared or None,
        grace=settings.grace,
        python=settings.python,
        namespaces=settings.namespaces,
        containers=settings.containers,
        container_options=settings.container_options,
        log_limit=settings.log_limit,
        outside=settings.outside,
        announced={"settings": settings.to_dict()},
    )
    try:
        platform.start()
    except AlreadyServedError as error:
        print(error, file=sys.stderr)
        return _ALREADY_SERVED
    if _given(options):
        settings.save(options.data_dir)
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


def start(options: argparse.Namespace) -> int:
    """Serve in the background, unless that is done already; print where."""
    make_data_dir(options.data_dir)
    found = find(options.data_dir)
    if found is not None:
        _check_same(found, _given(options))
    print(json.dumps(found or _start_in_background(options)))
    return 0


def _check_same(found: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse settings that the running platform does not have."""
    settings = Settings.from_dict(found.get("settings", {}))
    running, wanted = settings.options(), settings.changed(given).options()
    if others := [
        f"{name} {running[name]!r}, not {wanted[name]!r}" for name in running if running[name] != wanted[name]
    ]:
        raise RuntimeError(
            f"The platform runs with {'; '.join(others)}. "
            f"Stop it first, which lets its runs go on: python -m mcli.platform stop"
        )


def configure(options: argparse.Namespace) -> int:
    """Change the settings for the next start, and print them all."""
    make_data_dir(options.data_dir)
    before = Settings() if options.defaults else Settings.load(options.data_dir)
    settings = before.changed(_given(options))
    if options.defaults or _given(options):
        settings.save(options.data_dir)
    print(json.dumps(settings.to_dict()))
    found = find(options.data_dir)
    if found is not None and found.get("settings") != settings.to_dict():
        print("The running platform keeps its settings until it is started again.", file=sys.stderr)
    return 0


def _start_in_background(options: argparse.Namespace) -> dict[str, Any]:
    # -P: a folder `mcli` where the user happens to be is not this package
    command = [sys.executable, "-P", "-m", "mcli.platform", "serve", *_arguments(options)]
    log_file = options.data_dir / "server.log"
    log_file.touch(mode=0o600)
    with log_file.open("ab") as log:
        begin = log.tell()
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    with server.stdout or contextlib.nullcontext() as stdout:
        announcement = stdout.readline() if stdout else b""
    if announcement:
        server.returncode = 0  # it goes on without us
        found: dict[str, Any] = json.loads(announcement)
        return found
    if server.wait() == _ALREADY_SERVED:  # another `start` was quicker
        _wait_until(lambda: find(options.data_dir) is not None, _START_SECONDS)
        if other := find(options.data_dir):
            return other
    raise RuntimeError(_last_line(log_file, begin) or f"The platform did not start; see {log_file}.")


def _last_line(log_file: Path, begin: int) -> str:
    with log_file.open("rb") as log:
        log.seek(begin)
        return log.read().decode(errors="replace").rstrip().rpartition("\n")[2]


def status(options: argparse.Namespace) -> int:
    """Print whether the platform runs, and where; what its runs take on the disk, and what the machine allows."""
    found = find(options.data_dir)
    told = {"running": found is not None, "data_dir": str(options.data_dir), **(found or {})}
    told["disk_bytes"] = sum(RunFolders(options.data_dir / "runs").disk_use().values())
    told["fixed_folders"] = namespace.problem() or "real"
    print(json.dumps(told))
    return 0 if found else _NOT_RUNNING


def stop(options: argparse.Namespace) -> int:
    """Stop the platform, and wait until it has ended."""
    found = find(options.data_dir)
    if found is None:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(found["pid"], _STOP_RUNS if options.stop_runs else signal.SIGTERM)
    if _wait_until(lambda: find(options.data_dir) is None, options.timeout):
        return 0
    raise RuntimeError(
        f"The platform (process {found['pid']}) has not stopped within {options.timeout:g} seconds."
    )


def logs(options: argparse.Namespace) -> int:
    """Print the log of a run."""
    found = find(options.data_dir)
    if found is None:
        print("The platform is not running; `python -m mcli.platform start` starts it.", file=sys.stderr)
        return _NOT_RUNNING
    print_log(found, options.run, node=options.node, follow=options.follow)
    return 0


def prune(options: argparse.Namespace) -> int:
    """Remove the files of runs that ended long ago; print how many, and what that frees."""
    print(json.dumps(cleaning.prune(options.data_dir, options.older_than, keep_logs=options.keep_logs)))
    return 0


def reset(options: argparse.Namespace) -> int:
    """Stop the platform with its runs, and remove everything of it but the settings."""
    if not options.data_dir.exists():
        return 0
    if sys.stdin.isatty() and not options.yes:
        answer = input(
            f"Stop the platform in {options.data_dir}, and remove its runs, logs, secrets and keys? [y/N] "
        )
        if answer.strip().lower() not in {"y", "yes"}:
            return 1
    options.stop_runs = True
    stop(options)
    if cleaning.has_live_runs(options.data_dir):
        _end_runs(options.data_dir)
    cleaning.reset(options.data_dir)
    return 0


def _end_runs(data_dir: Path) -> None:
    """Stop the runs that go on without a platform."""
    from mcli.platform.service import Platform  # as in `serve`

    with Platform(data_dir):
        pass


def _wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives."""
    return {name: value for name, value in vars(options).items() if name in OPTIONS}


def _arguments(options: argparse.Namespace) -> list[str]:
    """Return the arguments of `serve` that mean the same as those of `start`."""
    arguments = [f"--data-dir={options.data_dir}", f"--idle-timeout={options.idle_timeout}"]
    for name, value in _given(options).items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{option}" if value else f"--no-{option}")
        else:
            arguments += [f"--{option}={each}" for each in (value if isinstance(value, list) else [value])]
    return arguments
