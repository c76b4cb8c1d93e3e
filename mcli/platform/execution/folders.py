"""Where the files of runs are."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

from mcli.platform.execution.namespace import sweep

__all__ = ["NodeFolder", "RunFolders", "make_private"]


def make_private(path: Path) -> None:
    """Make a folder and those above it that are missing, for the owner's eyes only: `mkdir` opens the latter to all."""
    for folder in (*reversed(path.parents), path):
        folder.mkdir(mode=0o700, exist_ok=True)


@dataclass(frozen=True)
class NodeFolder:
    """The files of one node of one resumption."""

    path: Path

    @property
    def log(self) -> Path:
        """What the command writes."""
        return self.path / "log.txt"

    @property
    def gpu_logs(self) -> Path:
        """Where launchers put the logs of local GPU ranks above 0."""
        return self.path / "gpu"

    @property
    def work(self) -> Path:
        """Where the command starts."""
        return self.path / "work"

    @property
    def config(self) -> Path:
        """What is mounted as `/mnt/config`."""
        return self.path / "config"

    @property
    def secrets(self) -> Path:
        """What is mounted as `/secrets`."""
        return self.path / "secrets"

    @property
    def token(self) -> Path:
        """The access token of the run."""
        return self.path / "token"

    @property
    def packages(self) -> Path:
        """The environment of packages that the command uses."""
        return self.path / "env"

    @property
    def root(self) -> Path:
        """What the command knows as `/`, where it has a mount namespace; what it makes there stays."""
        return self.path / "root"

    @property
    def layout(self) -> Path:
        """The description of that namespace."""
        return self.path / "layout.json"

    @property
    def private(self) -> Path:
        """The variables that only the set-up of the run may see."""
        return self.path / "private.sh"

    def make(self) -> None:
        """Make the folders anew, for the owner's eyes only."""
        shutil.rmtree(self.path, ignore_errors=True)
        make_private(self.path)
        for folder in (self.gpu_logs, self.work, self.config, self.secrets):
            folder.mkdir(mode=0o700)
        self.root.mkdir(mode=0o755)

    def clear(self) -> None:
        """Remove all but the logs, and what tells how the rank ended."""
        for folder in (self.work, self.config, self.secrets, self.packages):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.token, self.private, self.layout, self.path / "command.sh"):
            file.unlink(missing_ok=True)
        sweep(self.root)


@dataclass(frozen=True)
class RunFolders:
    """The files of all runs."""

    root: Path
    _readers: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    @contextmanager
    def reading(self, run_id: str) -> Generator[None]:
        """Count a reader of the run's logs while a `with` block lasts."""
        self._readers[run_id] += 1
        try:
            yield
        finally:
            self._readers[run_id] -= 1
            if not self._readers[run_id]:
                del self._readers[run_id]

    def is_read(self, run_id: str) -> bool:
        """Tell whether anybody reads the run's logs now, so that its files must stay."""
        return run_id in self._readers

    def node(self, run_id: str, resumption: int, rank: int) -> NodeFolder:
        """Return the folder of a node."""
        return NodeFolder(self.resumption(run_id, resumption) / str(rank))

    def resumption(self, run_id: str, resumption: int) -> Path:
        """Return the folder of a resumption, which holds those of its nodes."""
        return self.root / run_id / str(resumption)

    def remove(self, run_id: str) -> None:
        """Remove everything of a run, also its logs."""
        shutil.rmtree(self.root / run_id, ignore_errors=True)
