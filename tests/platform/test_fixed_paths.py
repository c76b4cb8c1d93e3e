"""Fixed folders in the text of a command, where they do not exist."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcli.platform.execution.fixed_paths import Replacement

REAL = {"/workspace": "/w", "/mnt/config": "/c", "/secrets": "/s", "/secrets/key": "/k"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cd /workspace", "cd /w"),
        ("ls /workspace/a/", "ls /w/a/"),
        ("python x.py --dir=/workspace/x", "python x.py --dir=/w/x"),
        ('A=/workspace B="/mnt/config/p"', 'A=/w B="/c/p"'),
        ("PYTHONPATH=$PYTHONPATH:/workspace/src:/secrets", "PYTHONPATH=$PYTHONPATH:/w/src:/s"),
        ("cat <'/mnt/config/p'>/workspace/q;ls /secrets|wc", "cat <'/c/p'>/w/q;ls /s|wc"),
        ("x=$(cat /mnt/config/p) y=`cat /mnt/config/p`", "x=$(cat /c/p) y=`cat /c/p`"),
        ('x="$(cat "/mnt/config/p")"', 'x="$(cat "/c/p")"'),
        ("cd ${DIR:-/workspace}", "cd ${DIR:-/w}"),
        ("python -c \"open('/mnt/config/p')\"", "python -c \"open('/c/p')\""),
        ("cat /secrets/key/secret /secrets/other", "cat /k/secret /s/other"),
        ("cat <<E\nit's /workspace\nE\ncd /workspace", "cat <<E\nit's /w\nE\ncd /w"),
        ("echo $((1<<2))\ncat <<< '/workspace'", "echo $((1<<2))\ncat <<< '/w'"),
        ("# don't\ncd /workspace", "# don't\ncd /w"),
    ],
)
def test_a_whole_absolute_path_is_replaced(text: str, expected: str) -> None:
    """However it is quoted, a path that is one of the fixed folders or below it leads to the real one."""
    assert expected == Replacement(REAL).command(text)


@pytest.mark.parametrize(
    "text",
    [
        "${HOME}/workspace",
        "$HOME/workspace",
        "$(pwd)/workspace",
        '"$R"/secrets',
        '"$R/secrets"',
        "'a'/secrets",
        "\"cat '$R'/secrets/x\"",
        "~/workspace",
        "./workspace",
        "../workspace",
        "/data/workspace",
        "-I/workspace",
        "dbfs:/workspace",
        "s3://workspace",
        "host:/workspace",
        "/workspace.txt",
        "/workspace-2",
        "/workspaces",
        "/workspace*",
        "/workspace$N",
        "/workspace\\ x",
        '"/workspace".txt',
        "/mnt",
        "/mnt/configuration",
        "a/workspace",
        "@/workspace",
    ],
)
def test_a_part_of_another_path_stays(text: str) -> None:
    """What only looks like a fixed folder is another one."""
    assert text == Replacement(REAL).command(text)


QUOTINGS = {
    "bare": "printf %s {}",
    "double": 'printf %s "{}"',
    "single": "printf %s '{}'",
    "nested": 'printf %s "$(printf %s "{}")"',
    "here": "cat <<E\n{}\nE",
    "raw here": "cat <<'E'\n{}\nE",
}


@pytest.mark.parametrize("quoting", QUOTINGS.values(), ids=QUOTINGS)
@settings(max_examples=30)
@given(name=st.text("a '\"$`\\!*?[]{}();&|<>~#é", min_size=1, max_size=8))
def test_any_path_is_safe(quoting: str, name: str) -> None:
    """Whatever characters the real folder has, the shell sees that folder and executes nothing of it."""
    text = Replacement({"/workspace": f"/data/{name}"}).command(quoting.format("/workspace/x"))
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    assert f"/data/{name}/x" == done.stdout.removesuffix("\n")


def test_what_was_met_is_known() -> None:
    """Only the folders that were replaced are told."""
    replacement = Replacement(REAL)
    replacement.command("cd /workspace/secrets")
    assert {"/workspace"} == replacement.used


def test_a_path_is_replaced_at_its_beginning() -> None:
    """The path of an integration is replaced where it begins with a fixed folder."""
    paths = ("/workspace/a b", "/workspaces", "a/workspace", "/workspace")
    assert ["/w/a b", "/workspaces", "a/workspace", "/w"] == [Replacement(REAL).path(each) for each in paths]
