"""The script of a rank, by running it under bash."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcli.platform.execution.script import exports, script


def bash(
    folder: Path,
    command: str,
    *integrations: Mapping[str, Any],
    mounts: Mapping[str, str] | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a script in `folder`, whose `home` is the home folder."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    text = script({"command": command, "integrations": integrations}, workdir=work, mount_map=mounts or {})
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
    }
    return subprocess.run(
        ["bash", "-c", text],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def git(*arguments: str, folder: Path) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository(**parameters: object) -> dict[str, Any]:
    return {"type": "git_repo", "params": {"gitRepo": "org/code", **parameters}}


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Make a repository with two commits and a branch, and let git find it in place of GitHub."""
    source = tmp_path / "remotes" / "org" / "code"
    source.mkdir(parents=True)
    git("init", "--quiet", folder=source)
    for text in ("first", "second"):
        (source / "version").write_text(text)
        git("add", ".", folder=source)
        git("commit", "--quiet", "-m", text, folder=source)
    git("branch", "old", "HEAD~1", folder=source)
    urls = "\n".join(f"insteadOf = {url}" for url in ("git@github.com:", "https://github.com/"))
    (tmp_path / "gitconfig").write_text(f'[url "{tmp_path}/remotes/"]\n{urls}\n')
    return source


def test_a_command_runs_in_the_working_folder(tmp_path: Path) -> None:
    """A run without integrations prints what its command prints, and starts in the working folder."""
    assert bash(tmp_path, "pwd").stdout == f"{tmp_path}/work\n"


def test_the_first_failing_line_ends_the_command(tmp_path: Path) -> None:
    """`set -e` holds: the exit status is that of the first line that fails."""
    done = bash(tmp_path, "echo a\n(exit 7)\necho b")
    assert (done.returncode, done.stdout) == (7, "a\n")


def test_the_status_of_a_missing_program_is_kept(tmp_path: Path) -> None:
    """A command that is not found gives 127, as on the platform."""
    assert bash(tmp_path, "no-such-program").returncode == 127


def test_bash_features_work(tmp_path: Path) -> None:
    """Commands may use arrays, `[[ ]]` and here documents."""
    command = 'words=(a b)\n[[ ${#words[@]} == 2 ]] && cat <<END\n"${words[1]}"\nEND'
    assert bash(tmp_path, command).stdout == '"b"\n'


@pytest.mark.parametrize("ssh", [True, False, "True", "False"])
def test_a_repository_is_cloned_below_the_working_folder(tmp_path: Path, remote: Path, ssh: object) -> None:
    """A git_repo is found under its own name, whether it came over ssh or https."""
    assert bash(tmp_path, "cat code/version", repository(sshClone=ssh)).stdout.endswith("second")


def test_a_branch_is_checked_out(tmp_path: Path, remote: Path) -> None:
    """`gitBranch` chooses the branch."""
    assert bash(tmp_path, "cat code/version", repository(gitBranch="old")).stdout.endswith("first")


def test_a_commit_wins_over_a_branch(tmp_path: Path, remote: Path) -> None:
    """With both given, the commit is what is checked out."""
    commit = git("rev-parse", "main", folder=remote)
    done = bash(tmp_path, "cat code/version", repository(gitBranch="old", gitCommit=commit))
    assert done.stdout.endswith("second")


@pytest.mark.parametrize(
    ("path", "place"),
    [("~/a b", "a b"), ("$HOME/x", "x"), ("-d'o\"n`t", "work/-d'o\"n`t"), ("a$", "work/a$")],
)
def test_a_path_is_expanded_but_not_split(tmp_path: Path, remote: Path, path: str, place: str) -> None:
    """In `path`, `~` and variables are expanded; blanks and quotes stand for themselves."""
    assert bash(tmp_path, "true", repository(path=path)).returncode == 0
    assert (tmp_path / place / "version").read_text() == "second"


def test_integrations_run_in_order_from_the_same_folder(tmp_path: Path, remote: Path) -> None:
    """Each step says its name, and none changes the folder in which the next one starts."""
    done = bash(tmp_path, "pwd", repository(path="a"), repository(path="b"))
    assert done.stdout.splitlines() == ["[mcli] git_repo org/code"] * 2 + [f"{tmp_path}/work"]


def test_a_failing_step_names_itself(tmp_path: Path, remote: Path) -> None:
    """A set-up step that fails prints a line that names it; the exit status is 1 and the command never runs."""
    done = bash(tmp_path, "echo never", repository(gitBranch="none"))
    assert done.returncode == 1
    assert "[mcli] git_repo org/code failed" in done.stderr.splitlines()
    assert "never" not in done.stdout


def test_what_is_private_reaches_the_steps_alone(tmp_path: Path, remote: Path) -> None:
    """Variables in the private file are seen by git, and gone with their file before the command."""
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{tmp_path}/remotes/.insteadOf"}
    private = tmp_path / "private.sh"
    private.write_text(exports({**config, "GIT_CONFIG_VALUE_0": "git@private.example:"}))
    step = repository(host="private.example")
    command = f"cat code/version; env | grep -c GIT_CONFIG_COUNT; ls {private}"
    text = script(
        {"command": f"set +e; {command}", "integrations": [step]},
        workdir=tmp_path,
        mount_map={},
        private=private,
    )
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False, timeout=60)
    assert ("second0\n", False) == (done.stdout.removeprefix("[mcli] git_repo org/code\n"), private.exists())


def test_package_specifications_are_quoted(tmp_path: Path) -> None:
    """`requests>=2.27.1` is one argument of pip, not a redirection."""
    pip = {"type": "pip_packages", "params": {"packages": ["requests>=2.27.1", "a[b]; c"], "upgrade": True}}
    text = script({"command": "", "integrations": [pip]}, workdir=tmp_path, mount_map={})
    (line,) = (line for line in text.splitlines() if "pip install" in line)
    assert shlex.join(["--upgrade", "requests>=2.27.1", "a[b]; c"]) in line


def test_packages_can_be_skipped(tmp_path: Path, remote: Path) -> None:
    """With MCLI_LOCAL_SKIP_PACKAGES each pip or apt step is a line in the log."""
    steps = [
        repository(pipInstall="-e .[gpu]"),
        {"type": "pip_packages", "params": {"packages": ["a>=1"]}},
        {"type": "apt_packages", "params": {"packages": ["vim=1", "less"]}},
    ]
    done = bash(tmp_path, "echo ran", *steps, MCLI_LOCAL_SKIP_PACKAGES="1")
    assert done.stdout.splitlines() == [
        "[mcli] git_repo org/code",
        "[mcli] skipped: git_repo org/code: pip install -e .[gpu]",
        "[mcli] skipped: pip_packages a>=1",
        "[mcli] skipped: apt_packages vim=1 less",
        "ran",
    ]
    assert done.returncode == 0


def test_trackers_do_nothing_before_the_command(tmp_path: Path) -> None:
    """wandb, comet_ml and mlflow leave the script as it is."""
    trackers: list[dict[str, Any]] = [
        {"type": kind, "params": {}} for kind in ("wandb", "comet_ml", "mlflow")
    ]
    text = script({"command": "true", "integrations": trackers}, workdir=tmp_path, mount_map={})
    assert text == script({"command": "true"}, workdir=tmp_path, mount_map={})


def test_fixed_folders_are_replaced_with_a_notice(tmp_path: Path) -> None:
    """A command that names /mnt/config reads the real folder, and the log says where that is."""
    (tmp_path / "parameters.yaml").write_text("a: 1\n")
    mounts = {"/mnt/config": str(tmp_path), "/secrets": "/elsewhere"}
    done = bash(tmp_path, "cat /mnt/config/parameters.yaml; echo /data/mnt/config", mounts=mounts)
    notice = f"[mcli] /mnt/config is {tmp_path} on this machine.\n"
    assert done.stdout == f"{notice}a: 1\n/data/mnt/config\n"


def test_the_longest_fixed_folder_is_replaced(tmp_path: Path) -> None:
    """Of two mount paths, one below the other, the one that is meant is replaced."""
    done = bash(tmp_path, "echo /secrets/key/secret", mounts={"/secrets": "/a", "/secrets/key": "/b"})
    assert done.stdout.splitlines()[-1] == "/b/secret"


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=40))
def test_no_text_of_an_integration_becomes_code(package: str) -> None:
    """Whatever characters the name of a package has, the shell takes them as text."""
    pip = {"type": "pip_packages", "params": {"packages": [package]}}
    text = script({"command": "echo ran", "integrations": [pip]}, workdir=Path("/"), mount_map={})
    done = subprocess.run(
        ["bash", "-c", text], env={"MCLI_LOCAL_SKIP_PACKAGES": "1"}, capture_output=True, check=False
    )
    assert done.stdout.decode() == f"[mcli] skipped: pip_packages {package}\nran\n"
