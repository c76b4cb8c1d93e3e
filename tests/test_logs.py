"""The logs of runs, over whatever connections there are."""

from __future__ import annotations

import asyncio
import gc
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException
from mcli import logs as logs_module
from tests import wire
from tests.conftest import runs_asked_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.conftest import Connect, ServeSocket
    from tests.wire import Subscription

TEXT = "".join(f"line {number}: Grüße, 世界 🎉\n" for number in range(40))
BYTES = TEXT.encode()


def sent(*chunks: tuple[bytes, int]) -> Callable[[Subscription], Awaitable[None]]:
    """Send these chunks and complete."""

    async def script(log: Subscription) -> None:
        for data, end in chunks:
            await log.next(wire.chunk(data, end))
        await log.complete()

    return script


def cut(data: bytes, size: int, begin: int = 0) -> Iterable[tuple[bytes, int]]:
    """Cut bytes into chunks, from an offset on."""
    for at in range(begin, len(data), size):
        piece = data[at : at + size]
        yield piece, at + len(piece)


def dropping(every: int, misbehave: Callable[[int], int]) -> Callable[[Subscription], Awaitable[None]]:
    """Serve the log and drop the socket after some chunks; `misbehave` gives where to begin for an offset."""

    async def script(log: Subscription) -> None:
        begin = misbehave(log.asked["offset"])
        for number, (data, end) in enumerate(cut(BYTES, 37, begin)):
            await log.next(wire.chunk(data, end))
            if number == every:
                await log.drop()
                return
        await log.complete()

    return script


async def nothing(log: Subscription) -> None:
    """Send nothing, for ever."""
    await wire.for_ever()


# Whole logs


@pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)
def test_a_log_is_its_text(serve_socket: ServeSocket, subprotocol: str) -> None:
    """The log is one text, whichever subprotocol the server speaks and wherever it cuts characters."""
    serve_socket(sent(*cut(BYTES, 1)), subprotocols=[subprotocol])
    assert TEXT == mcli.get_run_logs("run-a")


def test_a_server_that_picks_no_subprotocol_speaks_the_older(serve_socket: ServeSocket) -> None:
    """No choice in the handshake's answer means `graphql-ws`."""
    serve_socket(sent((b"hi", 2)), subprotocols=[])
    assert "hi" == mcli.get_run_logs("run-a")


def test_a_log_comes_in_a_future(serve_socket: ServeSocket) -> None:
    """With `future=True` the text comes in a future."""
    serve_socket(sent(*cut(BYTES, 500)))
    assert TEXT == mcli.get_run_logs("run-a", future=True).result(wire.PATIENCE)


def test_an_empty_log_is_empty(serve_socket: ServeSocket) -> None:
    """A log without a byte is the empty text."""
    serve_socket(sent())
    assert "" == mcli.get_run_logs("run-a")


def test_large_frames_come_through(serve_socket: ServeSocket) -> None:
    """A frame of several megabytes, more than may wait, is read once."""
    data = b"x" * (6 << 20)

    async def script(log: Subscription) -> None:
        await sent(*cut(data, len(data), log.asked["offset"]))(log)

    server = serve_socket(script)
    assert len(data) == len(mcli.get_run_logs("run-a"))
    assert [0, len(data)] == [each.asked["offset"] for each in server.subscriptions]


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "node": ({"node_rank": 1}, {"nodeRank": 1}),
    "local gpu": ({"node_rank": 1, "local_gpu_rank": 2}, {"nodeRank": 1, "localGpuRank": 2}),
    "global gpu": ({"global_gpu_rank": 9}, {"globalGpuRank": 9}),
    "failed": ({"failed": True}, {"failed": True}),
    "attempt": ({"resumption": 1, "tail": 10}, {"attemptIndex": 1, "tail": 10}),
    "container": ({"container": "SIDE"}, {"containerName": "SIDE"}),
}


@pytest.mark.parametrize(("arguments", "expected"), ASKED.values(), ids=ASKED)
def test_what_is_asked_for(
    serve_socket: ServeSocket, arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Each argument has its place on the wire, and what is not given is not sent."""
    server = serve_socket(sent())
    mcli.get_run_logs("run-a", **arguments)
    assert {
        "name": "run-a",
        "follow": False,
        "failed": False,
        "offset": 0,
    } | expected == server.subscriptions[0].asked


CONTRADICTIONS: list[dict[str, Any]] = [
    {"rank": 0, "node_rank": 0},
    {"failed": True, "node_rank": 0},
    {"failed": True, "rank": 0},
    {"local_gpu_rank": 0, "container": "SIDE"},
    {"global_gpu_rank": 0, "container": "SIDE"},
    {"local_gpu_rank": 0, "global_gpu_rank": 0},
    {"global_gpu_rank": 0, "failed": True},
    {"global_gpu_rank": 0, "node_rank": 0},
    {"global_gpu_rank": 0, "rank": 0},
]


@pytest.mark.parametrize("arguments", CONTRADICTIONS, ids="-".join)
def test_arguments_that_contradict_each_other(connect: Connect, arguments: dict[str, Any]) -> None:
    """Ranks that exclude each other are an error at the call."""
    connect()
    with pytest.raises(ValueError, match="cannot be used with"):
        mcli.get_run_logs("run-a", **arguments)


# Lines


def test_following_gives_lines(serve_socket: ServeSocket) -> None:
    """Lines come with their newline, a last line without one too."""
    server = serve_socket(sent((b"a\nb", 3), (b"\nc", 5)))
    assert ["a\n", "b\n", "c"] == list(mcli.follow_run_logs("run-a"))
    assert {"name": "run-a", "follow": True, "offset": 0, "attemptIndex": 0} == server.subscriptions[0].asked


def test_a_line_comes_before_the_log_ends(serve_socket: ServeSocket) -> None:
    """A line is there when it is complete, while the run goes on."""

    async def script(log: Subscription) -> None:
        await log.next(wire.chunk(b"first\nsec", 9))
        await wire.for_ever()

    serve_socket(script)
    lines = mcli.follow_run_logs("run-a")
    assert "first\n" == next(lines)
    lines.close()


def test_lines_come_as_futures(serve_socket: ServeSocket) -> None:
    """With `future=True` there is a future of an iterator of futures, whose last raises StopAsyncIteration."""
    serve_socket(sent((b"a\nb\n", 4)))
    steps = mcli.follow_run_logs("run-a", future=True).result()
    assert ["a\n", "b\n"] == [next(steps).result(wire.PATIENCE) for _ in range(2)]
    with pytest.raises(StopAsyncIteration):
        next(steps).result(wire.PATIENCE)
    assert [] == list(steps)


def test_lines_come_for_asyncio(serve_socket: ServeSocket) -> None:
    """`follow_run_logs.aio` is an async iterator, on the caller's loop."""
    serve_socket(sent(*cut(BYTES, 50)))

    async def main() -> list[str]:
        return [line async for line in mcli.follow_run_logs.aio("run-a")]

    assert TEXT.splitlines(keepends=True) == asyncio.run(main())


def test_the_time_limit_bounds_the_whole(serve_socket: ServeSocket) -> None:
    """`timeout` counts from the call, although lines keep coming."""

    async def script(log: Subscription) -> None:
        for end in range(2, 1 << 30, 2):
            await log.next(wire.chunk(b"x\n", end))
            await asyncio.sleep(0.01)

    server = serve_socket(script)
    with pytest.raises(TimeoutError, match=rf"follow_run_logs did not end within 0\.3 s at {server.url}"):
        set(mcli.follow_run_logs("run-a", timeout=0.3))
    server.wait_until(lambda: server.subscriptions[0].stopped)


# Lost connections


@pytest.mark.parametrize(
    "misbehave",
    [lambda at: at, lambda at: max(0, at - 5), lambda at: 0],
    ids=["resumes", "overlaps", "ignores the offset"],
)
def test_no_byte_is_lost_or_repeated(serve_socket: ServeSocket, misbehave: Callable[[int], int]) -> None:
    """A log survives dropped sockets: it goes on where it was, whatever the server repeats."""
    drops = iter([0, 3, 7])

    async def script(log: Subscription) -> None:
        await dropping(next(drops, 1 << 30), misbehave)(log)

    server = serve_socket(script)
    assert TEXT.splitlines(keepends=True) == list(mcli.follow_run_logs("run-a"))
    assert 4 == server.connections


def test_duplicated_chunks_are_left_out(serve_socket: ServeSocket) -> None:
    """A server that sends everything twice gives the log once."""
    serve_socket(sent(*(chunk for chunk in cut(BYTES, 20) for _ in range(2))))
    assert TEXT == mcli.get_run_logs("run-a")


def test_tail_is_not_asked_for_again(serve_socket: ServeSocket) -> None:
    """After a drop a tail goes on at its offset: the tail of the longer log would be another one."""
    asked = []

    async def script(log: Subscription) -> None:
        asked.append({key: log.asked.get(key) for key in ("tail", "offset")})
        if len(asked) == 1:
            await log.next(wire.chunk(b"b\n", 1000))
            await log.drop()
        else:
            await sent((b"c\n", 1002))(log)

    serve_socket(script)
    assert ["b\n", "c\n"] == list(mcli.follow_run_logs("run-a", tail=2))
    assert [{"tail": 2, "offset": 0}, {"tail": None, "offset": 1000}] == asked


def test_a_transient_error_is_not_the_end(serve_socket: ServeSocket) -> None:
    """An error that says `not now` is tried again, at the offset."""
    failures = iter([True])

    async def script(log: Subscription) -> None:
        if next(failures, False):
            await log.next(wire.chunk(b"a\n", 2))
            await log.fail(503, "the log store restarts")
        else:
            await sent((b"b\n", 4))(log)

    serve_socket(script)
    assert ["a\n", "b\n"] == list(mcli.follow_run_logs("run-a"))


# Leaving


def leave_by_break(server: wire.SocketServer) -> None:
    for _ in mcli.follow_run_logs("run-a"):
        break


def leave_by_close(server: wire.SocketServer) -> None:
    lines = mcli.follow_run_logs("run-a")
    next(lines)
    lines.close()


def leave_by_closing_steps(server: wire.SocketServer) -> None:
    steps = mcli.follow_run_logs("run-a", future=True).result()
    assert ["a\n", "b\n"] == [next(steps).result(wire.PATIENCE) for _ in range(2)]
    waiting = next(steps)
    steps.close()
    assert waiting.cancelled()


def leave_by_cancelling(server: wire.SocketServer) -> None:
    steps = mcli.follow_run_logs("run-a", future=True).result()
    next(steps).result(wire.PATIENCE)
    next(steps).cancel()


def leave_by_dropping(server: wire.SocketServer) -> None:
    kept = next(mcli.follow_run_logs("run-a", future=True).result())
    assert "a\n" == kept.result(wire.PATIENCE)
    gc.collect()
    server.wait_until(lambda: server.subscriptions[0].stopped)


def leave_by_cancelling_the_whole(server: wire.SocketServer) -> None:
    future = mcli.get_run_logs("run-a", future=True)
    server.wait_until(lambda: len(server.subscriptions) == 1)
    future.cancel()


def leave_asyncio(server: wire.SocketServer) -> None:
    async def main() -> None:
        lines = mcli.follow_run_logs.aio("run-a")
        await anext(lines)
        await lines.aclose()

    asyncio.run(main())


LEAVE = [
    leave_by_break,
    leave_by_close,
    leave_by_closing_steps,
    leave_by_cancelling,
    leave_by_dropping,
    leave_by_cancelling_the_whole,
    leave_asyncio,
]


@pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)
@pytest.mark.parametrize("leave", LEAVE, ids=lambda each: each.__name__)
def test_who_leaves_tells_the_server(
    serve_socket: ServeSocket, leave: Callable[[wire.SocketServer], None], subprotocol: str
) -> None:
    """However a log is left early, the server is told to stop, and the unused socket is closed."""

    async def script(log: Subscription) -> None:
        await log.next(wire.chunk(b"a\nb\n", 4))
        await wire.for_ever()

    server = serve_socket(script, subprotocols=[subprotocol])
    leave(server)
    server.wait_until(lambda: server.subscriptions[0].stopped)
    server.wait_until(lambda: server.open == 0)


# Slow consumers


def test_a_slow_consumer_pauses_its_log_and_no_other(serve_socket: ServeSocket) -> None:
    """A log that gets ahead is stopped and resumed without loss, while another on the same socket goes on."""
    lines, size = 3000, 1000
    data = b"".join(b"%0*d\n" % (size - 1, number) for number in range(lines))  # 3 MB, 4 MB on the wire
    left = asyncio.Event()

    async def script(log: Subscription) -> None:
        if log.asked["name"] == "fast":
            await log.next(wire.chunk(b"quick\n", 6))
            await left.wait()
            await log.next(wire.chunk(b"quick\n" * 99, 600))
            await wire.for_ever()  # a socket that nobody uses would be closed
        try:
            await sent(*cut(data * 4, 64 * size, log.asked["offset"]))(log)
        finally:
            left.set()

    server = serve_socket(script)
    fast = mcli.follow_run_logs("fast")
    assert "quick\n" == next(fast)
    slow = mcli.follow_run_logs("slow")
    first = next(slow)
    assert ["quick\n"] * 99 == list(islice(fast, 99))
    server.wait_until(lambda: server.subscriptions[1].stopped)
    rest = sum(len(line) for line in slow)
    assert 4 * len(data) == len(first) + rest
    assert 1 == server.connections
    assert logs_module.AHEAD < 16 << 20


# Errors


@pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)
def test_an_error_keeps_its_code(serve_socket: ServeSocket, subprotocol: str) -> None:
    """An error message of the server has its own status and words, in both subprotocols."""

    async def script(log: Subscription) -> None:
        await log.fail(404, "Run run-a has no log")

    serve_socket(script, subprotocols=[subprotocol])
    with pytest.raises(MAPIException, match="Error 404: Run run-a has no log"):
        mcli.get_run_logs("run-a")


def test_errors_in_a_result_keep_their_code(serve_socket: ServeSocket) -> None:
    """Errors beside data, or in its place, end the log with their status."""

    async def script(log: Subscription) -> None:
        await log.next(wire.error(403, "Not yours"))

    server = serve_socket(script)
    with pytest.raises(MAPIException, match="Error 403: Not yours"):
        list(mcli.follow_run_logs("run-a"))
    server.wait_until(lambda: server.subscriptions[0].stopped)


@pytest.mark.parametrize(
    "chunk", [{"chunk": "ab*c", "endOffset": 3}, {"chunk": None, "endOffset": 3}, None], ids=str
)
def test_a_chunk_that_cannot_be_read(serve_socket: ServeSocket, chunk: object) -> None:
    """A chunk that is none is an error of ours, and the server is told to stop."""

    async def script(log: Subscription) -> None:
        await log.next({"data": {"getRunLogsV2": chunk}})
        await wire.for_ever()

    server = serve_socket(script)
    with pytest.raises(MAPIException):
        mcli.get_run_logs("run-a")
    server.wait_until(lambda: server.subscriptions[0].stopped)


# Gaps, and what comes after a resumption


def with_a_gap(times: int) -> Callable[[Subscription], Awaitable[None]]:
    """Leave out the bytes from 4 to 6 in the first subscriptions."""
    left = [True] * times

    async def script(log: Subscription) -> None:
        begin = log.asked["offset"]
        if begin <= 4 and left:
            left.pop()
            await log.next(wire.chunk(b"abc\n"[begin:], 4))
            await log.next(wire.chunk(b"ghi\n", 10))
            await wire.for_ever()
        await log.next(wire.chunk(b"abc\nde\nghi\n"[begin:], 11))
        await log.complete()

    return script


def test_a_gap_is_asked_for_again(serve_socket: ServeSocket) -> None:
    """Bytes that the platform leaves out are not lost: the log goes on where they begin."""
    server = serve_socket(with_a_gap(1))
    assert ["abc\n", "de\n", "ghi\n"] == list(mcli.follow_run_logs("run-a"))
    assert [0, 4] == [each.asked["offset"] for each in server.subscriptions]


def test_a_gap_that_stays_is_told(serve_socket: ServeSocket) -> None:
    """Bytes that the platform has no longer are skipped, with a warning that says where."""

    async def script(log: Subscription) -> None:
        if log.asked["offset"] == 0:
            await log.next(wire.chunk(b"abc\n", 4))
        await log.next(wire.chunk(b"ghi\n", 10))
        await log.complete()

    serve_socket(script)
    with pytest.warns(UserWarning, match="lacks bytes of the log of run 'run-a' after the first 4"):
        assert ["abc\n", "ghi\n"] == list(mcli.follow_run_logs("run-a"))


def resumed(call: wire.Call, times: int, status: str = "COMPLETED") -> Any:
    """Answer that a run was resumed so often."""
    resumptions = [wire.resumption(executionIndex=index) for index in range(times + 1)]
    return runs_asked_for(call, status, resumptions=resumptions)


def test_a_log_goes_on_with_the_next_resumption(serve_socket: ServeSocket) -> None:
    """When a run is tried again, the lines of its next resumption follow, to the end of the run."""
    states = iter([(0, "RUNNING"), (1, "RUNNING"), (1, "COMPLETED")])
    now = [next(states)]

    async def script(log: Subscription) -> None:
        index = log.asked["attemptIndex"]
        await log.next(wire.chunk(b"try %d" % index, 5))
        now[0] = next(states)
        await log.complete()

    server = serve_socket(script, answer=lambda call: resumed(call, *now[0]))
    assert ["try 0", "try 1"] == list(mcli.follow_run_logs("run-a"))
    assert [(0, 0), (1, 0)] == [
        (each.asked["attemptIndex"], each.asked["offset"]) for each in server.subscriptions
    ]


def test_a_log_waits_for_the_next_resumption(serve_socket: ServeSocket) -> None:
    """Between two resumptions the statuses of the run tell when there is another log, or the end."""
    state = [(0, "PENDING")]

    async def script(subscription: Subscription) -> None:
        if subscription.operation == "WatchRunStatus":
            state[0] = (1, "COMPLETED")
            await subscription.next(wire.status("RUNNING"))
            await wire.for_ever()
        await subscription.next(wire.chunk(b"try %d" % subscription.asked["attemptIndex"], 5))
        await subscription.complete()

    serve_socket(script, answer=lambda call: resumed(call, *state[0]))
    assert ["try 0", "try 1"] == list(mcli.follow_run_logs("run-a"))


def test_a_log_of_one_resumption_ends_with_it(serve_socket: ServeSocket) -> None:
    """Who names a resumption reads no other one."""
    serve_socket(sent((b"one\n", 4)), answer=lambda call: resumed(call, 3))
    assert ["one\n"] == list(mcli.follow_run_logs("run-a", resumption=1))
