"""The three ways to call an operation: blocking, as a future, and for asyncio."""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mcli
from mcli import MCLIConfigError, RunConfig
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Connect, ServeHttp

CONFIG = RunConfig(name="run", image="bash", command="true")
SHORT = 0.2
"""Seconds: long enough to send, and short enough to wait for."""


def never(call: wire.Call) -> Any:
    return wire.for_ever()


# Blocking


def test_a_call_that_takes_too_long_names_itself(serve_http: ServeHttp) -> None:
    """A timeout is the builtin one, and names the call, the seconds and the endpoint."""
    server = serve_http(never)
    with pytest.raises(TimeoutError) as caught:
        mcli.get_run("run-a", timeout=SHORT)
    assert f"get_run did not end within 0.2 s at {server.url}." == str(caught.value)


def test_a_mutation_that_takes_too_long_says_that_its_outcome_is_unknown(serve_http: ServeHttp) -> None:
    """Whether a change was carried out that took too long is not known, and the message says so."""
    serve_http(never)
    with pytest.raises(TimeoutError, match=r"create_run did not end.*Whether it was carried out is unknown"):
        mcli.create_run(CONFIG, timeout=SHORT)


def test_later_pages_have_the_time_that_the_first_was_given(serve_http: ServeHttp) -> None:
    """`timeout` bounds each page of a list, also of one that came as a future."""
    answers = wire.Script(wire.page(wire.run(), cursor="2"), never)
    serve_http(answers)
    first = mcli.get_runs(limit=1, timeout=SHORT, future=True).result(wire.PATIENCE)
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        first.next_page()


def test_a_timeout_cancels_the_work(serve_http: ServeHttp) -> None:
    """After a timeout the server sees the client go, and the next call works."""
    slow = True
    server = serve_http(lambda call: wire.for_ever() if slow else wire.page(wire.run()))
    with pytest.raises(TimeoutError):
        mcli.get_run("run-a", timeout=SHORT)
    server.wait_until(lambda: server.abandoned == 1)
    slow = False
    assert "run-a" == mcli.get_run("run-a").name


def test_timeouts_do_not_use_up_connections(serve_http: ServeHttp) -> None:
    """After more timeouts than there are connections, a call still gets one."""
    server = serve_http(never)
    futures = [mcli.get_run(f"run-{number}", future=True) for number in range(100)]
    server.wait_until(lambda: server.open == 100)
    assert [True] * 100 == [future.cancel() for future in futures]
    server.wait_until(lambda: server.open == 0)
    server._answer = lambda call: wire.page(wire.run())
    assert "run-a" == mcli.get_run("run-a").name


def test_mcli_timeout_replaces_the_default(serve_http: ServeHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    """`MCLI_TIMEOUT` bounds a call that names no timeout."""
    monkeypatch.setenv("MCLI_TIMEOUT", str(SHORT))
    serve_http(never)
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        mcli.get_run("run-a")


def test_mcli_timeout_replaces_no_timeout_that_was_given(
    serve_http: ServeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MCLI_TIMEOUT` is not looked at where the caller names a timeout."""
    monkeypatch.setenv("MCLI_TIMEOUT", "5")
    serve_http(never)
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        mcli.get_run("run-a", timeout=SHORT)


@pytest.mark.parametrize(
    "timeout", [float("inf"), 1e300, 10**400, None], ids=["inf", "1e300", "10**400", "None"]
)
def test_a_timeout_that_nobody_outlives_is_none(connect: Connect, timeout: float | None) -> None:
    """A call waits for ever where it is told so, in whatever words."""
    connect(answer=wire.Script({"data": {"createRun": [wire.run()]}}))
    created = mcli.create_run(CONFIG, timeout=timeout)
    assert "run-a" == created.name


@pytest.mark.parametrize("future", ["x", None, 1])
def test_future_is_true_or_false(connect: Connect, future: Any) -> None:
    """What is neither is refused before anything is sent."""
    asked = wire.Script(wire.page(wire.run()))
    connect(answer=asked)
    with pytest.raises(ValueError, match="future must be True or False"):
        mcli.get_run("run-a", future=future)
    assert [] == asked.calls


@pytest.mark.parametrize("timeout", [-1, "10", float("nan"), True, 1j])
def test_a_timeout_is_a_number_of_seconds(connect: Connect, timeout: Any) -> None:
    """A timeout that is no number from 0 is an error before anything is sent."""
    asked = wire.Script(wire.page(wire.run()))
    connect(answer=asked)
    with pytest.raises(ValueError, match="timeout must be a number of seconds from 0"):
        mcli.get_run("run-a", timeout=timeout)
    assert [] == asked.calls


def test_many_threads_call_at_once(serve_http: ServeHttp) -> None:
    """Blocking calls from 16 threads all get their answer."""
    serve_http(lambda call: wire.page(wire.run()))
    with ThreadPoolExecutor(16) as threads:
        runs = list(threads.map(lambda _: mcli.get_run("run-a"), range(64)))
    assert ["run-a"] * 64 == [run.name for run in runs]


def test_a_blocking_call_works_inside_a_running_loop(connect: Connect) -> None:
    """A notebook runs an event loop; blocking calls work in it."""
    connect(answer=wire.Script(wire.page(wire.run())))

    async def cell() -> str:
        return mcli.get_run("run-a").name

    assert "run-a" == asyncio.run(cell())


# Futures


def test_a_future_comes_at_once(serve_http: ServeHttp) -> None:
    """With `future=True` a real future is returned before the answer is there."""
    gate = threading.Event()

    async def answer() -> Any:
        await asyncio.to_thread(gate.wait, wire.PATIENCE)
        return wire.page(wire.run())

    serve_http(lambda call: answer())
    future = mcli.get_run("run-a", future=True)
    assert (True, False) == (isinstance(future, Future), future.done())
    gate.set()
    assert "run-a" == future.result(wire.PATIENCE).name


def test_futures_work_with_as_completed(connect: Connect) -> None:
    """The futures are those that `concurrent.futures` knows."""
    connect(answer=wire.Script(wire.page(wire.run())))
    futures = [mcli.get_run("run-a", future=True) for _ in range(5)]
    assert 5 == len([each.result() for each in as_completed(futures, timeout=wire.PATIENCE)])


def test_a_future_has_no_time_limit(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default timeout does not bound a future: a query is repeated for longer than it."""
    monkeypatch.setenv("MCLI_TIMEOUT", "0.001")
    connect(answer=wire.Script(httpx.Response(503), httpx.Response(503), wire.page(wire.run())))
    assert "run-a" == mcli.get_run("run-a", future=True).result(wire.PATIENCE).name


def test_cancelling_a_future_cancels_the_work(serve_http: ServeHttp) -> None:
    """The server sees the client of a cancelled future go."""
    server = serve_http(never)
    future = mcli.get_run("run-a", future=True)
    server.wait_until(lambda: len(server.calls) == 1)
    assert future.cancel()
    server.wait_until(lambda: server.abandoned == 1)
    with pytest.raises(CancelledError):
        future.result()


def test_a_callback_that_would_block_is_told_so(connect: Connect) -> None:
    """A blocking call in a future's callback is an error that names the way, and no deadlock."""
    added = threading.Event()
    connect(answer=lambda call: added.wait(wire.PATIENCE) and wire.page(wire.run()))
    caught: Future[str] = Future()

    def callback(_: object) -> None:
        with pytest.raises(RuntimeError) as error:
            mcli.get_run("run-a")
        caught.set_result(str(error.value))

    mcli.get_run("run-a", future=True).add_done_callback(callback)
    added.set()
    assert "callbacks of futures make calls with future=True" in caught.result(wire.PATIENCE)


def test_a_callback_may_start_further_futures(serve_http: ServeHttp) -> None:
    """A callback makes calls with `future=True`."""
    serve_http(lambda call: wire.page(wire.run()))
    second: Future[Future[mcli.Run]] = Future()
    first = mcli.get_run("run-a", future=True)
    first.add_done_callback(lambda _: second.set_result(mcli.get_run("run-a", future=True)))
    assert "run-a" == second.result(wire.PATIENCE).result(wire.PATIENCE).name


# asyncio


def test_aio_is_awaited(connect: Connect) -> None:
    """The same call for asyncio programs, on their own loop."""
    connect(answer=wire.Script(wire.page(wire.run())))

    async def main() -> list[str]:
        runs = await asyncio.gather(*(mcli.get_run.aio("run-a") for _ in range(5)))
        return [run.name for run in runs]

    assert ["run-a"] * 5 == asyncio.run(main())


def test_aio_times_out_alike(serve_http: ServeHttp) -> None:
    """The timeout of an awaited call has the same message, and cancels the work."""
    server = serve_http(never)
    with pytest.raises(TimeoutError, match=rf"get_run did not end within 0\.2 s at {server.url}"):
        asyncio.run(_awaited(lambda: mcli.get_run.aio("run-a", timeout=SHORT)))
    server.wait_until(lambda: server.abandoned == 1)


def test_cancelling_an_awaited_call_cancels_the_work(serve_http: ServeHttp) -> None:
    """A task that is cancelled while it awaits a call gives up its connection."""
    server = serve_http(never)

    async def main() -> None:
        task = asyncio.create_task(_awaited(lambda: mcli.get_run.aio("run-a")))
        await asyncio.to_thread(server.wait_until, lambda: len(server.calls) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    server.wait_until(lambda: server.abandoned == 1)


async def _awaited(call: Callable[[], Any]) -> Any:
    return await call()


# Arguments


CALLS: dict[str, Callable[..., object]] = {
    "get_run": lambda **k: mcli.get_run("", **k),
    "get_runs": lambda **k: mcli.get_runs(statuses=["runing"], **k),
    "create_run": lambda **k: mcli.create_run(RunConfig(name="x"), **k),
    "create_run gpus": lambda **k: mcli.create_run(RunConfig(image="a", compute={"gpus": "8x"}), **k),
    "create_interactive_run": lambda **k: mcli.create_interactive_run("x", **k),
    "stop_run": lambda **k: mcli.stop_run(3, **k),
    "stop_runs": lambda **k: mcli.stop_runs("run-a", **k),
    "update_run": lambda **k: mcli.update_run("run-a", {"speed": 3}, **k),
    "update_run_metadata": lambda **k: mcli.update_run_metadata("run-a", 3, **k),
    "wait_for_run_status": lambda **k: mcli.wait_for_run_status("run-a", "runing", **k),
    "watch_run_status": lambda **k: mcli.watch_run_status("", **k),
    "get_run_logs": lambda **k: mcli.get_run_logs("run-a", failed=True, node_rank=1, **k),
    "follow_run_logs": lambda **k: mcli.follow_run_logs("run-a", tail=-1, **k),
}


@pytest.mark.parametrize("future", [False, True], ids=["blocking", "future"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_arguments_are_checked_at_the_call(
    connect: Connect, call: Callable[..., object], future: bool
) -> None:
    """Wrong arguments are errors of the call itself, also of iterators and futures, and nothing is sent."""
    asked = wire.Script(wire.page(wire.run()))
    connect(answer=asked)
    with pytest.raises((ValueError, TypeError, mcli.MCLIException)):
        call(future=future)
    assert [] == asked.calls


@pytest.mark.parametrize("future", [False, True], ids=["blocking", "future"])
@pytest.mark.parametrize(
    "call",
    [
        lambda **k: mcli.get_run("run-a", **k),
        mcli.get_runs,
        lambda **k: mcli.create_run(CONFIG, **k),
        lambda **k: mcli.watch_run_status("run-a", **k),
        lambda **k: mcli.follow_run_logs("run-a", **k),
    ],
    ids=["get_run", "get_runs", "create_run", "watch_run_status", "follow_run_logs"],
)
def test_credentials_are_missed_at_the_call(call: Callable[..., object], future: bool) -> None:
    """Who has no key hears both ways to get one at the call, also from iterators and futures."""
    with pytest.raises(MCLIConfigError, match=r"set_api_key.*MCLI_MODE=LOCAL"):
        call(future=future)


def test_wait_takes_its_timeout_by_position(connect: Connect) -> None:
    """`wait_for_run_status(run, status, timeout, future)` and `watch_run_status(run, timeout, future)`."""
    connect(answer=lambda call: wire.for_ever())
    with pytest.raises(TimeoutError, match=r"wait_for_run_status did not end within 0\.2 s"):
        mcli.wait_for_run_status("run-a", "running", SHORT)
    with pytest.raises(TimeoutError, match=r"watch_run_status did not end within 0\.2 s"):
        next(mcli.watch_run_status("run-a", SHORT))


def test_wait_takes_future_by_position(connect: Connect) -> None:
    """`future` is the last position of wait and watch."""
    connect(answer=lambda call: wire.for_ever())
    waiting = mcli.wait_for_run_status("run-a", "running", None, True)  # type: ignore[call-overload]  # typed by keyword
    assert isinstance(waiting, Future)
    assert waiting.cancel()
    steps: Any = mcli.watch_run_status("run-a", None, True)  # type: ignore[call-overload]  # typed by keyword
    assert isinstance(next(steps), Future)
    steps.close()


# Warnings


@pytest.mark.parametrize(
    "call",
    [
        lambda: mcli.update_run("run-a", {"priority": "low"}),
        lambda: mcli.update_run("run-a", {"priority": "low"}, future=True).result(),
        lambda: asyncio.run(_awaited(lambda: mcli.update_run.aio("run-a", {"priority": "low"}))),
        lambda: mcli.follow_run_logs("run-a", 0).close(),
        lambda: mcli.get_run_logs("run-a", 0, future=True).cancel(),
        lambda: mcli.create_run(RunConfig(name="My Run", image="bash"), future=True).cancel(),
    ],
)
def test_a_warning_points_at_the_caller(connect: Connect, call: Callable[[], object]) -> None:
    """A warning names the line that made the call, not one of ours."""
    connect(answer=wire.Script({"data": {"updateRun": [wire.run()]}}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert [__file__] == [each.filename for each in caught]
