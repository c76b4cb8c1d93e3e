"""From a run to ranks that can be started: folders, files, environment, script."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mcli.platform.execution.engine import Rank
from mcli.platform.execution.environment import (
    host_environment,
    integration_variables,
    rank_environment,
    set_up_environment,
)
from mcli.platform.execution.folders import NodeFolder, RunFolders
from mcli.platform.execution.log_limit import LOG_LIMIT
from mcli.platform.execution.namespace import Layout, inside, problem
from mcli.platform.execution.packages import Base, examine, make_environment, variables
from mcli.platform.execution.script import exports, script
from mcli.platform.state.vault import StoredSecret, mount, mount_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcli.platform.state.records import Run

__all__ = ["HostSettings", "prepare"]

WORKSPACE = "/workspace"
"""Where a command starts, as it knows the folder."""
_LONGEST_ARGUMENT = 100_000
"""Bytes; Linux allows 128 KiB for one argument."""


@dataclass(frozen=True)
class HostSettings:
    """What all runs of a server have in common."""

    folders: RunFolders
    endpoint: str
    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    bound: bool
    """Whether runs end with the server, because nobody could find them again."""
    python: str = sys.executable
    """The Python whose packages runs find."""
    namespaces: bool = True
    """Whether runs have a mount namespace of their own, where the machine allows it."""
    log_limit: int = LOG_LIMIT
    """Bytes that are kept of each log of a rank."""


def prepare(run: Run, site: HostSettings, *, token: str, secrets: Sequence[StoredSecret]) -> list[Rank]:
    """Make the files of the current resumption and return its ranks."""
    base = examine(site.python)
    return [_prepare_node(run, site, rank, base, token, secrets) for rank in range(run.demand.nodes)]


def _prepare_node(
    run: Run, site: HostSettings, rank: int, base: Base, token: str, secrets: Sequence[StoredSecret]
) -> Rank:
    folder = site.folders.node(run.name, run.index, rank)
    folder.make()
    _write_private(folder.log, f"[mcli] Working folder: {folder.work}\n")
    make_environment(folder.packages, base)
    _write_private(folder.token, token)
    _write_yaml(folder.config / "parameters.yaml", run.executed.get("parameters") or {})
    _write_yaml(folder.config / "run_config.yaml", run.submitted)
    is_real = site.namespaces and problem() is None
    environment = rank_environment(
        run_name=run.name,
        run_input=run.executed,
        demand=run.demand,
        node_rank=rank,
        resumption=run.index,
        endpoint=site.endpoint,
        token_file=folder.token,
        parameters_file=folder.config / "parameters.yaml",
        log_dir=folder.gpu_logs,
        secrets=mount(secrets, folder.secrets),
        integrations=integration_variables(run.executed, run.name),
        base=_base_environment(folder, site, is_real=is_real),
    )
    places = _places(folder, secrets)
    argv = _bash(_text(run, folder, site.folders.code(run.name), {} if is_real else places), folder)
    return Rank(
        folder=str(folder.path),
        argv=inside(_layout(folder, places, base), folder.layout, argv) if is_real else argv,
        environment=environment,
        working_folder=str(folder.work),
        log=str(folder.log),
        grace=site.grace,
        bound=site.bound,
        log_limit=site.log_limit,
    )


def _base_environment(folder: NodeFolder, site: HostSettings, *, is_real: bool) -> dict[str, str]:
    """Return what a rank has of the server's environment, with its own packages."""
    host = host_environment(os.environ, site.python)
    # Where the user's packages are not read-only, importing them must not write there either.
    guard = {} if is_real else {"PYTHONDONTWRITEBYTECODE": "1"}
    return {**host, **variables(folder.packages, host["PATH"]), **guard}


def _places(folder: NodeFolder, secrets: Sequence[StoredSecret]) -> dict[str, str]:
    """Return the folder of this machine for each one that a command knows by a fixed path."""
    fixed = {WORKSPACE: folder.work, "/mnt/config": folder.config, "/secrets": folder.secrets}
    return {**{place: str(real) for place, real in fixed.items()}, **mount_points(secrets, folder.secrets)}


def _layout(folder: NodeFolder, places: Mapping[str, str], base: Base) -> Layout:
    """Make the fixed paths real, and the packages of the user and of this server read-only."""
    protected = sorted({*base.belongings, *examine(sys.executable).belongings})
    folders = {place: (real, place != WORKSPACE) for place, real in places.items() if place != "/"}
    if any(folder.path.is_relative_to(path) for path in protected):
        folders[str(folder.path)] = (str(folder.path), False)
    return Layout(str(folder.root), folders, protected, start=WORKSPACE)


def _text(run: Run, folder: NodeFolder, code: Path, mount_map: Mapping[str, str]) -> str:
    """Return the script of a node, and leave the variables that only its set-up may see in a file."""
    private = set_up_environment(os.environ)
    if private:
        _write_private(folder.private, exports(private))
    return script(
        run.executed,
        workdir=folder.work if mount_map else Path(WORKSPACE),
        mount_map=mount_map,
        private=folder.private if private else None,
        why=folder.why,
        code=code,
    )


def _bash(text: str, folder: NodeFolder) -> list[str]:
    bash = shutil.which("bash") or "/bin/bash"
    if len(text.encode()) < _LONGEST_ARGUMENT:
        return [bash, "-c", text]
    file = folder.path / "command.sh"
    _write_private(file, text)
    return [bash, str(file)]


def _write_yaml(path: Path, content: object) -> None:
    _write_private(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
