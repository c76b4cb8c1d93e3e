"""How container programs are called, seen by programs that stand in for them."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform.execution.containers import Containers, ImagePullError, choose, logins, remove
from mcli.platform.state.vault import StoredSecret

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)


STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >> "${0%/*}/calls"
echo "it went wrong"
exit $(cat "${0%/*}/status")
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs first on the path that note how they are called, and end as the file `status` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "status").write_text("0")
    for kind in ("podman", "docker", "apptainer"):
        program = folder / kind
        program.write_text(STAND_IN)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def calls(stand_in: Path) -> list[str]:
    file = stand_in / "calls"
    return file.read_text().splitlines() if file.exists() else []


def secret(**value: str) -> StoredSecret:
    return StoredSecret("1", "registry", "DOCKER_REGISTRY", {}, value, NOW)


def command(kind: str, folder: Path, **environment: str) -> tuple[list[str], dict[str, str]]:
    mounts = {"/workspace": ("/w", False), "/secrets": ("/s", True)}
    containers = Containers(kind, f"/bin/{kind}", ("--extra",))
    more: Any = {"name": "n", "environment": environment, "mounts": mounts, "folder": folder}
    return containers.command("image:1", ["-c", "echo"], **more)


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_the_command_line(kind: str, tmp_path: Path) -> None:
    """The image's own entry point is not used, folders are mounted, and options come before the image."""
    line, _ = command(kind, tmp_path)
    assert [f"/bin/{kind}", "run", "--rm", "--init", "--name=n"] == line[:5]
    assert ["--extra", "--entrypoint=bash", "image:1", "-c", "echo"] == line[-5:]
    mounts = [each for each in line if each.startswith("--mount")]
    assert mounts == [
        "--mount=type=bind,source=/w,target=/workspace",
        "--mount=type=bind,source=/s,target=/secrets,readonly",
    ]


def test_no_value_stands_on_a_command_line(tmp_path: Path) -> None:
    """Whoever lists the processes of the machine sees the names of variables only."""
    for kind in ("podman", "docker", "apptainer"):
        line, _ = command(kind, tmp_path, TOKEN="hush", HOME="hush")
        assert "hush" not in " ".join(line)
    assert 0o600 == (tmp_path / "variables").stat().st_mode & 0o777


def test_what_the_program_heeds_is_not_the_run_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that sets HOME or DOCKER_HOST sets it inside, and changes nothing for the program."""
    monkeypatch.setenv("HOME", "/home/me")
    _, environment = command("docker", tmp_path, HOME="/theirs", DOCKER_HOST="tcp://theirs", OWN="1")
    assert ("/home/me", None, "1") == tuple(environment.get(name) for name in ("HOME", "DOCKER_HOST", "OWN"))
    assert "HOME=/theirs\nDOCKER_HOST=tcp://theirs\n" == (tmp_path / "variables").read_text()


def test_an_image_that_is_here_is_not_pulled(stand_in: Path, tmp_path: Path) -> None:
    """A local image is used under its own name."""
    podman = Containers("podman", str(stand_in / "podman"))
    assert "mine:1" == podman.pull("mine:1", [], tmp_path, tmp_path / "log")
    assert ["podman image inspect mine:1"] == calls(stand_in)


def test_a_pull_that_fails_is_the_reason(stand_in: Path, tmp_path: Path) -> None:
    """The name is qualified, the login is gone afterwards, and the last line of the log is the reason."""
    (stand_in / "status").write_text("1")
    podman = Containers("podman", str(stand_in / "podman"))
    with pytest.raises(ImagePullError, match=r"^FailedImagePull: it went wrong$"):
        podman.pull("a/b", [secret(username="me", password="pw")], tmp_path, tmp_path / "log")
    assert f"podman pull --authfile={tmp_path}/config.json docker.io/a/b" == calls(stand_in)[-1]
    assert not (tmp_path / "config.json").exists()


def test_docker_secrets_log_in() -> None:
    """A secret without a server is for Docker Hub, by each of its names; another is for its host."""
    auth = {"auth": base64.b64encode(b"me:pw").decode()}
    hub = logins([secret(username="me", password="pw")])["auths"]
    other = logins([secret(username="me", password="pw", server="https://ghcr.io/")])["auths"]
    assert ({"https://index.docker.io/v1/", "index.docker.io", "docker.io"}, {"ghcr.io": auth}) == (
        set(hub),
        other,
    )


def test_a_container_is_removed_by_its_name(stand_in: Path, tmp_path: Path) -> None:
    """What was noted is done once, by whoever comes; without a note nothing is."""
    Containers("podman", str(stand_in / "podman")).remember(tmp_path / "note", "n-0")
    for _ in range(2):
        remove(tmp_path / "note")
    assert ["podman rm -f -t 0 --ignore n-0"] == calls(stand_in)


def test_choosing(stand_in: Path) -> None:
    """`auto` is the first that works, `none` is none."""
    chosen = choose("auto", ["--x"])
    assert (None, "podman", ("--x",)) == (choose("none"), chosen and chosen.kind, chosen and chosen.options)


def test_what_does_not_work_is_told(stand_in: Path) -> None:
    """A program that is wanted by its name and does not work is an error that says why; `auto` does without."""
    (stand_in / "status").write_text("1")
    with pytest.raises(OSError, match="Runs cannot have containers: docker: "):
        choose("docker")
    assert choose("auto") is None
