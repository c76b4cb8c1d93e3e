"""Logs: which one is given, how much of it, and how it is followed."""

import base64
import itertools
from pathlib import Path

import pytest

from mcli.platform import Platform
from mcli.platform.execution.log_limit import notice
from mcli.platform.serving.log_files import CHUNK
from tests.platform.caller import HEAD, Caller

GPU_RANK = (
    'if [ $NODE_RANK = 1 ]; then printf "rank 3" > $MOSAICML_LOG_DIR/${MOSAICML_GPU_LOG_FILE_PREFIX}3.txt; fi'
)


def whole(caller: Caller, name: str) -> bytes:
    """Return a log with its first line."""
    (file,) = (caller.platform.data_dir / "runs" / name).glob("0/0/log.txt")
    return file.read_bytes()


def test_log_begins_with_the_working_folder(caller: Caller) -> None:
    """The first line of a log says where to find what the run has made, under the run's name."""
    run = caller.finish("echo 1 > checkpoint")
    first = whole(caller, run["name"]).splitlines()[0].decode()
    folder = caller.platform.data_dir / "runs" / run["name"] / "0" / "0" / "work"
    assert (f"[mcli] Working folder: {folder} (image bash is not used)", "1\n") == (
        first,
        (folder / "checkpoint").read_text(),
    )


def test_log_is_what_was_written(caller: Caller) -> None:
    """A log holds standard output and error in order, byte for byte."""
    name = caller.finish(r"printf 'a\0\xff'; printf 'b\r' >&2; printf '\303\251'")["name"]
    assert b"a\0\xffb\r\xc3\xa9" == caller.logs(name)


def test_long_log_comes_in_chunks(caller: Caller) -> None:
    """A long log comes in pieces, each with the position after it."""
    name = caller.finish("yes 0123456789abcdef | head -c 300000")["name"]
    with caller.socket() as socket:
        socket.follow(name, follow=False)
        chunks = list(socket.results())
    sizes = [len(base64.b64decode(chunk["chunk"])) for chunk in chunks]
    assert list(itertools.accumulate(sizes)) == [chunk["endOffset"] for chunk in chunks]
    assert 300_000 == len(caller.logs(name))
    assert max(sizes) == CHUNK


def test_reading_ends_while_the_run_writes(caller: Caller) -> None:
    """Without `follow` a log ends where it was at the request, however fast the run goes on writing."""
    name = caller.create("yes")
    caller.wait_for_log(name, b"y")
    assert caller.logs(name).startswith(b"y\n")
    assert "RUNNING" == caller.run(name)["status"]
    caller.change("stopRuns", name)


def test_offset_resumes(caller: Caller) -> None:
    """An offset counts bytes from the start of the log."""
    name = caller.finish("printf 0123456789")["name"]
    end = len(whole(caller, name))
    assert (b"6789", b"", b"") == tuple(caller.logs(name, offset=end + more) for more in (-4, 0, 1))


def test_follower_gets_lines_as_they_are_written(caller: Caller) -> None:
    """A follower has a line long before the run ends, and all of them at its end."""
    name = caller.create("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two")
    with caller.socket() as socket:
        socket.follow(name)
        chunks = socket.results()
        first = b""
        while not first.endswith(b"one\n"):
            first += base64.b64decode(next(chunks)["chunk"])
        assert "RUNNING" == caller.run(name)["status"]
        (folder,) = (caller.platform.data_dir / "runs" / name).glob("0/0/work")
        (folder / "go").touch()
        rest = b"".join(base64.b64decode(chunk["chunk"]) for chunk in chunks)
    assert (b"one\n", b"two\n") == (HEAD.sub(b"", first), rest)


def test_follower_waits_for_the_start(caller: Caller) -> None:
    """Who follows a run that has no nodes yet waits, and then gets all of its log."""
    holder = caller.create("sleep 600", compute={"gpus": 16})
    caller.wait(holder, "RUNNING")
    name = caller.create("echo late", compute={"gpus": 16})
    with caller.socket() as socket:
        socket.follow(name)
        caller.change("stopRuns", holder)
        log = b"".join(base64.b64decode(chunk["chunk"]) for chunk in socket.results())
    assert b"late\n" == HEAD.sub(b"", log)


def test_log_before_the_start_is_empty(caller: Caller) -> None:
    """A run without nodes has an empty log for those who do not follow."""
    holder = caller.create("sleep 600", compute={"gpus": 16})
    caller.wait(holder, "RUNNING")
    name = caller.create("echo late", compute={"gpus": 16})
    assert b"" == caller.logs(name)
    caller.change("stopRuns", name)
    caller.change("stopRuns", holder)


def test_terminal_status_means_complete_log(caller: Caller) -> None:
    """Once a run is terminal its log is whole, however much it wrote last."""
    name = caller.create("yes | head -c 3000000")
    caller.statuses(name)
    assert 3_000_000 == len(caller.logs(name))


def test_tail_counts_characters(caller: Caller) -> None:
    """`tail` gives the last characters, not bytes."""
    name = caller.finish("printf 'abc€äé'")["name"]
    assert "€äé" == caller.logs(name, tail=3).decode()


def test_tail_keeps_absolute_offsets(caller: Caller) -> None:
    """Also with `tail` the end offset counts from the start of the log."""
    name = caller.finish("printf 0123456789")["name"]
    with caller.socket() as socket:
        socket.follow(name, follow=False, tail=2)
        tail = {"chunk": base64.b64encode(b"89").decode(), "endOffset": len(whole(caller, name))}
        assert [tail] == list(socket.results())


def test_gpu_ranks_have_logs_of_their_own(caller: Caller) -> None:
    """Logs that a launcher writes per GPU are found by local and by global rank."""
    name = caller.finish(GPU_RANK, compute={"gpus": 16})["name"]
    assert b"rank 3" == caller.logs(name, nodeRank=1, localGpuRank=3)
    assert b"rank 3" == caller.logs(name, globalGpuRank=11)


def test_local_gpu_rank_zero_is_the_main_log(caller: Caller) -> None:
    """Local rank 0 writes to the main log of its node."""
    name = caller.finish("echo node $NODE_RANK", compute={"gpus": 16})["name"]
    assert b"node 1\n" == caller.logs(name, globalGpuRank=8)


def test_failed_gives_the_rank_that_failed_first(caller: Caller) -> None:
    """`failed` gives the log of the node that failed, not of those that were stopped for it."""
    command = "echo node $NODE_RANK; if [ $NODE_RANK = 1 ]; then exit 5; fi; sleep 600"
    name = caller.finish(command, compute={"gpus": 16})["name"]
    assert b"node 1\n" == caller.logs(name, failed=True)


def test_exception_only(caller: Caller) -> None:
    """`exceptionOnly` gives the first traceback of the rank that failed."""
    name = caller.finish("""echo before; python3 -c 'raise ValueError("bad")' || echo after; exit 1""")[
        "name"
    ]
    text = caller.logs(name, failed=True, exceptionOnly=True).decode()
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: bad\n")


@pytest.mark.parametrize(
    "wanted",
    [
        {"nodeRank": 1},
        {"localGpuRank": 1},
        {"globalGpuRank": 1},
        {"attemptIndex": 1},
        {"containerName": "SIDECAR"},
        {"failed": True},
    ],
    ids=lambda wanted: next(iter(wanted)),
)
def test_what_is_not_there_is_an_error(caller: Caller, wanted: dict[str, object]) -> None:
    """A log that does not exist is an error 404, not an empty text."""
    assert 404 == caller.log_error(caller.finish("echo hi")["name"], **wanted)[0]


def test_missing_run(caller: Caller) -> None:
    """The log of a run that does not exist is an error 404 that names it."""
    code, message = caller.log_error("nobody")
    assert (404, True) == (code, "'nobody'" in message)


def test_container_name_in_any_case(caller: Caller) -> None:
    """The one container is MAIN, in any letter case."""
    assert b"hi\n" == caller.logs(caller.finish("echo hi")["name"], containerName="main")


def test_follower_of_a_retry_ends_with_its_resumption(caller: Caller) -> None:
    """Following ends when the resumption that is followed has ended, though the run goes on."""
    name = caller.create(
        "echo $RESUMPTION_INDEX; if [ $RESUMPTION_INDEX = 0 ]; then exit 1; fi; sleep 600",
        scheduling={"maxRetries": 1},
    )
    assert b"0\n" == caller.logs(name, follow=True, attemptIndex=0)
    caller.change("stopRuns", name)


def test_lines_arrive_soon(caller: Caller) -> None:
    """A line is with its follower while the run goes on, however long the log is quiet afterwards."""
    name = caller.create("echo said; sleep 600")
    caller.wait_for_log(name, b"said\n")
    assert "RUNNING" == caller.run(name)["status"]
    caller.change("stopRuns", name)


def test_log_over_its_limit(tmp_path: Path) -> None:
    """What a run writes beyond the limit is dropped, while it runs and after, which the log and the end's event say."""
    with Platform(tmp_path, log_limit=10_000, grace=1) as platform:
        caller = Caller(platform)
        run = caller.finish("yes | head -c 100000; sleep 1.5; yes | head -c 100000")
        log = (tmp_path / "runs" / run["name"] / "0" / "0" / "log.txt").read_bytes()
        assert caller.logs(run["name"]) in log
        caller.close()
    assert 10_000 + len(notice(10_000)) == len(log)
    assert log.endswith(notice(10_000))
    assert "log of node 0 was longer" in run["details"]["formattedRunEvents"][-1]["eventMessage"]
