"""Where the files of runs are: in folders that show the run's name, so that people find them."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

from mcli.platform.execution.containers import remove
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

    @property
    def why(self) -> Path:
        """What the script has noted of its failure."""
        return self.path / "why"

    @property
    def container(self) -> Path:
        """How the container of the rank is removed; not there when it has none."""
        return self.path / "container.json"

    def make(self) -> None:
        """Make the folders anew, for the owner's eyes only."""
        shutil.rmtree(self.path, ignore_errors=True)
        make_private(self.path)
        for folder in (self.gpu_logs, self.work, self.config, self.secrets):
            folder.mkdir(mode=0o700)
        self.root.mkdir(mode=0o755)

    def clear(self) -> None:
        """Remove what a rank that has ended must not leave: secrets, its token, its environment of packages.

        What it has made stays, with its parameters, its logs, and what tells how it ended.
        """
        for folder in (self.secrets, self.packages):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (
            self.token,
            self.private,
            self.layout,
            self.path / "command.sh",
            self.path / "variables",
        ):
            file.unlink(missing_ok=True)
        remove(self.container)
        sweep(self.root)

    def discard(self) -> None:
        """Remove all but the logs, and what tells how the rank ended."""
        self.clear()
        for folder in (self.work, self.config, self.root):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class RunFolders:
    """The files of all runs: `<root>/<name of the run>/<resumption>/<node>/work` and its like.

    Names are unique whatever the case of their letters, so disks that ignore it keep them apart.
    """

    root: Path
    _readers: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    @contextmanager
    def reading(self, run_name: str) -> Generator[None]:
        """Count a reader of the run's logs while a `with` block lasts."""
        self._readers[run_name] += 1
        try:
            yield
        finally:
            self._readers[run_name] -= 1
            if not self._readers[run_name]:
                del self._readers[run_name]

    def is_read(self, run_name: str) -> bool:
        """Tell whether anybody reads the run's logs now, so that its files must stay."""
        return run_name in self._readers

    def node(self, run_name: str, resumption: int, rank: int) -> NodeFolder:
        """Return the folder of a node."""
        return NodeFolder(self.resumption(run_name, resumption) / str(rank))

    def resumption(self, run_name: str, resumption: int) -> Path:
        """Return the folder of a resumption, which holds those of its nodes."""
        return self.root / run_name / str(resumption)

    def code(self, run_name: str) -> Path:
        """Return where the copies of local folders are that a run takes with it."""
        return self.root / run_name / "code"

    @property
    def incoming(self) -> Path:
        """Where such copies are made until a run has them; what a killed server has left there is of no use."""
        return self.root.with_name("incoming")

    @property
    def _open(self) -> Path:
        return self.root.with_name("open")

    def open_resumption(self, key: str, folder: Path) -> None:
        """Note that a resumption gets secrets, so that they are removed even if nobody lives to see its end."""
        make_private(self._open)
        (self._open / key).write_text(str(folder.relative_to(self.root)))

    def close_resumption(self, key: str) -> None:
        """Note that nothing secret of a resumption is left."""
        (self._open / key).unlink(missing_ok=True)

    def open_resumptions(self) -> dict[str, Path]:
        """Return the folders of the resumptions of which something secret may be left, by their ids."""
        notes = (self._open).glob("*")
        return {note.name: self.root / folder for note in notes if (folder := note.read_text())}

    def nodes(self, run_name: str) -> list[NodeFolder]:
        """Return the folders of all nodes of all resumptions that there are."""
        found = (self.root / run_name).glob("[0-9]*/[0-9]*")
        return [
            NodeFolder(path)
            for path in sorted(found, key=lambda path: (int(path.parent.name), int(path.name)))
        ]

    def discard(self, run_name: str) -> None:
        """Remove what a run has made, but not its logs."""
        shutil.rmtree(self.code(run_name), ignore_errors=True)
        for node in self.nodes(run_name):
            node.discard()

    def disk_use(self) -> dict[str, int]:
        """Return the bytes that each run takes on the disk."""
        return {path.name: _disk_use(path) for path in self.root.glob("*")}

    def remove(self, run_name: str) -> None:
        """Remove everything of a run, also its logs."""
        shutil.rmtree(self.root / run_name, ignore_errors=True)


def _disk_use(folder: Path) -> int:
    """Return the bytes of all files below a folder, each counted once. What vanishes meanwhile counts nothing."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                status = os.lstat(f"{parent}/{name}")
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
