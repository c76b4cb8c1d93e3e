"""What frees the disk: files of old runs, and everything at once."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mcli.platform import Platform
from mcli.platform.__main__ import main
from mcli.platform.cleaning import prune
from mcli.platform.execution.folders import RunFolders
from tests.platform.caller import Caller

NOW, DAY = timedelta(), timedelta(days=1)


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """The owner of a platform of the test's own."""
    with Platform(tmp_path / "data", grace=1) as platform:
        caller = Caller(platform)
        yield caller
        caller.close()


def data_dir(caller: Caller) -> Path:
    return caller.platform.data_dir


def test_prune_removes_what_old_runs_made(caller: Caller) -> None:
    """The files of a run that ended long enough ago go, and how much that was is told; the run stays."""
    name = caller.finish("head -c 1000000 /dev/zero > made")["name"]
    assert {"runs": 0, "freed_bytes": 0} == prune(data_dir(caller), DAY, keep_logs=False)
    freed = prune(data_dir(caller), NOW, keep_logs=False)
    assert (1, True) == (freed["runs"], freed["freed_bytes"] >= 1_000_000)
    assert not (data_dir(caller) / "runs" / name).exists()
    assert ("COMPLETED", b"") == (caller.run(name)["status"], caller.logs(name))


def test_prune_keeps_logs(caller: Caller) -> None:
    """With the logs kept only what the run has made goes."""
    name = caller.finish("echo hello; head -c 1000000 /dev/zero > made")["name"]
    assert prune(data_dir(caller), NOW, keep_logs=True)["freed_bytes"] >= 1_000_000
    assert b"hello\n" == caller.logs(name)
    assert [] == list((data_dir(caller) / "runs" / name).rglob("made"))


def test_prune_leaves_runs_that_go_on(caller: Caller) -> None:
    """A run that has not ended keeps its files, and one that was started again too."""
    name = caller.create("if [ $RESUMPTION_INDEX = 0 ]; then exit 0; fi; sleep 600")
    caller.statuses(name)
    caller.change("startRuns", name)
    caller.wait(name, "RUNNING")
    assert 0 == prune(data_dir(caller), NOW, keep_logs=False)["runs"]
    assert (data_dir(caller) / "runs" / name).exists()


def test_pruned_run_can_be_started_again(caller: Caller) -> None:
    """A run whose files are gone starts like any other."""
    name = caller.finish("echo $RESUMPTION_INDEX")["name"]
    prune(data_dir(caller), NOW, keep_logs=False)
    caller.change("startRuns", name)
    caller.statuses(name)
    assert b"1\n" == caller.logs(name)


def test_prune_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`prune` prints what it did, also where there never was a platform."""
    assert 0 == main(["prune", f"--data-dir={tmp_path}", "--older-than=7d"])
    assert {"runs": 0, "freed_bytes": 0} == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("age", ["7", "d", "-1d", "7 apples", "99999999999w"])
def test_senseless_age(tmp_path: Path, capsys: pytest.CaptureFixture[str], age: str) -> None:
    """A span of time that makes no sense is refused in one line."""
    with pytest.raises(SystemExit):
        main(["prune", f"--data-dir={tmp_path}", f"--older-than={age}"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "--older-than" in line


def test_reset_ends_runs_and_leaves_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`reset` ends runs that outlived their platform, removes keys, secrets and files, and keeps the settings."""
    folder = tmp_path / "data"
    main(["configure", f"--data-dir={folder}", "--grace=1"])
    platform = Platform(folder, grace=1)
    platform.start()
    caller = Caller(platform)
    name = caller.create("echo $$; sleep 600")
    caller.wait_for_log(name, b"\n")
    caller.close()
    pid = int((folder / "runs" / name / "0" / "0" / "log.txt").read_text().split()[-1])
    platform.stop(runs=False)
    assert Path(f"/proc/{pid}").exists()
    assert 0 == main(["reset", f"--data-dir={folder}", "--yes"])
    assert not Path(f"/proc/{pid}").exists()
    assert ["lock", "platform.toml"] == sorted(path.name for path in folder.iterdir())


def test_reset_of_nothing(tmp_path: Path) -> None:
    """`reset` where there never was a platform does nothing."""
    assert 0 == main(["reset", f"--data-dir={tmp_path / 'data'}", "--yes"])
    assert not (tmp_path / "data").exists()


def test_disk_use_is_told(caller: Caller) -> None:
    """What a run has made counts, under its name."""
    name = caller.finish("head -c 1000000 /dev/zero > made")["name"]
    assert RunFolders(data_dir(caller) / "runs").disk_use()[name] >= 1_000_000
