"""From a run to ranks that can be started: folders, files, environment, script."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mcli.platform.execution.containers import Containers
from mcli.platform.execution.engine import Rank
from mcli.platform.execution.environment import (
    container_environment,
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
    containers: Containers | None = None
    """What runs the commands in their images; None for the programs of this machine."""
    log_limit: int = LOG_LIMIT
    """Bytes that are kept of each log of a rank."""
    certificates: str | None = None
    """File of the certificates that ranks must trust; None for those that they trust anyway."""


def prepare(run: Run, site: HostSettings, *, token: str, secrets: Sequence[StoredSecret]) -> list[Rank]:
    """Make the files of the current resumption and return its ranks.

    Raises:
        ImagePullError: The run's image is not to be had.
    """
    nodes = [site.folders.node(run.name, run.index, rank) for rank in range(run.demand.nodes)]
    image, unused = str(run.executed.get("image") or ""), ""
    if image and site.containers is None:
        unused = f" (image {image} is not used)"
    for folder in nodes:
        folder.make()
        _write_private(folder.log, f"[mcli] Working folder: {folder.work}{unused}\n")
    if site.containers is not None:
        image = site.containers.pull(image, secrets, nodes[0].path, nodes[0].log)
        return [
            _in_container(run, site, rank, folder, image, token, secrets) for rank, folder in enumerate(nodes)
        ]
    return [_on_machine(run, site, rank, folder, token, secrets) for rank, folder in enumerate(nodes)]


def _on_machine(
    run: Run, site: HostSettings, rank: int, folder: NodeFolder, token: str, secrets: Sequence[StoredSecret]
) -> Rank:
    """Describe a rank whose command runs by the programs of this machine."""
    base, is_real = examine(site.python), site.namespaces and problem() is None
    make_environment(folder.packages, base)
    own = _base_environment(folder, site, is_real=is_real)
    environment = _environment(run, site, rank, folder, token, secrets, own)
    places = _places(folder, secrets)
    argv = _bash(_text(run, folder, site, {} if is_real else places), folder)
    if is_real:
        argv = inside(_layout(folder, places, base), folder.layout, argv)
    return _rank(site, folder, argv, environment)


def _in_container(
    run: Run,
    site: HostSettings,
    rank: int,
    folder: NodeFolder,
    image: str,
    token: str,
    secrets: Sequence[StoredSecret],
) -> Rank:
    """Describe a rank whose command runs in a container of its image."""
    assert site.containers is not None  # noqa: S101 - for the checker
    own = container_environment(os.environ)
    places = {
        place: (real, place != WORKSPACE) for place, real in _places(folder, secrets).items() if place != "/"
    }
    mounts = {**places, **_needed_by_steps(run, site), str(folder.path): (str(folder.path), False)}
    name = f"mcli-{run.latest['id']}-{rank}"
    site.containers.remember(folder.container, name)
    argv, environment = site.containers.command(
        image,
        _bash(_text(run, folder, site, {}), folder)[1:],
        name=name,
        environment=_environment(run, site, rank, folder, token, secrets, own),
        mounts=mounts,
        folder=folder.path,
    )
    return _rank(site, folder, argv, environment)


def _needed_by_steps(run: Run, site: HostSettings) -> dict[str, tuple[str, bool]]:
    """Return what of this machine the set-up steps read: the copies of local folders, and local repositories."""
    given = [each.get("params") or {} for each in run.executed.get("integrations") or ()]
    paths = [str(each["gitRepo"]).removeprefix("file://") for each in given if each.get("gitRepo")]
    paths = [*paths, str(site.folders.code(run.name))]
    return {path: (path, True) for path in paths if path.startswith("/") and Path(path).exists()}


def _environment(
    run: Run,
    site: HostSettings,
    rank: int,
    folder: NodeFolder,
    token: str,
    secrets: Sequence[StoredSecret],
    base: Mapping[str, str],
) -> dict[str, str]:
    """Write the files that the variables of a rank name, and return the variables."""
    _write_private(folder.token, token)
    _write_yaml(folder.config / "parameters.yaml", run.executed.get("parameters") or {})
    _write_yaml(folder.config / "run_config.yaml", run.submitted)
    return rank_environment(
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
        base=base,
    )


def _rank(
    site: HostSettings, folder: NodeFolder, argv: Sequence[str], environment: Mapping[str, str]
) -> Rank:
    return Rank(
        folder=str(folder.path),
        argv=argv,
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
    trusted = {} if site.certificates is None else {"SSL_CERT_FILE": site.certificates}
    return {**host, **variables(folder.packages, host["PATH"]), **guard, **trusted}


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


def _text(run: Run, folder: NodeFolder, site: HostSettings, mount_map: Mapping[str, str]) -> str:
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
        code=site.folders.code(run.name),
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
