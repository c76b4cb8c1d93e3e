"""Runs: from submission to their end, on real processes."""

import json
import re
import shlex
import time
from pathlib import Path

import pytest

from mcli.platform.clock import VirtualClock
from tests.platform.caller import NEW, Caller

ALL = ["PENDING", "QUEUED", "STARTING", "RUNNING", "TERMINATING", "COMPLETED"]


def lifecycle(caller: Caller, name: str, **data: object) -> list[str]:
    return [entry["status"] for entry in caller.run(name, **data)["details"]["lifecycle"]]


def event_types(caller: Caller, name: str) -> list[str]:
    return [event["eventType"] for event in caller.run(name)["details"]["formattedRunEvents"]]


def test_passes_all_statuses_in_order(caller: Caller) -> None:
    """A run that does well passes every status, and each is in its record."""
    assert ALL == [entry["status"] for entry in caller.finish("true")["details"]["lifecycle"]]


def test_lifecycle_has_no_gaps(caller: Caller) -> None:
    """Each entry of the lifecycle ends when the next one starts, and only the last one is open."""
    entries = caller.finish("true")["details"]["lifecycle"]
    assert [entry["endTime"] for entry in entries] == [entry["startTime"] for entry in entries[1:]] + [None]


def test_completed_says_so(caller: Caller) -> None:
    """A run whose command exits with 0 is COMPLETED, with its reason and the three events."""
    run = caller.finish("true")
    assert ("COMPLETED", "Run completed successfully") == (run["status"], run["reason"])
    assert ["CREATED", "STARTED", "COMPLETED"] == event_types(caller, run["name"])


def test_exit_status_is_the_reason(caller: Caller) -> None:
    """A command that exits with 7 makes the run FAILED, and run, resumption and node say why."""
    run = caller.finish("exit 7")
    assert "FAILED" == run["status"]
    reasons = {run["reason"], run["resumptions"][0]["reason"], run["details"]["nodes"][0]["reason"]}
    assert {"Exit code: 7. Reason: Error"} == reasons


def test_first_failing_line_ends_the_run(caller: Caller) -> None:
    """The command runs under `set -e`."""
    run = caller.finish("false\necho survived")
    assert ("FAILED", b"") == (run["status"], caller.logs(run["name"]))


def test_name_gets_a_suffix(caller: Caller) -> None:
    """The server appends six letters and digits to the stem, and gives back the request as it was sent."""
    run = caller.run(caller.create("true", runName="stem"))
    assert re.fullmatch(r"stem-[A-Za-z0-9]{6}", run["name"])
    assert "stem" == run["details"]["originalRunInput"]["runName"]


def test_request_comes_back_without_nulls(caller: Caller) -> None:
    """What was sent as null is left out of `originalRunInput`, because clients cannot read it."""
    run = caller.run(caller.create("true", parentName=None, scheduling=None))
    assert {"runName", "image", "command", "compute"} == set(run["details"]["originalRunInput"])


def test_missing_fields_are_named(caller: Caller) -> None:
    """A request without image and command is refused with the text that clients look for."""
    code, message = caller.refusal("", image="")
    assert 400 == code
    assert message == "Bad run request: image is a required field, command is a required field"


def test_impossible_request_is_refused(caller: Caller) -> None:
    """A count of GPUs that no instance offers is refused at once."""
    code, message = caller.refusal(compute={"gpus": 3})
    assert (400, True) == (code, "gpus=3" in message)


def test_ranks_know_each_other(caller: Caller) -> None:
    """A run of two nodes is two ranks with one place to meet."""
    command = 'echo "$NODE_RANK/$NUM_NODES $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR:$MASTER_PORT"'
    name = caller.finish(command, compute={"gpus": 16})["name"]
    first, second = (caller.logs(name, nodeRank=rank).decode().split() for rank in (0, 1))
    assert (["0/2", "16", "8"], ["1/2", "16", "8"]) == (first[:3], second[:3])
    assert first[3] == second[3]


def test_ranks_meet(caller: Caller) -> None:
    """Ranks can talk over MASTER_ADDR and MASTER_PORT."""
    command = """python3 - <<'PY'
import os, socket, time
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if os.environ["NODE_RANK"] == "0":
    with socket.create_server(place) as server: print(server.accept()[0].recv(5).decode())
else:
    for _ in range(200):
        try: socket.create_connection(place).sendall(b"hello"); break
        except OSError: time.sleep(0.05)
PY"""
    assert b"hello\n" == caller.logs(caller.finish(command, compute={"gpus": 16})["name"])


def test_failing_rank_stops_the_others(caller: Caller) -> None:
    """When one node fails the others are stopped, and the failed one gives the run its reason."""
    run = caller.finish("if [ $NODE_RANK = 1 ]; then exit 5; fi; sleep 600", compute={"gpus": 16})
    assert ("FAILED", "Exit code: 5. Reason: Error") == (run["status"], run["reason"])
    assert ["STOPPED", "FAILED"] == [node["status"] for node in run["details"]["nodes"]]


def test_parameters_are_a_file(caller: Caller) -> None:
    """The parameters are YAML at `$PARAMETERS`."""
    name = caller.finish("cat $PARAMETERS", parameters={"lr": 0.1, "names": ["é"]})["name"]
    assert "lr: 0.1\nnames:\n- é\n" == caller.logs(name).decode()


def test_starts_in_an_empty_folder(caller: Caller) -> None:
    """The command starts in a folder of its own, and nothing of it is kept."""
    name = caller.finish("ls -A; touch left; pwd")["name"]
    assert not Path(caller.logs(name).decode().strip()).exists()


def test_long_command(caller: Caller) -> None:
    """A command may be longer than one argument of a program can be."""
    name = caller.finish(": " + "x" * 200_000 + "\necho end")["name"]
    assert b"end\n" == caller.logs(name)


def test_server_key_stays_out_of_runs(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment of the server do not reach a run."""
    monkeypatch.setenv("MOSAICML_API_KEY", "hidden")
    assert b"none\n" == caller.logs(caller.finish('echo "${MOSAICML_API_KEY:-none}"')["name"])


def test_token_acts_for_the_owner(caller: Caller) -> None:
    """Code in a run can call the platform with the token in its file; after the end the token is worth nothing."""
    command = """printf '%s ' "$(cat $MOSAICML_ACCESS_TOKEN_FILE)"; stat -c %a $MOSAICML_ACCESS_TOKEN_FILE
    curl -s "$MOSAICML_API_ENDPOINT" -H "Authorization: Bearer $(cat $MOSAICML_ACCESS_TOKEN_FILE)" \
    -H 'Content-Type: application/json' -d '{"query": "{getUsers(getUsersData: {}) {email}}"}'"""
    facts, answer = caller.logs(caller.finish(command)["name"]).decode().splitlines()
    token, mode = facts.split()
    assert "600" == mode
    assert caller.platform.api_key != token
    assert "@localhost" in json.loads(answer)["data"]["getUsers"][0]["email"]
    stranger = Caller(caller.platform, token)
    assert 401 == stranger.error("{getUsers(getUsersData: {}) {email}}")[0]
    stranger.close()


def test_stop_sends_sigterm(caller: Caller) -> None:
    """A stopped run gets SIGTERM and may still write; it is STOPPED for the given reason."""
    name = caller.create("trap 'echo saved; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    caller.wait_for_log(name, b"up")
    caller.change("stopRuns", name, 'stopRunsData: {reason: "enough"}')
    caller.statuses(name)
    run = caller.run(name)
    assert ("STOPPED", "enough") == (run["status"], run["reason"])
    assert caller.logs(name).endswith(b"saved\n")


def test_stop_kills_after_the_grace(caller: Caller) -> None:
    """A command that ignores SIGTERM is killed, with all that it started."""
    name = caller.create("trap '' TERM; setsid sleep 601 & echo $! $$; sleep 600; sleep 600")
    caller.wait_for_log(name, b"\n")
    caller.change("stopRuns", name)
    assert "STOPPED" == caller.statuses(name)[-1]
    for pid in caller.logs(name).split():
        assert not Path(f"/proc/{int(pid)}").exists()


def test_leftovers_are_killed(caller: Caller) -> None:
    """What a command leaves running ends with it."""
    name = caller.finish("sleep 600 & echo $!")["name"]
    assert not Path(f"/proc/{int(caller.logs(name))}").exists()


def test_stop_of_an_ended_run_changes_nothing(caller: Caller) -> None:
    """Stopping a run that has ended gives the run as it is."""
    run = caller.finish("true")
    assert "COMPLETED" == caller.change("stopRuns", run["name"])["status"]
    assert ALL == lifecycle(caller, run["name"])


@pytest.mark.parametrize("field", ["stopRuns", "startRuns", "deleteRuns"])
def test_change_of_a_missing_run(caller: Caller, field: str) -> None:
    """Changing a run that is not there is an error 404 that names it."""
    document = f"mutation M($data: GetRunsInput!) {{ {field}(getRunsData: $data) {{ id }} }}"
    code, message = caller.error(document, data={"filters": {"name": {"in": ["nobody"]}}})
    assert (404, True) == (code, "'nobody'" in message)


def test_start_again_is_the_next_resumption(caller: Caller) -> None:
    """A run that is started again keeps its name and the logs of each resumption."""
    name = caller.finish("echo $RESUMPTION_INDEX; exit 1")["name"]
    assert "PENDING" == caller.change("startRuns", name)["status"]
    caller.statuses(name)
    assert [0, 1] == [resumption["executionIndex"] for resumption in caller.run(name)["resumptions"]]
    assert (b"0\n", b"1\n") == (caller.logs(name, attemptIndex=0), caller.logs(name))


def test_start_of_a_live_run_changes_nothing(caller: Caller) -> None:
    """Starting a run that has not ended gives it back as it is, so a start can be repeated freely."""
    name = caller.create("sleep 600")
    caller.wait(name, "RUNNING")
    assert caller.run(name) == caller.change("startRuns", name)
    caller.change("stopRuns", name)


def test_a_run_that_stops_itself_is_answered_at_once(caller: Caller) -> None:
    """A stop with the run's own token does not wait for the end of the one who waits for the answer."""
    stop = """
import json, os, time, urllib.request
query = "mutation S($d: GetRunsInput!) { stopRuns(getRunsData: $d) { status } }"
data = {"filters": {"name": {"in": [os.environ["RUN_NAME"]]}}}
headers = {"Authorization": open(os.environ["MOSAICML_ACCESS_TOKEN_FILE"]).read(), "Content-Type": "application/json"}
body = json.dumps({"query": query, "variables": {"d": data}}).encode()
request = urllib.request.Request(os.environ["MOSAICML_API_ENDPOINT"], body, headers)
print(json.load(urllib.request.urlopen(request))["data"]["stopRuns"][0]["status"])
"""
    name = caller.create(f"trap '' TERM; python3 -c {shlex.quote(stop)}")
    assert b"TERMINATING\n" == caller.logs(name, follow=True)


def test_deleted_runs_are_hidden(caller: Caller) -> None:
    """A deleted run is stopped first, is listed on request only, and its files go."""
    name = caller.create("sleep 600")
    caller.wait(name, "RUNNING")
    with caller.socket(NEW) as socket:
        socket.watch(name)
        statuses = socket.results()
        assert "RUNNING" == next(statuses)
        caller.change("deleteRuns", name)
        assert ["TERMINATING", "STOPPED"] == list(statuses)
    assert [] == caller.page(filters={"name": {"in": [name]}})["runs"]
    assert caller.run(name, includeDeleted=True)["isDeleted"]


def test_retries_of_a_failing_command(caller: Caller) -> None:
    """A failing run is tried again `maxRetries` times, each time as a resumption of its own."""
    name = caller.create("echo $RESUMPTION_INDEX; exit 3", scheduling={"maxRetries": 1})
    assert "FAILED" == caller.statuses(name)[-1]
    statuses = [resumption["status"] for resumption in caller.run(name)["resumptions"]]
    assert ["FAILED", "FAILED"] == statuses
    assert [*ALL[:-1], *ALL[:-1], "FAILED"] == lifecycle(caller, name)


def test_killed_by_nobody_is_the_systems_failure(caller: Caller) -> None:
    """With `retryOnSystemFailure` a rank that was killed from outside is tried again."""
    command = "if [ $RESUMPTION_INDEX = 0 ]; then kill -9 $$; fi; echo second"
    name = caller.create(command, scheduling={"retryOnSystemFailure": True})
    assert "COMPLETED" == caller.statuses(name)[-1]
    assert b"second\n" == caller.logs(name)


def test_failure_of_the_user_is_no_system_failure(caller: Caller) -> None:
    """`retryOnSystemFailure` does not try a command again that fails by itself."""
    run = caller.finish("exit 1", scheduling={"retryOnSystemFailure": True})
    assert ("FAILED", 1) == (run["status"], len(run["resumptions"]))


def test_time_limit(timed: Caller, clock: VirtualClock) -> None:
    """A run is stopped when its `maxDuration` hours are over, and says so."""
    name = timed.create("sleep 600", scheduling={"maxDuration": 0.5})
    timed.wait(name, "RUNNING")
    assert 1800 == timed.run(name)["maxDurationSeconds"]
    clock.advance(1800)
    assert "STOPPED" == timed.statuses(name)[-1]
    assert "Maximum duration of 0.5 hours reached" == timed.run(name)["reason"]


def test_time_limit_can_be_changed(timed: Caller, clock: VirtualClock) -> None:
    """A new limit counts from the start of the resumption and takes effect on a running run."""
    name = timed.create("sleep 600", scheduling={"maxDuration": 100})
    timed.wait(name, "RUNNING")
    clock.advance(60)
    timed.change("updateRun", name, "updateRunData: {maxDurationSeconds: 60}")
    assert "STOPPED" == timed.statuses(name)[-1]


def test_interactive_run_completes(timed: Caller, clock: VirtualClock) -> None:
    """An interactive run needs nothing said, waits, and is COMPLETED when its time is over."""
    document = """mutation CreateInteractiveRun($createRunData: CreateInteractiveRunInput!) {
        createInteractiveRun(createRunData: $createRunData) { name runType maxDurationSeconds } }"""
    data = {"runInput": {"compute": {"gpus": 0}}, "seconds": None}
    (run,) = timed.send(document, createRunData=data)
    assert ("INTERACTIVE", 3600) == (run["runType"], run["maxDurationSeconds"])
    timed.wait(run["name"], "RUNNING")
    clock.advance(3600)
    assert "COMPLETED" == timed.statuses(run["name"])[-1]


def test_higher_priority_preempts(caller: Caller) -> None:
    """A preemptible run makes room for a more important one, waits, and is then run again."""
    scheduling = {"priority": "low", "preemptible": True}
    command = 'if [ "$RESUMPTION_INDEX" = 0 ]; then sleep 600; fi'
    victim = caller.create(command, compute={"gpus": 16}, scheduling=scheduling)
    caller.wait(victim, "RUNNING")
    winner = caller.finish("true", compute={"gpus": 16})
    assert "COMPLETED" == caller.statuses(victim)[-1]
    first, second = caller.run(victim)["resumptions"]
    assert ("STOPPED", f"Preempted by {winner['name']}") == (first["status"], first["reason"])
    assert "COMPLETED" == second["status"]


def test_waiting_run_says_why(caller: Caller) -> None:
    """A run without room is QUEUED with a reason, and is STOPPED at once when it is stopped."""
    holder = caller.create("sleep 600", compute={"gpus": 16})
    caller.wait(holder, "RUNNING")
    waiting = caller.create("true", compute={"gpus": 16})
    caller.wait(waiting, "QUEUED")
    assert "0 of 2 free" in caller.run(waiting)["reason"]
    assert "STOPPED" == caller.change("stopRuns", waiting)["status"]
    caller.change("stopRuns", holder)


def test_metadata_is_merged(caller: Caller) -> None:
    """Metadata updates replace top-level keys, keep the others, and leave their events."""
    name = caller.create("true", metadata={"a": {"b": 1}, "c": 2})
    document = """mutation UpdateRunMetadata($data: GetRunsInput!, $update: UpdateRunMetadataInput!) {
        updateRunMetadata(getRunsData: $data, updateRunMetadataData: $update) { details { metadata } } }"""
    update = {"metadata": {"a": 3, "mosaicml/training_progress": "[batch=1/2]"}}
    (run,) = caller.send(document, data={"filters": {"name": {"in": [name]}}}, update=update)
    assert {"a": 3, "c": 2, **update["metadata"]} == run["details"]["metadata"]
    assert "TRAIN_UPDATED" in event_types(caller, name)


def test_only_given_settings_change(caller: Caller) -> None:
    """An update changes what it names and nothing else."""
    name = caller.create("true", scheduling={"priority": "low", "maxRetries": 2})
    run = caller.change("updateRun", name, "updateRunData: {preemptible: true}")
    assert (True, "low", 2) == (run["preemptible"], run["priority"], run["maxRetries"])


def test_an_event_can_be_reported(caller: Caller) -> None:
    """Code can add an event to a run."""
    name = caller.create("true")
    document = """mutation CreateRunEvent($createRunEventData: CreateRunEventInput!) {
        createRunEvent(createRunEventData: $createRunEventData) {
            id runId executionId eventType eventData updatedAt } }"""
    data = {"runName": name, "eventType": "DATA_VALIDATED", "eventData": {"message": "all fine"}}
    (event,) = caller.send(document, createRunEventData=data)
    assert (caller.run(name)["id"], {"message": "all fine"}) == (event["runId"], event["eventData"])
    assert "DATA_VALIDATED" in event_types(caller, name)


def test_hero_runs_are_told_by_their_metadata(caller: Caller) -> None:
    """A run with `is_hero_run` in its metadata is a HERO_RUN."""
    assert "HERO_RUN" == caller.run(caller.create("true", metadata={"is_hero_run": True}))["runType"]


def test_gpus_are_pinned(caller: Caller) -> None:
    """A run sees the GPUs that it was given, and a CPU-only run sees none."""
    name = caller.finish("echo $CUDA_VISIBLE_DEVICES", compute={"gpus": 4})["name"]
    assert b"0,1,2,3\n" == caller.logs(name)
    assert b"[]\n" == caller.logs(caller.finish("echo [$CUDA_VISIBLE_DEVICES]")["name"])


def test_no_process_is_left(caller: Caller) -> None:
    """After its end nothing of a run is left, its supervisor included."""
    name = caller.finish("echo $PPID")["name"]
    assert not Path(f"/proc/{int(caller.logs(name))}").exists()


def test_stop_of_a_retry(caller: Caller) -> None:
    """A retry can be stopped though the files of the attempt before it were removed after its start."""
    command = "if [ $RESUMPTION_INDEX = 0 ]; then touch {1..20000}; exit 1; fi; echo up; sleep 600"
    name = caller.create(command, scheduling={"maxRetries": 1})
    caller.logs(name, follow=True, attemptIndex=0)  # to its end
    caller.wait_for_log(name, b"up", attemptIndex=1)
    packages = caller.platform.data_dir / "runs" / name / "0" / "0" / "env"
    while packages.exists():
        time.sleep(0.01)
    caller.run(name)
    caller.change("stopRuns", name)
    assert "STOPPED" == caller.statuses(name)[-1]
