"""What of the platform lives across requests and resumptions: rights that end, state that is reset, whose it is."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform import Platform
from tests.census import descriptors, settles, tasks
from tests.platform.caller import CREATE, PATIENCE, Caller
from tests.platform.test_restart import served, waiting_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ME = "{ getUsers(getUsersData: {}) { email } }"
SAY_TOKEN = 'cat "$MOSAICML_ACCESS_TOKEN_FILE"; echo'


@pytest.fixture
def other(caller: Caller) -> Iterator[Caller]:
    """Another user of the shared platform."""
    other = Caller(caller.platform, caller.platform.add_user("other", "other@example.com"))
    yield other
    other.close()


def is_refused(caller: Caller, token: str) -> bool:
    """Tell whether the platform knows a token no more."""
    answer = caller.http.post(caller.endpoint, json={"query": ME}, headers={"Authorization": token}).json()
    return 401 in [error["extensions"]["code"] for error in answer.get("errors", [])]


def token_of(caller: Caller, name: str) -> str:
    """Return the token that a run has printed before all else."""
    return caller.logs(name).decode().splitlines()[-1]


# Rights


def test_the_token_of_a_run_ends_with_it_for_ever(tmp_path: Path) -> None:
    """What was the token of a run is refused after its end, and after a restart too."""
    with served(tmp_path / "data") as caller:
        token = token_of(caller, caller.finish(SAY_TOKEN)["name"])
        assert is_refused(caller, token)
    with served(tmp_path / "data") as caller:
        assert is_refused(caller, token)


def test_the_token_of_a_run_that_outlives_the_server_ends_with_the_run(tmp_path: Path) -> None:
    """A run that goes on over a restart keeps its token to its end, and no longer."""
    go = tmp_path / "go"
    with served(tmp_path / "data") as caller:
        name = caller.create(f"{SAY_TOKEN}; echo up; while [ ! -e {go} ]; do sleep 0.02; done")
        caller.wait_for_log(name, b"up\n")
        token = caller.logs(name).decode().splitlines()[-2]
    with served(tmp_path / "data") as caller:
        assert not is_refused(caller, token)
        go.touch()
        assert "COMPLETED" == caller.statuses(name)[-1]
        assert is_refused(caller, token)
    with served(tmp_path / "data") as caller:
        assert is_refused(caller, token)


def test_a_request_is_remembered_for_its_user(caller: Caller, other: Caller) -> None:
    """Two users who happen to send the same idempotency key get a run each."""
    run_input = {"runName": "same", "image": "i", "command": "true", "compute": {"gpus": 0}}
    sent = {"createRunData": {"runInput": run_input}}
    answers = [each.post(CREATE, sent, **{"Idempotency-Key": "one"}).json() for each in (caller, other)]
    (mine,), (theirs,) = (answer["data"]["createRun"] for answer in answers)
    assert mine["name"] != theirs["name"]
    assert mine["createdByEmail"] != theirs["createdByEmail"]


# State that is reset


def resumptions(caller: Caller, name: str) -> int:
    """Wait for the end of a run, and count its resumptions."""
    caller.statuses(name)
    return len(caller.run(name)["resumptions"])


def test_who_starts_a_run_again_gives_it_all_retries_again(timed: Caller) -> None:
    """A run with one retry fails after two resumptions, and after two more when it is started again."""
    name = timed.create("exit 3", scheduling={"maxRetries": 1})
    counts = [resumptions(timed, name)]
    timed.change("startRuns", name)
    counts.append(resumptions(timed, name))
    assert [2, 4] == counts


def test_starts_count_though_no_time_passes(timed: Caller) -> None:
    """Each start of a run that has ended is a resumption of its own, also where the clock stands still."""
    name = timed.create("true")
    counts = [resumptions(timed, name)]
    for _ in range(2):
        timed.change("startRuns", name)
        counts.append(resumptions(timed, name))
    assert [1, 2, 3] == counts


def test_the_first_stop_says_why(caller: Caller) -> None:
    """A second stop, while the run still ends, does not change the reason of the first."""
    name = caller.create("trap '' TERM; echo up; sleep 600 & while :; do wait; done")
    caller.wait_for_log(name, b"up")
    with ThreadPoolExecutor(1) as pool:  # a stop is answered when the run has ended
        first = pool.submit(caller.change, "stopRuns", name, 'stopRunsData: {reason: "first"}')
        caller.wait(name, "TERMINATING")
        caller.change("stopRuns", name, 'stopRunsData: {reason: "second"}')
        first.result(PATIENCE)
    caller.statuses(name)
    assert ("STOPPED", "first") == (caller.run(name)["status"], caller.run(name)["reason"])


# Resources


def test_runs_leave_no_descriptor_open(caller: Caller) -> None:
    """After six runs, and after a dozen ranks, the server has as many files and pipes open as after one."""
    caller.finish("true")
    before = sum(descriptors().values())
    for _ in range(6):
        caller.finish("echo a", compute={"gpus": 16})
    assert settles(lambda: sum(descriptors().values()) <= before)


def test_a_socket_that_drops_ends_its_subscriptions() -> None:
    """Of sockets that end without a word nothing goes on: neither watches nor logs."""
    with Platform(grace=1) as platform:
        caller = Caller(platform)
        name = caller.create("sleep 600")
        caller.wait(name, "RUNNING")
        assert settles(lambda: not subscriptions(platform))
        for _ in range(5):
            with caller.socket() as socket:
                socket.watch(name, "1")
                socket.follow(name, "2")
                socket.hear()
                assert settles(lambda: len(subscriptions(platform)) == 2)
                socket.connection.socket.shutdown(2)
        assert settles(lambda: not subscriptions(platform))
        caller.close()


def subscriptions(platform: Platform) -> list[Any]:
    """Return the tasks of a platform that serve a subscription."""
    return [each for each in tasks(platform._loop).elements() if "Socket._run" in each]


def test_a_stranger_with_the_number_of_a_lost_process_lives(tmp_path: Path) -> None:
    """After a restart a process that has got the number of a rank's supervisor is not touched by a stop."""
    go = tmp_path / "go"
    with served(tmp_path / "data") as caller:
        name = waiting_run(caller, go)
    process = next((tmp_path / "data" / "runs" / name).rglob("process.json"))
    kept = process.read_text()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        number = str(json.loads(kept)["supervisor"][0])
        process.write_text(kept.replace(number, str(stranger.pid)))
        with served(tmp_path / "data") as caller:
            caller.change("stopRuns", name)
            caller.statuses(name)
            assert stranger.poll() is None
        stranger.kill()
    go.touch()
    os.waitpid(int(number), 0)
