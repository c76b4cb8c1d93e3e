"""Code of this machine in a run: a folder as it was at submission, and repositories by their paths."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli.platform import Platform
from mcli.platform.errors import RequestError
from mcli.platform.submission.local_code import LARGEST, METADATA_KEY, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests import wire
    from tests.conftest import Connect


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a repository with a file of each kind, below a folder whose name has a blank."""
    folder = tmp_path / "my code"
    folder.mkdir()
    for name in ("kept", "changed", "deleted"):
        (folder / name).write_text("old")
    (folder / ".gitignore").write_text("ignored\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    (folder / "changed").write_text("new")
    (folder / "deleted").unlink()
    (folder / "sub").mkdir()
    for name in ("added", "ignored", "sub/added"):
        (folder / name).write_text("new")
    (folder / "link").symlink_to("kept")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def copied(tmp_path: Path, path: object, **more: object) -> dict[str, str]:
    """Return what a stage copies, by name."""
    stage = Stage(
        tmp_path / "incoming", {"integrations": [{"type": "local_dir", "params": {"path": path, **more}}]}
    )
    stage.keep(tmp_path / "code")
    files = [file for file in (tmp_path / "code" / "0").rglob("*") if file.is_symlink() or file.is_file()]
    return {
        str(file.relative_to(tmp_path / "code" / "0")): str(file.readlink())
        if file.is_symlink()
        else file.read_text()
        for file in files
    }


OF_GIT = {".gitignore": "ignored\n", "kept": "old", "changed": "new"}
NEW = {"added": "new", "sub/added": "new", "link": "kept"}


def test_a_repository_is_copied_as_it_is(project: Path, tmp_path: Path) -> None:
    """Tracked files come as they are now, new ones too, deleted and ignored ones do not."""
    assert {**OF_GIT, **NEW} == copied(tmp_path, str(project))


@pytest.mark.parametrize("off", [False, "False"])
def test_new_files_can_be_left_out(project: Path, tmp_path: Path, off: object) -> None:
    """Without `include_untracked` only what git tracks is copied."""
    assert OF_GIT == copied(tmp_path, str(project), includeUntracked=off)


def test_a_part_of_a_repository(project: Path, tmp_path: Path) -> None:
    """A folder below a repository is copied by itself."""
    assert {"added": "new"} == copied(tmp_path, str(project / "sub"))


def test_a_folder_without_git_is_copied_whole(project: Path, tmp_path: Path) -> None:
    """Where there is no repository every file is taken."""
    plain = tmp_path / "plain"
    (plain / "a" / "b").mkdir(parents=True)
    (plain / "a" / "b" / "c").write_text("1")
    (plain / "a" / "loop").symlink_to(plain)
    assert {"a/b/c": "1", "a/loop": str(plain)} == copied(tmp_path, str(plain))


@pytest.mark.parametrize("path", ["relative", "", "/nothing/here", "/etc/passwd"])
def test_what_is_no_folder_is_refused(path: str, tmp_path: Path) -> None:
    """A path must be absolute and lead to a folder; nothing is left of a stage that fails."""
    with pytest.raises(RequestError, match="must be an absolute path of a folder"):
        copied(tmp_path, path)
    assert not list((tmp_path / "incoming").glob("*"))


def test_too_much_is_refused(tmp_path: Path) -> None:
    """More than a gigabyte is refused before the bytes are copied; nothing is left."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(LARGEST + 1)  # holes
    with pytest.raises(RequestError, match="more than 1,000,000,000 bytes"):
        copied(tmp_path, str(tmp_path))
    assert not list((tmp_path / "incoming").glob("*"))


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform(grace=1) as platform, mcli.MAPIConnection(platform.endpoint, platform.api_key):
        yield platform


def finish(command: str, *integrations: dict[str, Any]) -> tuple[mcli.Run, list[str]]:
    config = mcli.RunConfig("code", image="bash", command=command, compute={"gpus": 0})
    config.integrations = list(integrations)
    run = mcli.wait_for_run_status(mcli.create_run(config), "completed")
    return run, mcli.get_run_logs(run).splitlines()


@pytest.mark.usefixtures("platform")
def test_a_run_has_the_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is found below the working folder under its name, and commit and changes are in the metadata."""
    monkeypatch.chdir(project.parent)
    step = {"integration_type": "local_dir", "path": "./my code"}
    run, log = finish("cd 'my code'; cat added changed; echo; ls ignored || true", step)
    about = {"path": str(project), "commit": git(project, "rev-parse", "HEAD"), "dirty": True}
    assert ("newnew", [about]) == (log[2], (run.metadata or {})[METADATA_KEY])


def test_copies_go_with_the_run(platform: Platform, project: Path) -> None:
    """The copy is the run's: under its name, and not in the place where it was made."""
    run, _ = finish("true", {"integration_type": "local_dir", "path": str(project)})
    assert (platform.data_dir / "runs" / run.name / "code" / "0" / "kept").exists()
    assert not list((platform.data_dir / "incoming").glob("*"))


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("form", ["{}", "{}/", "{}/.git", "file://{}"])
def test_a_repository_by_its_path(project: Path, form: str) -> None:
    """A repository of this machine is cloned by its path or URL, in the commit that it has."""
    step = {"integration_type": "git_repo", "git_repo": form.format(project)}
    _, log = finish("cat 'my code/changed'", step)
    assert "old" == log[-1]


@pytest.mark.usefixtures("platform")
def test_a_clone_shares_nothing(project: Path) -> None:
    """What a run does to its clone cannot reach the objects of the user's repository."""
    step = {"integration_type": "git_repo", "git_repo": str(project)}
    _, log = finish("find 'my code/.git/objects' -type f -links +1 | wc -l", step)
    assert "0" == log[-1]


def test_other_endpoints_refuse(connect: Connect) -> None:
    """Where nobody can copy a folder the client says so, and creates nothing."""
    seen = []

    def answer(call: wire.Call) -> Any:
        seen.append(call.operation)
        return {"__typename": "Query"}

    connect(answer=answer)
    config = mcli.RunConfig("code", image="bash", command="true", compute={"gpus": 0})
    config.integrations = [{"integration_type": "local_dir", "path": "."}]
    with pytest.raises(mcli.MAPIException, match="local_dir needs a platform on this machine"):
        mcli.create_run(config)
    assert ["Ping"] == seen
