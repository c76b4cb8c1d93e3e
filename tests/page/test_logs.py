"""The page's part on logs: as they are, and as they grow."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import mcli
from tests.page.claims import claims, done, error, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli import Run


def counted() -> Run:
    return done("seq 3")


def on_two_nodes() -> Run:
    """Return a run on two nodes, of which each tells its number, and the second fails."""
    return done("echo node $NODE_RANK; exit $NODE_RANK", gpus=16)


def followed(made: Run | str, **options: Any) -> list[str]:
    return list(mcli.follow_run_logs(made, **options))


def live() -> list[str]:
    """Follow a run from its submission until it has ended."""
    return followed(run("for i in 1 2 3; do echo $i; sleep 0.1; done"))


def futures() -> list[bool]:
    """Tell whether following with futures gives them: outside, within, and of lines."""
    outer = mcli.follow_run_logs(counted(), future=True)
    first = next(outer.result(60))
    return [isinstance(outer, Future), isinstance(first, Future), isinstance(first.result(60), str)]


def lines_of_futures() -> list[str]:
    seen: list[str] = []
    for future in mcli.follow_run_logs(counted(), future=True).result(60):
        try:
            seen.append(str(future.result(60)))
        except StopAsyncIteration:
            return seen
    return seen


@functools.cache
def twice() -> Run:
    """Return a run of two resumptions, of which each tells its number."""
    made = done("echo resumption $RESUMPTION_INDEX")
    if len(made.resumptions) == 1:
        made = mcli.start_run(mcli.get_run(made))
    return mcli.wait_for_run_status(made, "completed", timeout=120)


def refused(**options: Any) -> str:
    """Return what both functions say of options that contradict each other."""
    options = {"run": "a", **options}
    told = {str(error(partial(mcli.get_run_logs, **options)))}
    if "failed" not in options:
        told.add(str(error(lambda: next(mcli.follow_run_logs(**options)))))
    return " / ".join(told)


def own(lines: list[str]) -> list[str]:
    """Leave out the lines that the platform itself writes."""
    return [line for line in lines if not line.startswith("[mcli]")]


def text(made: Run | str, **options: Any) -> str:
    return "".join(own(mcli.get_run_logs(made, **options).splitlines(keepends=True)))


def of_active_run() -> str:
    made = run("echo begun; sleep 60")
    next(line for line in mcli.follow_run_logs(made) if line == "begun\n")
    seen = text(made)
    mcli.stop_run(made)
    return seen


def timeout_of_nap() -> type:
    made = run("sleep 60")
    raised = error(lambda: followed(made, timeout=0.05))
    mcli.stop_run(made)
    return type(raised)


def warned_of_rank() -> type[Warning]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        mcli.get_run_logs(counted(), rank=0)
    return told[0].category


@claims(
    ("get_run_logs returns the full text as a str", "1\n2\n3\n", lambda: text(counted())),
    ("get_run_logs returns a str", True, lambda: isinstance(mcli.get_run_logs(counted()), str)),
    ("get_run_logs takes a name", "1\n2\n3\n", lambda: text(counted().name)),
    ("get_run_logs takes the run as `run`", True, lambda: "1\n" in mcli.get_run_logs(run=counted().name)),
    ("get_run_logs returns the log of an active run as it is", "begun\n", of_active_run),
    ("get_run_logs returns a Future of the text if future is true", True, lambda: isinstance(
        mcli.get_run_logs(counted(), future=True), Future)),
    ("the Future of get_run_logs gives the text", True,
        lambda: mcli.get_run_logs(counted(), future=True).result(60).endswith("3\n")),
    ("get_run_logs of an unknown run is a 404", 404, lambda: error(lambda: mcli.get_run_logs("no-such-run")).status),
    ("get_run_logs raises a TimeoutError if it takes too long", TimeoutError,
        lambda: type(error(lambda: mcli.get_run_logs(counted(), timeout=0)))),
    ("`tail` is a number of characters from the end", "\n3\n", lambda: mcli.get_run_logs(counted(), tail=3)),
    ("a `tail` that is longer than the log is the whole log", True,
        lambda: mcli.get_run_logs(counted(), tail=10**6) == mcli.get_run_logs(counted())),
    ("`container` is MAIN by default", True,
        lambda: mcli.get_run_logs(counted(), container="MAIN") == mcli.get_run_logs(counted())),
    ("the node rank is the lowest by default", "node 0\n", lambda: text(on_two_nodes())),
    ("`node_rank` says which node's log is read", "node 1\n", lambda: text(on_two_nodes(), node_rank=1)),
    ("node ranks begin at 0", "node 0\n", lambda: text(on_two_nodes(), node_rank=0)),
    ("`failed` returns the log of the first rank that failed", "node 1\n", lambda: text(on_two_nodes(), failed=True)),
    ("`resumption` says which resumption's log is read, from 0", "resumption 0\n", lambda: text(twice(), resumption=0)),
    ("the resumption is the last by default", "resumption 1\n", lambda: text(twice())),
    ("a resumption that does not exist is a MAPIException", True,
        lambda: isinstance(error(lambda: mcli.get_run_logs(counted(), resumption=7)), mcli.MAPIException)),
    *(
        (f"{one} cannot be used with {other}", True, partial(
            lambda a, b: "cannot be used with" in refused(**{a: True if a == "failed" else 0, b: 0}), one, other))
        for one, other in [("global_gpu_rank", "node_rank"), ("global_gpu_rank", "local_gpu_rank"),
                           ("failed", "node_rank"), ("failed", "global_gpu_rank"), ("rank", "node_rank")]
    ),
    ("GPU ranks are those of the MAIN container", True,
        lambda: "cannot be used with container" in refused(local_gpu_rank=0, container="other")),
    ("`rank` is deprecated", DeprecationWarning, warned_of_rank),
)  # fmt: skip
def test_get_run_logs(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of reading logs."""
    assert expected == seen()


@claims(
    ("follow_run_logs returns a generator", True, lambda: isinstance(mcli.follow_run_logs(counted()), Generator)),
    ("follow_run_logs gives the log line by line", ["1\n", "2\n", "3\n"], lambda: own(followed(counted()))),
    ("follow_run_logs takes a name", ["1\n", "2\n", "3\n"], lambda: own(followed(counted().name))),
    ("follow_run_logs waits for new lines while the run is active", ["1\n", "2\n", "3\n"], lambda: own(live())),
    ("follow_run_logs with future gives a Future of a generator of Futures of lines", [True] * 3, futures),
    ("the futures of follow_run_logs give the lines, and then StopAsyncIteration", ["1\n", "2\n", "3\n"],
        lambda: own(lines_of_futures())),
    ("follow_run_logs raises a TimeoutError if it takes too long", TimeoutError, timeout_of_nap),
    ("`tail` is a number of characters from the end", ["3\n"], lambda: followed(counted(), tail=2)),
    ("`node_rank` says which node's log is followed", ["node 1\n"], lambda: own(followed(on_two_nodes(), node_rank=1))),
    ("the node rank is the lowest by default", ["node 0\n"], lambda: own(followed(on_two_nodes()))),
    ("`resumption` says which resumption's log is followed", ["resumption 0\n"],
        lambda: own(followed(twice(), resumption=0))),
    ("the resumption is the last by default", "resumption 1\n", lambda: followed(twice())[-1]),
    ("follow_run_logs of an unknown run is a 404", 404, lambda: error(lambda: followed("no-such-run")).status),
)  # fmt: skip
def test_follow_run_logs(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of following logs."""
    assert expected == seen()
