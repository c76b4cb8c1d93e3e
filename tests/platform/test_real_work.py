"""Runs as people have them: repositories, packages, a launcher and parameters, with stand-ins from a local folder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from tests.platform.test_local_code import git
from tests.platform.test_packages import BACKEND, content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAUNCHER = """
import os, subprocess, sys
def main():
    words = sys.argv[1:]
    number = int(words[words.index("-n") + 1]) if "-n" in words else int(os.environ["LOCAL_WORLD_SIZE"])
    program = [word for word in words if word.endswith(".py")][0]
    for rank in range(number):
        subprocess.run([sys.executable, program, *words[words.index(program) + 1:]], check=True,
                       env={**os.environ, "RANK": str(rank)})
"""
PACKAGE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
TRAIN = """
import os, sys, trinket
print("rank", os.environ["RANK"], trinket.__version__, *sys.argv[1:])
print(open("/mnt/config/parameters.yaml").read())
"""


@pytest.fixture
def remotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let git find repositories in a folder in place of those on GitHub."""
    folder = tmp_path / "remotes"
    (tmp_path / "gitconfig").write_text(f'[url "{folder}/"]\n\tinsteadOf = https://github.com/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return folder


def publish(remotes: Path, name: str, files: dict[str, str]) -> None:
    folder = remotes / name
    for path, text in {"pyproject.toml": PACKAGE, "backend.py": BACKEND, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """Make a user's environment with a launcher and a package that runs replace."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "user"], check=True)
    (site,) = (tmp_path / "user" / "lib").glob("python*/site-packages")
    (site / "launcher.py").write_text(LAUNCHER)
    (site / "trinket.py").write_text("__version__ = 'the user'\n")
    info = site / "trinket-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trinket\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "trinket.py,,\ntrinket-1.0.dist-info/METADATA,,\ntrinket-1.0.dist-info/RECORD,,\n"
    )
    (info / "INSTALLER").write_text("pip\n")
    program = tmp_path / "user" / "bin" / "composer"
    program.write_text(f"#!{tmp_path}/user/bin/python\nfrom launcher import main\nmain()\n")
    program.chmod(0o755)
    return tmp_path / "user"


@pytest.fixture
def platform(user: Path) -> Iterator[Platform]:
    with (
        Platform(cluster=virtual(2, 8), python=str(user / "bin" / "python"), grace=1) as platform,
        mcli.MAPIConnection(platform.endpoint, platform.api_key),
    ):
        yield platform


def finish(config: mcli.RunConfig) -> list[str]:
    run = mcli.wait_for_run_status(mcli.create_run(config), "completed", timeout=60)
    log = mcli.get_run_logs(run)
    assert run.status is mcli.RunStatus.COMPLETED, log
    return log.splitlines()


@pytest.mark.usefixtures("platform")
def test_a_run_replaces_a_package_and_launches(user: Path, remotes: Path) -> None:
    """Uninstall what is there, install the clone for editing, launch two processes: the user's packages stay."""
    publish(remotes, "org/code", {"trinket.py": "__version__ = 'the clone'\n", "train/main.py": TRAIN})
    before = content(user)
    command = """
pip uninstall -y trinket
cd code
pip install -e '.[dev]'
composer -n 2 train/main.py --batch 32
"""
    config = mcli.RunConfig("train", image="org/image:latest", command=command, compute={"gpus": 8})
    config.integrations = [{"integration_type": "git_repo", "git_repo": "org/code", "ssh_clone": False}]
    config.scheduling = {"priority": "medium"}
    log = finish(config)
    expected = ["rank 0 the clone --batch 32", "rank 1 the clone --batch 32"]
    assert (expected, before) == ([line for line in log if line.startswith("rank")], content(user))


@pytest.mark.usefixtures("platform")
def test_a_run_installs_its_clone_and_reads_its_parameters(user: Path, remotes: Path) -> None:
    """The set-up installs the clone, a launcher takes all GPUs, a program opens its parameters by their path."""
    publish(remotes, "org/code", {"trinket.py": "__version__ = 'the clone'\n", "scripts/eval/eval.py": TRAIN})
    before = content(user)
    command = "cd code/scripts\ncomposer eval/eval.py /mnt/config/parameters.yaml"
    config = mcli.RunConfig("eval", image="org/image:latest", command=command, compute={"gpus": 8})
    step = {"integration_type": "git_repo", "git_repo": "org/code", "git_branch": "main", "pip_install": "."}
    config.integrations = [{**step, "ssh_clone": False}]
    config.parameters = {"seed": 17, "models": [{"name": "m"}]}
    log = finish(config)
    ranks = [line for line in log if line.startswith("rank")]
    expected = [f"rank {rank} the clone /mnt/config/parameters.yaml" for rank in range(8)]
    assert (expected, 8) == (ranks, log.count("seed: 17"))
    assert before == content(user)
