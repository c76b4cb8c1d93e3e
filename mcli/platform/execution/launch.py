"""From a run to ranks that can be started: folders, files, environment, script."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
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
from mcli.platform.execution.script import exports, script
from mcli.platform.state.vault import StoredSecret, mount, mount_points

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcli.platform.state.records import Run

__all__ = ["HostSettings", "prepare"]

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


def prepare(run: Run, site: HostSettings, *, token: str, secrets: Sequence[StoredSecret]) -> list[Rank]:
    """Make the files of the current resumption and return its ranks."""
    return [_prepare_node(run, site, rank, token, secrets) for rank in range(run.wants().nodes)]


def _prepare_node(
    run: Run, site: HostSettings, rank: int, token: str, secrets: Sequence[StoredSecret]
) -> Rank:
    folder = site.folders.node(run.id, run.index, rank)
    folder.make()
    _write_private(folder.token, token)
    _write_yaml(folder.config / "parameters.yaml", run.executed.get("parameters") or {})
    _write_yaml(folder.config / "run_config.yaml", run.submitted)
    environment = rank_environment(
        run_name=run.name,
        run_input=run.executed,
        demand=run.wants(),
        node_rank=rank,
        resumption=run.index,
        endpoint=site.endpoint,
        token_file=folder.token,
        parameters_file=folder.config / "parameters.yaml",
        log_dir=folder.gpu_logs,
        secrets=mount(secrets, folder.secrets),
        integrations=integration_variables(run.executed, run.name),
        base=host_environment(os.environ),
    )
    places = {
        "/mnt/config": str(folder.config),
        "/workspace": str(folder.work),
        "/secrets": str(folder.secrets),
    }
    private = set_up_environment(os.environ)
    if private:
        _write_private(folder.private, exports(private))
    text = script(
        run.executed,
        workdir=folder.work,
        mount_map={**places, **mount_points(secrets, folder.secrets)},
        private=folder.private if private else None,
    )
    return Rank(
        folder=str(folder.path),
        argv=_bash(text, folder),
        environment=environment,
        working_folder=str(folder.work),
        log=str(folder.log),
        grace=site.grace,
        bound=site.bound,
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
