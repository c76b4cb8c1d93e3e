"""Commands about clusters, secrets, finetuning runs and this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli.testing import local_platform, virtual_cluster
from tests.test_imports import imported_by

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.mark.parametrize(
    "arguments", [["version"], ["--help"], ["get", "runs", "--help"], ["completion", "bash"]]
)
def test_help_needs_no_sdk(arguments: list[str]) -> None:
    """What a person types most answers without httpx and pydantic."""
    loaded = imported_by(f"from mcli.cli import main\nmain({arguments})")
    assert set() == {"httpx", "pydantic", "asyncio", "mcli.runs"} & loaded


def test_a_misspelt_command_is_suggested(command: Command) -> None:
    """The nearest name is told; the status is 2."""
    ended = command("get", "rusn")
    assert (2, True) == (ended.status, "Did you mean 'runs'?" in ended.err)


@pytest.mark.usefixtures("platform")
def test_clusters_are_listed(command: Command) -> None:
    """As a table, as names, in full, and by their use."""
    assert command("get", "clusters", "-o", "name").out == "local\n"
    assert command("get", "clusters").out.startswith("NAME")
    assert "INSTANCE" in command("describe", "cluster", "local").out
    assert "GPUs used" in command("util").out
    assert command("util", "-o", "json").json[0]["name"] == "local"


@pytest.mark.usefixtures("platform")
def test_a_secret_comes_and_goes(command: Command) -> None:
    """Its value is in no list."""
    assert command("create", "secret", "env", "TOKEN=not-a-real-value", "--name", "token").out == "token\n"
    listed = command("get", "secrets", "-o", "json")
    assert [("token", "environment")] == [(each["name"], each["secret_type"]) for each in listed.json]
    assert "not-a-real-value" not in listed.out
    assert command("delete", "secret", "token", "-y").status == 0
    assert mcli.get_secrets() == []


@pytest.mark.usefixtures("platform")
def test_a_secret_that_lacks_a_part_is_not_made(command: Command) -> None:
    """Where nothing may be asked, what is missing is named."""
    ended = command("create", "secret", "docker", "--no-input", "--name", "x")
    assert (2, True) == (ended.status, "password" in ended.err)


@pytest.mark.usefixtures("platform")
def test_a_model_is_finetuned(command: Command, tmp_path: Path) -> None:
    """Options go before the file; the run is listed and stopped as such."""
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "a", "response": "b"}\n')
    file = tmp_path / "ft.yaml"
    file.write_text(f"model: owner/name\ntrain_data_path: {data}\nsave_folder: {tmp_path / 'out'}\n")
    name = command("finetune", "-f", str(file), "--model", "owner/other").out.strip()
    assert name.startswith("ift-other-")
    assert name in command("get", "ft", "-o", "name").out.split()
    assert "owner/other" in command("describe", "ft", name).out
    assert command("stop", "ft", name, "-y").status == 0
    assert command("delete", "ft", name, "-y").status == 0


def test_the_key_is_set(command: Command, isolated: Path) -> None:
    """It is kept in the configuration file, and `config` does not show it."""
    assert command("set", "api-key", "not-a-real-key").status == 0
    assert mcli.MCLIConfig.load_config().api_key == "not-a-real-key"
    shown = command("config").out
    assert ("API key" in shown, "not-a-real-key" in shown) == (True, False)


def test_no_platform_gives_3(command: Command) -> None:
    """`platform` is the platform's own command line, with a status that people can read."""
    ended = command("platform", "status")
    assert (3, True) == (ended.status, "mcli platform start" in ended.err)
    assert command("platform", "status", "-o", "json").json["running"] is False
    assert command("platform", "no-such-verb").status == 2


def test_the_module_is_the_command() -> None:
    """`python -m mcli` is `mcli`."""
    line = [sys.executable, "-m", "mcli", "version"]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == f"{mcli.__version__}\n"


@pytest.mark.parametrize(
    ("shell", "text"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete ")]
)
def test_completion_has_a_script_for_each_shell(command: Command, shell: str, text: str) -> None:
    """It calls the command back under the name `mcli`."""
    script = command("completion", shell).out
    assert (True, True) == (text in script, "_MCLI_COMPLETE" in script)


@pytest.mark.usefixtures("platform")
def test_me_is_the_user(command: Command) -> None:
    """The user whose key is used."""
    assert mcli.get_current_user().email in command("describe", "me").out


def test_a_node_in_two_instances_is_counted_once(command: Command) -> None:
    """A node with GPUs is one of CPUs too."""
    with local_platform(cluster=virtual_cluster(2, 8)):
        assert ["local", "Local", "virtual", "16x", "a100_80gb", "2"] == command(
            "get", "clusters"
        ).out.split()[4:]
