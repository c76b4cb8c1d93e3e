"""Where the platform of a folder is found, and that there is only one."""

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from mcli import config
from mcli.platform.presence import AlreadyServedError, announce, default_data_dir, find, holding


def test_announcement_of_a_server_that_was_killed(tmp_path: Path) -> None:
    """What a killed server left is not believed, though its number belongs to a living process now."""
    announce(tmp_path, "http://127.0.0.1:9/graphql", tmp_path / "api_key")
    (tmp_path / "lock").write_text(str(os.getpid()))
    assert find(tmp_path) is None


def test_announcement_is_found_while_the_folder_is_held(tmp_path: Path) -> None:
    """What the server of a folder announces is found until it ends."""
    with holding(tmp_path):
        assert find(tmp_path) is None
        announce(tmp_path, "http://127.0.0.1:9/graphql", tmp_path / "api_key")
        assert {
            "endpoint": "http://127.0.0.1:9/graphql",
            "api_key_file": str(tmp_path / "api_key"),
            "pid": os.getpid(),
        } == find(tmp_path)
    assert find(tmp_path) is None


@pytest.mark.parametrize("left", ["", "{", json.dumps({"pid": 1, "endpoint": "x"})])
def test_old_announcement_while_the_next_server_starts(tmp_path: Path, left: str) -> None:
    """Between its start and its own announcement a server is not found by what another has left."""
    with holding(tmp_path):
        (tmp_path / "server.json").write_text(left)
        assert find(tmp_path) is None


def test_second_holder(tmp_path: Path) -> None:
    """A folder has one server; the second is told which process is the first."""
    with (
        holding(tmp_path),
        pytest.raises(AlreadyServedError, match=f"process {os.getpid()}"),
        holding(tmp_path),
    ):
        pass


def test_those_who_look_hinder_no_start(tmp_path: Path) -> None:
    """A server that starts while somebody looks for one waits for the end of the look."""
    (tmp_path / "lock").touch()
    lock = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, [lock]).start()
    with holding(tmp_path):
        pass


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "home/.mosaic/local"),
        ({"MCLI_CONFIG_DIR": "{}/dir"}, "dir/local"),
        ({"MCLI_CONFIG_DIR": "{}/dir", "MCLI_CONFIG_PATH": "{}/file/cfg"}, "file/local"),
        ({"MCLI_CONFIG_PATH": "~/cfg"}, "home/local"),
        ({"MCLI_CONFIG_PATH": "cfg"}, "local"),
    ],
)
def test_data_folder_is_the_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    """The data folder is beside the configuration file, by the same variables as the client's."""
    monkeypatch.delenv("MCLI_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert tmp_path / folder == default_data_dir()
    assert default_data_dir() == config.config_path().absolute().parent / "local"
