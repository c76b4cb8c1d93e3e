"""Commands about runs, against a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

import mcli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

pytestmark = pytest.mark.usefixtures("platform")


def test_run_prints_the_name_of_the_new_run(command: Command, train: Path) -> None:
    """Stdout is the name alone, for scripts; what to do next is talk."""
    ended = command("run", "-f", str(train))
    assert ended.status == 0
    assert mcli.get_run(ended.out.strip()).name.startswith("train-")
    assert "mcli logs" in ended.err


def test_a_followed_run_prints_its_log_and_ends_as_it_does(command: Command, train: Path) -> None:
    """The log is stdout, whole; a run that completed gives 0."""
    ended = command("run", "-f", str(train), "--follow")
    assert (0, "one\ntwo\n") == (ended.status, ended.out[-8:])
    assert "Completed" in ended.err


def test_a_failed_run_gives_1(command: Command, train: Path) -> None:
    """The status tells scripts that the run failed, and stderr why."""
    train.write_text(train.read_text().replace("echo two", "exit 3"))
    ended = command("r", "-f", str(train), "--follow")
    assert ended.status == 1
    assert "Exit code: 3" in ended.err


def test_options_go_before_the_file(command: Command, train: Path) -> None:
    """A dry run shows what would be launched, and launches nothing."""
    before = len(mcli.get_runs())
    ended = command("run", "-f", str(train), "--name", "other", "--max-duration", "2", "--dry-run")
    shown = yaml.safe_load(ended.out)
    assert ("other", 2, "bash") == (shown["name"], shown["scheduling"]["max_duration"], shown["image"])
    assert before == len(mcli.get_runs())


@pytest.mark.parametrize("arguments", [(), ("-f", "a", "--clone", "b"), ("--restart", "a", "--gpus", "1")])
def test_run_wants_one_source(command: Command, arguments: tuple[str, ...]) -> None:
    """A file, a run to clone, or a run to start again: one of them."""
    assert command("run", *arguments).status == 2


def test_a_clone_is_what_the_other_run_was(command: Command, ended: mcli.Run) -> None:
    """Its configuration is launched again, with what the options change."""
    name = command("run", "--clone", ended.name, "--name", "again").out.strip()
    again = mcli.get_run(name)
    assert again.submitted_config
    assert ("again", "echo hi") == (again.submitted_config.name, again.submitted_config.command)


def test_an_ended_run_starts_again(command: Command, ended: mcli.Run) -> None:
    """`--restart` is `start_run`."""
    assert command("run", "--restart", ended.name, "--follow").status == 0
    assert len(mcli.get_run(ended).resumptions) == 2


@pytest.mark.parametrize("words", [("get", "runs"), ("g", "run")])
def test_runs_are_a_table(command: Command, ended: mcli.Run, words: tuple[str, ...]) -> None:
    """Each run is a row with its status and reason, never cut in a pipe."""
    table = command(*words).out
    assert table.startswith("NAME")
    assert any(ended.name in line and "Run completed successfully" in line for line in table.splitlines())


def test_runs_are_json(command: Command, ended: mcli.Run) -> None:
    """One array, with our names of the fields."""
    (found,) = command("get", "runs", ended.name, "-o", "json").json
    assert (ended.name, "COMPLETED", 0) == (found["name"], found["status"], found["gpus"])


def test_no_run_is_an_empty_array(command: Command) -> None:
    """What nothing matches is not an error."""
    ended = command("get", "runs", "no-such-*", "-o", "json")
    assert (0, []) == (ended.status, ended.json)


def test_a_pattern_chooses_by_name(command: Command, ended: mcli.Run) -> None:
    """`*` stands for any text."""
    assert ended.name in command("get", "runs", "don*", "-o", "name").out.split()


def test_a_missing_run_is_named(command: Command) -> None:
    """One line says which run there is not; the status is 1."""
    ended = command("get", "runs", "no-such-run")
    assert (1, True) == (ended.status, "no-such-run" in ended.err)


def test_a_status_that_is_not_one_is_told(command: Command) -> None:
    """The message is the SDK's, without a traceback."""
    ended = command("get", "runs", "-s", "complted")
    assert ended.status == 1
    assert "complted" in ended.err
    assert "Traceback" not in ended.err


def test_metadata_chooses_runs(command: Command, ended: mcli.Run) -> None:
    """`KEY=VALUE` compares the value as text."""
    mcli.update_run_metadata(ended, {"sweep": 3})
    assert [ended.name] == command("get", "runs", "-m", "sweep=3", "-o", "name").out.split()
    assert command("get", "runs", "-m", "sweep=4", "-o", "name").out.split() == []


def test_a_run_is_described(command: Command, ended: mcli.Run) -> None:
    """Without a name the latest run is meant; its configuration stands below."""
    text = command("describe", "run").out
    assert "LIFECYCLE" in text
    assert "CONFIGURATION" in command("describe", "run", ended.name).out
    assert "CONFIGURATION" not in command("describe", "run", ended.name, "--no-yaml").out


def test_the_log_is_printed(command: Command, ended: mcli.Run) -> None:
    """`--tail` counts lines."""
    whole = command("logs", ended.name).out
    assert whole.endswith("hi\n")
    assert command("log", ended.name, "--tail", "1").out == "hi\n"
    assert command("logs", ended.name, "-f").status == 0


def test_a_run_is_stopped(command: Command) -> None:
    """Nobody can be asked here, so `-y` is needed."""
    run = mcli.create_run(mcli.RunConfig("sleeper", image="bash", command="sleep 600", compute={"gpus": 0}))
    assert command("stop", "run", run.name).status == 2
    assert command("stop", "run", run.name, "-y", "--reason", "enough").status == 0
    assert mcli.wait_for_run_status(run, "STOPPED").reason == "enough"


@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_nothing_is_destroyed_by_leaving_names_out(command: Command, verb: str) -> None:
    """All runs are meant only where `--all` says so."""
    ended = command(verb, "runs", "-y")
    assert (2, True) == (ended.status, "--all" in ended.err)


def test_a_run_is_updated(command: Command, ended: mcli.Run) -> None:
    """Settings are those of `update_run`; the watchdog is two of them."""
    assert command("update", "run", ended.name, "--max-retries", "4").status == 0
    assert mcli.get_run(ended).max_retries == 4
    assert command("update", "run", ended.name).status == 2
    assert command("watchdog", ended.name).status == 1


def test_two_runs_are_compared(command: Command, ended: mcli.Run) -> None:
    """The status tells whether they differ, as of `diff`."""
    assert command("diff", "run", ended.name, ended.name).status == 0
    other = mcli.create_run(mcli.RunConfig("other", image="bash", command="true", compute={"gpus": 0}))
    differing = command("diff", "run", ended.name, other.name)
    assert (1, True) == (differing.status, "-name: done" in differing.out)


def test_runs_are_deleted(command: Command, ended: mcli.Run) -> None:
    """A deleted run is listed where deleted ones are asked for."""
    assert command("delete", "runs", ended.name, "-y").status == 0
    assert ended.name not in command("get", "runs", "-o", "name").out
    assert ended.name in command("get", "runs", "--include-deleted", "-o", "name").out
