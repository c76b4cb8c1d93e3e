"""What happens, and what comes of it: one row each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import mcli
from tests.faults.faults import (
    Answered,
    Bitten,
    Closed,
    Cut,
    Delayed,
    Dripping,
    Duplicated,
    Ending,
    Heaped,
    Illegible,
    Interrupted,
    Lost,
    Missing,
    NotAcknowledged,
    OffsetIgnored,
    Overlapping,
    Refused,
    Slow,
    Stormy,
    Truncated,
)
from tests.faults.proxy import Proxy, RequestFault, SocketFault
from tests.faults.stage import BOOK, BOUND, Result, Stage, compare, config, failure

LINES = BOOK.splitlines(keepends=True)
TAIL = 5000
"""Characters."""
STORM = ("QUEUED", "STARTING", "RUNNING") * 1000
"""Statuses."""


@dataclass(frozen=True)
class Scenario:
    """Faults, a call, and what must come of it."""

    call: Callable[[Stage], Result]
    name: str
    sockets: tuple[SocketFault, ...] = ()
    """What happens to the first websockets."""
    requests: tuple[RequestFault, ...] = ()
    """What happens to the first requests over HTTP."""
    outcome: str = "whole"
    silence: float | None = None
    """Seconds after which the client gives up a websocket that is silent; default: its own."""
    remembers_keys: bool = True
    """Whether the endpoint declares that it knows `Idempotency-Key`."""
    quick: bool = False
    """Whether it is played in every run of the tests."""

    def __str__(self) -> str:
        return f"{self.call.__name__}: {self.name}"

    def play(self, stage: Stage) -> Result:
        """Make the call while the faults happen."""
        proxy = Proxy(
            stage.platform.endpoint,
            copy.deepcopy(list(self.sockets)),
            list(self.requests),
            remembers_keys=self.remembers_keys,
        )
        with stage.behind(proxy, self.silence):
            try:
                result = self.call(stage)
            except (Exception, TimeoutError) as e:  # noqa: BLE001  # what comes out is what is asked for
                result = failure(e)
        return replace(result, seconds=proxy.seconds_to_recover)


def follow(stage: Stage) -> Result:
    """Follow the log of a run that has ended."""
    return compare(LINES, mcli.follow_run_logs(stage.book, timeout=BOUND))


def read(stage: Stage) -> Result:
    """Read that log."""
    return compare(LINES, mcli.get_run_logs(stage.book, timeout=BOUND))


def read_tail(stage: Stage) -> Result:
    """Read its end."""
    text = mcli.get_run_logs(stage.book, tail=TAIL, timeout=BOUND)
    return compare(BOOK[-TAIL:].splitlines(keepends=True), text)


def watch(stage: Stage) -> Result:
    """Watch a run that goes on once it was seen to run."""
    run, gate = stage.gated()
    seen = []
    for each in mcli.watch_run_status(run, timeout=BOUND):
        seen.append(each.status)
        if each.status is mcli.RunStatus.RUNNING:
            gate.touch()
    with stage.directly():
        passed = [each.status for each in mcli.get_run(run).lifecycle]
    return compare(map(str, passed[passed.index(seen[0]) :]), map(str, seen))


def watch_retried(stage: Stage) -> Result:
    """Watch a run that fails and is tried again, again and again."""
    run = stage.run("exit 1", max_retries=2)
    seen = [each.status for each in mcli.watch_run_status(run, timeout=BOUND)]
    with stage.directly():
        passed = [each.status for each in mcli.get_run(run).lifecycle]
    whole = compare(map(str, passed[-len(seen) :]), map(str, seen))
    return whole if mcli.RunStatus.RUNNING in seen[:4] else replace(whole, outcome="late")


def watch_storm(stage: Stage) -> Result:
    """Watch a run that has ended, whose statuses came all at once."""
    seen = [str(each.status) for each in mcli.watch_run_status(stage.book, timeout=BOUND)]
    return compare([*STORM, "COMPLETED"], seen)


def wait(stage: Stage) -> Result:
    """Wait for the end of a run."""
    run, gate = stage.gated()
    ended = mcli.wait_for_run_status(run, "completed", future=True)
    mcli.wait_for_run_status(run, "running", timeout=BOUND)
    gate.touch()
    return compare(["COMPLETED"], [str(ended.result(BOUND).status)])


def follow_retried(stage: Stage) -> Result:
    """Follow the log of a run that fails and is tried again."""
    run = stage.run("echo 1; exit 1", max_retries=2)
    lines = [line for line in mcli.follow_run_logs(run, timeout=BOUND) if not line.startswith("[mcli]")]
    return compare(["1\n"] * 3, lines)


def watch_deleted(stage: Stage) -> Result:
    """Watch a run that is deleted while it runs."""
    run, _ = stage.gated()
    seen = []
    for each in mcli.watch_run_status(run, timeout=BOUND):
        seen.append(str(each.status))
        if each.status is mcli.RunStatus.RUNNING:
            with stage.directly():
                mcli.delete_run(run)
    return compare(["RUNNING", "TERMINATING", "STOPPED"], seen[seen.index("RUNNING") :])


def get(stage: Stage) -> Result:
    """Read a run."""
    return compare([stage.book], [mcli.get_run(stage.book, timeout=BOUND).name])


def create(stage: Stage) -> Result:
    """Create a run."""
    stem = stage.name("made")
    try:
        run = mcli.create_run(config(stem, "true"), timeout=BOUND)
        result = Result("whole" if run.name.startswith(f"{stem}-") else "other")
    except mcli.MAPIException as e:
        result = failure(e)
    return replace(result, duplicates=max(0, stage.count(stem) - 1))


KB = 1 << 10

_CUTS = [
    Scenario(call, f"{ending.value} after {after} bytes", (Cut(ending, after),), silence=0.6, quick=quick)
    for call, ending, after, quick in [
        (follow, Ending.RESET, 0, False),
        (follow, Ending.RESET, 60, False),
        (follow, Ending.RESET, 100 * KB + 1, True),
        (follow, Ending.CLOSED, 100 * KB + 2, True),
        (follow, Ending.HALF_CLOSED, 100 * KB + 3, True),
        (follow, Ending.SILENT, 0, False),
        (follow, Ending.SILENT, 100 * KB, True),
        (follow, Ending.GARBAGE, 0, False),
        (follow, Ending.GARBAGE, 100 * KB + 5, True),
        (read, Ending.RESET, 90 * KB + 7, True),
        (read, Ending.CLOSED, 300 * KB, False),
        (read, Ending.SILENT, 300 * KB, False),
        (read_tail, Ending.RESET, 4000, True),
        (read_tail, Ending.CLOSED, 200, False),
        (watch, Ending.RESET, 60, True),
        (watch, Ending.RESET, 150, False),
        (watch, Ending.CLOSED, 200, True),
        (watch, Ending.HALF_CLOSED, 210, False),
        (watch, Ending.SILENT, 220, True),
        (watch, Ending.GARBAGE, 230, True),
        (wait, Ending.RESET, 150, True),
        (wait, Ending.SILENT, 150, False),
    ]
]

_RETRIED = [
    Scenario(watch_retried, "without a fault"),
    Scenario(
        watch_retried, "reset after the first statuses", (Cut(Ending.RESET, 200), Refused(503)), quick=True
    ),
    Scenario(watch_retried, "two seconds without connection", (Cut(Ending.RESET, 200), *[Refused(503)] * 4)),
]

_TO_THE_END = [
    Scenario(follow_retried, "without a fault", quick=True),
    Scenario(follow_retried, "reset after some bytes", (Cut(Ending.RESET, 300), Refused(503))),
    Scenario(watch_deleted, "without a fault", quick=True),
    Scenario(watch_deleted, "reset after the first statuses", (Cut(Ending.RESET, 250), Refused(503))),
]

_STORMS = [
    Scenario(watch_storm, "3000 statuses at full speed", (Stormy(STORM),), quick=True),
]

_CODES = [
    Scenario(call, f"close code {code}", (Closed(code),) * 3, quick=code == 1012)
    for call in (follow, watch)
    for code in (1000, 1001, 1011, 1012, 1013, 3000, 4000, 4500)
] + [
    Scenario(
        call,
        f"close code {code}",
        (Closed(code),),
        outcome=f"MAPIException {code - 4000}",
        quick=code == 4403,
    )
    for call in (follow, watch, wait)
    for code in (4400, 4401, 4403, 4429, 4499)
]

_HANDSHAKES = [
    *(
        Scenario(follow, f"upgrade refused with {status}", (Refused(status),) * 2, outcome=outcome)
        for status, outcome in [
            (401, "MAPIException 401"),
            (403, "MAPIException 403"),
            (404, "MAPIException 404"),
            (429, "whole"),
            (500, "whole"),
            (502, "whole"),
            (503, "whole"),
            (504, "whole"),
        ]
    ),
    Scenario(watch, "upgrade refused with 403", (Refused(403),), outcome="MAPIException 403", quick=True),
    Scenario(follow, "connection_error", (NotAcknowledged(),), outcome="MAPIException 401", quick=True),
    Scenario(wait, "connection_error", (NotAcknowledged(),), outcome="MAPIException 401"),
    Scenario(follow, "reset before the ack, thrice", (Cut(Ending.RESET),) * 3),
]

_MESSAGES = [
    Scenario(follow, "text that is no JSON", (Interrupted(b"<html>"),), quick=True),
    Scenario(follow, "JSON of 50,000 brackets", (Interrupted(b"[" * 50_000),)),
    Scenario(follow, "JSON that is no message", (Interrupted(b"[1]"),)),
    Scenario(follow, "a message of no known type", (Interrupted(b'{"type":"surprise"}', after=3),)),
    Scenario(watch, "text that is no JSON", (Interrupted(b"<html>"),)),
    Scenario(follow, "slow drip", (Dripping(4 * KB, 0.002),), silence=0.6, quick=True),
    Scenario(follow, "a frame takes longer than silence may last", (Dripping(2 * KB, 0.015),), silence=0.5),
    Scenario(watch, "slow drip", (Dripping(1, 0.002),)),
    Scenario(follow, "delay", (Delayed(0.3),)),
    Scenario(watch, "delay", (Delayed(0.3),)),
]

_CHUNKS = [
    Scenario(follow, "duplicated chunks", (Duplicated(),), quick=True),
    Scenario(follow, "chunks that overlap", (Overlapping(),), quick=True),
    Scenario(follow, "a chunk that is missing", (Missing(),), quick=True),
    Scenario(read, "a chunk that is missing", (Missing(),)),
    Scenario(follow, "chunks of 7 bytes", (Bitten(),)),
    Scenario(follow, "frames of 2 MB", (Heaped(),), quick=True),
    Scenario(read, "frames of 2 MB", (Heaped(),)),
    Scenario(read, "chunks of 7 bytes", (Bitten(),)),
    Scenario(read, "duplicated chunks", (Duplicated(),)),
    Scenario(read_tail, "chunks that overlap", (Overlapping(by=100),)),
    Scenario(follow, "an offset that is ignored", (Cut(Ending.RESET, 200 * KB), OffsetIgnored()), quick=True),
    Scenario(
        follow,
        "cut after cut",
        tuple(Cut(Ending.RESET, 90 * KB + step * 777) for step in range(6)),
        quick=True,
    ),
    Scenario(
        follow,
        "a chunk that is no base64",
        (Illegible(),),
        outcome="MAPIException 500",
    ),
    Scenario(
        follow,
        "everything at once",
        (
            Cut(Ending.RESET, 50 * KB),
            Refused(503),
            Closed(1012, 3),
            Cut(Ending.GARBAGE, 120 * KB),
            Interrupted(b"?", 4),
            OffsetIgnored(),
        ),
        silence=0.6,
    ),
]

_HTML = b"<html><body>Sign in</body></html>"

_QUERIES = [
    *(
        Scenario(get, f"{status}, twice", requests=(Answered("GetRuns", status),) * 2, quick=status == 503)
        for status in (429, 502, 503, 504)
    ),
    *(
        Scenario(get, f"{ending.value} before the answer", requests=(Lost("GetRuns", ending, executed=True),))
        for ending in (Ending.RESET, Ending.CLOSED, Ending.HALF_CLOSED, Ending.GARBAGE)
    ),
    Scenario(
        get,
        "reset within the answer",
        requests=(Lost("GetRuns", Ending.RESET, executed=True, after=200),),
        quick=True,
    ),
    Scenario(get, "slow drip", requests=(Slow("GetRuns"),)),
    Scenario(
        get, "truncated JSON", requests=(Truncated("GetRuns"),), outcome="MAPIException 500", quick=True
    ),
    Scenario(
        get,
        "a page in place of JSON",
        requests=(Answered("GetRuns", 200, _HTML),),
        outcome="MAPIException 500",
    ),
    Scenario(get, "500", requests=(Answered("GetRuns", 500, _HTML),), outcome="MAPIException 500"),
    Scenario(
        get, "a status that HTTP lacks", requests=(Answered("GetRuns", 520),), outcome="MAPIException 520"
    ),
]

_MUTATIONS = [
    *(
        Scenario(
            create,
            f"{ending.value} after execution",
            requests=(Lost("CreateRun", ending, executed=True),),
            quick=ending is Ending.RESET,
        )
        for ending in (Ending.RESET, Ending.CLOSED, Ending.HALF_CLOSED, Ending.GARBAGE)
    ),
    *(
        Scenario(
            create,
            f"{status} after execution, twice",
            requests=(Answered("CreateRun", status, executed=True),) * 2,
            quick=status == 502,
        )
        for status in (502, 503, 504)
    ),
    *(
        Scenario(create, f"{status} before execution", requests=(Answered("CreateRun", status),))
        for status in (429, 502, 503, 504)
    ),
    Scenario(
        create,
        "reset within the answer",
        requests=(Lost("CreateRun", Ending.RESET, executed=True, after=150),),
    ),
    Scenario(create, "reset before execution", requests=(Lost("CreateRun", Ending.RESET),)),
    Scenario(create, "slow drip", requests=(Slow("CreateRun"),)),
]

_AMBIGUOUS = [
    *(
        Scenario(
            create,
            f"{ending.value} {'after' if executed else 'before'} execution, without keys",
            requests=(Lost("CreateRun", ending, executed=executed),),
            outcome="OutcomeUnknown 503",
            remembers_keys=False,
            quick=executed and ending is Ending.CLOSED,
        )
        for ending in (Ending.RESET, Ending.CLOSED, Ending.HALF_CLOSED, Ending.GARBAGE)
        for executed in (True, False)
    ),
    *(
        Scenario(
            create,
            f"{status} after execution, without keys",
            requests=(Answered("CreateRun", status, executed=True),),
            outcome=f"OutcomeUnknown {status}",
            remembers_keys=False,
        )
        for status in (502, 503, 504)
    ),
    Scenario(
        create,
        "429 before execution, without keys",
        requests=(Answered("CreateRun", 429),),
        remembers_keys=False,
    ),
    Scenario(
        create,
        "truncated JSON, without keys",
        requests=(Truncated("CreateRun"),),
        outcome="OutcomeUnknown 500",
        remembers_keys=False,
    ),
    Scenario(
        create,
        "a page in place of JSON, without keys",
        requests=(Answered("CreateRun", 200, _HTML),),
        outcome="MAPIException 500",
        remembers_keys=False,
    ),
    Scenario(create, "truncated JSON", requests=(Truncated("CreateRun"),)),
]

SCENARIOS = [
    *_AMBIGUOUS,
    *_CUTS,
    *_RETRIED,
    *_STORMS,
    *_TO_THE_END,
    *_CODES,
    *_HANDSHAKES,
    *_MESSAGES,
    *_CHUNKS,
    *_QUERIES,
    *_MUTATIONS,
]
