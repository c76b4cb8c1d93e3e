"""The platform from the command line."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mcli.platform import Platform
from mcli.platform.__main__ import main
from tests.platform.caller import PATIENCE, Caller

ME = {"query": "{ getUsers(getUsersData: {}) { email } }"}
COMMAND = [sys.executable, "-m", "mcli.platform"]


def call(command: str, data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [*COMMAND, command, "--data-dir", str(data_dir), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server, if there is one, is stopped after the test."""
    yield tmp_path / "data"
    call("stop", tmp_path / "data", "--stop-runs")


@pytest.fixture
def log_of(data_dir: Path) -> Iterator[str]:
    """The name of a run with a log of 30 MB, on a platform in the data folder."""
    with Platform(data_dir) as platform:
        caller = Caller(platform)
        yield caller.finish("yes | head -c 30000000")["name"]
        caller.close()


def test_start_returns_the_one_that_runs(data_dir: Path) -> None:
    """`start` starts a platform in the background, or finds the one that runs."""
    first, second = (call("start", data_dir) for _ in range(2))
    assert (0, first.stdout) == (second.returncode, second.stdout)
    announcement = json.loads(first.stdout)
    key = Path(announcement["api_key_file"]).read_text()
    answer = httpx.post(announcement["endpoint"], json=ME, headers={"Authorization": key})
    assert 200 == answer.status_code


def test_concurrent_starts_agree(data_dir: Path) -> None:
    """Of several `start` at once one starts a platform, and all give it."""
    line = [*COMMAND, "start", "--data-dir", str(data_dir)]
    starts = [subprocess.Popen(line, stdout=subprocess.PIPE) for _ in range(3)]
    assert 1 == len({start.communicate()[0] for start in starts})


def test_status_and_stop(data_dir: Path) -> None:
    """`status` tells whether a platform runs, by its exit status too, and `stop` ends it."""
    assert 3 == call("status", data_dir).returncode
    announcement = json.loads(call("start", data_dir).stdout)
    status = call("status", data_dir)
    assert (0, announcement["pid"]) == (status.returncode, json.loads(status.stdout)["pid"])
    assert 0 == call("stop", data_dir).returncode
    assert 3 == call("status", data_dir).returncode


def test_idle_platform_stops_by_itself(data_dir: Path) -> None:
    """A platform that nobody uses ends by itself."""
    assert 0 == call("serve", data_dir, "--idle-timeout", "0.1").returncode


def test_logs_command(data_dir: Path) -> None:
    """`logs` prints the log of a run, and names the run that does not exist."""
    announcement = json.loads(call("start", data_dir).stdout)
    with Platform(data_dir.parent / "other") as platform:
        caller = Caller(platform, Path(announcement["api_key_file"]).read_text())
        caller.endpoint = announcement["endpoint"]
        name = caller.create("echo hello")
        assert call("logs", data_dir, name, "--follow").stdout.endswith(" is not used)\nhello\n")
        caller.close()
    assert "'nobody'" in call("logs", data_dir, "nobody").stderr


def test_second_server_names_the_first(data_dir: Path) -> None:
    """`serve` on a folder that is served says by which process."""
    pid = json.loads(call("start", data_dir).stdout)["pid"]
    assert f"process {pid}" in call("serve", data_dir).stderr


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("serve", "--port", "80000"),
        ("serve", "--port", "-1"),
        ("start", "--nodes", "-1"),
        ("configure", "--log-limit", "10 apples"),
        ("start", "--nodes", "x"),
        ("serve", "--gpus-per-node", "-8"),
        ("serve", "--grace", "nan"),
        ("serve", "--idle-timeout", "-1"),
        ("stop", "--timeout", "inf"),
    ],
)
def test_senseless_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, option: str, value: str
) -> None:
    """A number that makes no sense is refused in one line that names option and value, and nothing is started."""
    with pytest.raises(SystemExit) as ended:
        main([command, f"--data-dir={tmp_path / 'data'}", f"{option}={value}"])
    (line,) = capsys.readouterr().err.splitlines()
    assert (2, True, True) == (ended.value.code, option in line, repr(value) in line)
    assert not (tmp_path / "data").exists()


def spoil_version(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 1000")
    db.close()


@pytest.mark.parametrize("command", ["serve", "start"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(lambda file: file.write_text("hello" * 1000), "not a database"), (spoil_version, "newer version")],
    ids=["broken", "newer"],
)
def test_database_that_cannot_be_opened(
    data_dir: Path, command: str, spoil: Callable[[Path], object], reason: str
) -> None:
    """A broken database, or a newer one, is told in one line that names the file."""
    data_dir.mkdir(0o700)
    spoil(data_dir / "platform.sqlite3")
    done = call(command, data_dir)
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "platform.sqlite3" in done.stderr
    assert reason in done.stderr


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_folder_that_others_can_write(tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int) -> None:
    """A data folder that others can write to is refused in one line, with the command that mends it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    assert 1 == main(["start", f"--data-dir={tmp_path / 'data'}"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "chmod go-w" in line


def test_port_that_is_taken(data_dir: Path) -> None:
    """A port that is taken is told in one line, also from the background."""
    with Platform() as other:
        port = str(httpx.URL(other.endpoint).port)
        done = call("start", data_dir, "--port", port)
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert f"port {port}" in done.stderr


def test_head_of_a_log(data_dir: Path, log_of: str) -> None:
    """Whoever has read enough of a log can close the pipe: nothing is said."""
    line = [*COMMAND, "logs", "--data-dir", str(data_dir), log_of]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as logs:
        assert logs.stdout
        assert logs.stderr
        assert [b"y\n", b"y\n"] == [logs.stdout.readline() for _ in range(3)][1:]
        logs.stdout.close()
        assert (b"", 0) == (logs.stderr.read(), logs.wait(PATIENCE))


def test_interrupt_of_a_log(data_dir: Path) -> None:
    """Ctrl-C ends following a log without a traceback."""
    with Platform(data_dir) as platform:
        caller = Caller(platform)
        name = caller.create("echo hello; sleep 600")
        line = [*COMMAND, "logs", "--data-dir", str(data_dir), name, "--follow"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as logs:
            assert logs.stdout
            assert logs.stderr
            while logs.stdout.readline() != b"hello\n":
                pass
            logs.send_signal(signal.SIGINT)
            assert (b"", 130) == (logs.stderr.read(), logs.wait(PATIENCE))
        caller.close()


def test_log_does_not_go_through_a_proxy(
    data_dir: Path, log_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform is on this machine: no proxy is asked."""
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert 30_000_000 == len(call("logs", data_dir, log_of).stdout.partition("\n")[2])


def test_settings_are_remembered(data_dir: Path) -> None:
    """What one start or `configure` sets holds for the next start, and `status` tells it."""
    configured = json.loads(call("configure", data_dir, "--grace", "5", "--log-limit", "1GiB").stdout)
    assert (5.0, 1 << 30) == (configured["grace"], configured["log_limit"])
    call("start", data_dir, "--nodes", "2", "--cluster-name", "r1z1", "--cluster-name", "r7z2")
    call("stop", data_dir)
    call("start", data_dir)
    status = json.loads(call("status", data_dir).stdout)
    expected = {"name": "r1z1", "aliases": ["r7z2"], "nodes": 2, "gpus": {"a100_80gb": 16}}
    assert [expected] == status["clusters"]
    assert 5.0 == status["settings"]["grace"]


def test_start_with_other_settings_than_those_of_the_running_platform(data_dir: Path) -> None:
    """`start` does not pretend to have changed what runs: it says what differs, and how to change it."""
    assert 0 == call("start", data_dir, "--grace", "5").returncode
    assert 0 == call("start", data_dir, "--grace", "5").returncode
    refused = call("start", data_dir, "--grace", "6", "--nodes", "2")
    assert (1, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert "grace 5.0, not 6.0" in refused.stderr
    assert "nodes 0, not 2" in refused.stderr
    assert "stop" in refused.stderr


def test_settings_of_a_start_that_failed(data_dir: Path) -> None:
    """What could not be started with is not remembered."""
    with Platform() as other:
        assert 1 == call("start", data_dir, f"--port={httpx.URL(other.endpoint).port}").returncode
    assert 0 == json.loads(call("configure", data_dir).stdout)["port"]


def test_defaults_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configure --defaults` forgets what was set, but for what is given with it."""
    folder = f"--data-dir={tmp_path}"
    main(["configure", folder, "--grace", "5", "--nodes", "2", "--no-namespaces"])
    main(["configure", folder, "--defaults", "--grace", "7"])
    before, after = map(json.loads, capsys.readouterr().out.splitlines())
    assert (5.0, 2, False) == (before["grace"], before["clusters"][0]["nodes"], before["namespaces"])
    assert (7.0, 0, True) == (after["grace"], after["clusters"][0]["nodes"], after["namespaces"])


def test_cluster_answers_to_its_names(data_dir: Path) -> None:
    """A configuration for each name of the cluster is accepted; another is refused with the way out."""
    found = json.loads(call("start", data_dir, "--cluster-name", "r1z1", "--cluster-name", "r7z2").stdout)
    with Platform() as other:
        caller = Caller(other, Path(found["api_key_file"]).read_text())
        caller.endpoint = found["endpoint"]
        for name in ("r1z1", "r7z2"):
            caller.create("true", compute={"cluster": name, "gpus": 0})
        code, message = caller.refusal(compute={"cluster": "r9z9", "gpus": 0})
        caller.close()
    assert 400 == code
    assert "--cluster-name" in message
