"""What is in flight when the process ends.

`create_run(config, future=True)` may be the last line of a script, so mutations are finished for a bounded time;
queries and streams, which nobody waits for any more, are dropped at once. An outcome that stays unknown is said on
stderr: there is nobody left to raise it to.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from mcli import _loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import FrameType

PATIENCE = 5.0
"""Seconds that mutations get at the end of the interpreter, and protected ones after SIGTERM."""
PATIENCE_AFTER_INTERRUPT = 1.0
"""Seconds that mutations get after Ctrl-C."""

_mutations: dict[Future[Any], str] = {}
_protected: set[Future[Any]] = set()
_ended: list[bool] = []
"""Not empty once the interpreter ends."""


def finish(future: Future[Any], name: str) -> None:
    """Let the end of the interpreter wait for this mutation, called `name` in messages."""
    _mutations[future] = name
    future.add_done_callback(lambda done: _mutations.pop(done, None))
    if _ended:  # an `atexit` handler that is older than ours: nothing waits after it
        _report(_unfinished({future}, PATIENCE))


def protect(future: Future[Any]) -> None:
    """Let SIGTERM wait for this mutation before the previous handler runs.

    Python handles signals in the main thread only. Elsewhere no handler can be installed; the mutation is still
    finished at the end of the interpreter.
    """
    _protected.add(future)
    future.add_done_callback(_protected.discard)
    if threading.current_thread() is threading.main_thread():
        current = signal.getsignal(signal.SIGTERM)
        if not isinstance(current, _Terminator):
            signal.signal(signal.SIGTERM, _Terminator(current))


class _Terminator:
    """A SIGTERM handler that finishes protected mutations and then does what the handler before it did."""

    def __init__(self, previous: Callable[[int, FrameType | None], Any] | int | None) -> None:
        self.previous = previous

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        _report(_unfinished(_protected, PATIENCE))
        if callable(self.previous):
            self.previous(signum, frame)
        elif self.previous != signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)


def report_interrupted(name: str) -> None:
    """Say that Ctrl-C cut a blocking mutation short."""
    _say(f"{name} was interrupted: whether it was carried out is unknown.")


@atexit.register
def _at_exit() -> None:
    _ended.append(True)
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    try:
        left = _unfinished(_mutations, PATIENCE_AFTER_INTERRUPT if interrupted else PATIENCE)
    except KeyboardInterrupt:
        left = _unfinished(_mutations, PATIENCE_AFTER_INTERRUPT)
    _report(left)
    with contextlib.suppress(KeyboardInterrupt):  # there is nothing left to be interrupted
        _loop.drain(0.2)


def _unfinished(futures: Iterable[Future[Any]], patience: float) -> set[Future[Any]]:
    return set(wait(list(futures), patience).not_done)


def _report(futures: set[Future[Any]]) -> None:
    for name in sorted(_mutations.get(each, "a call") for each in futures):
        _say(f"{name} had no answer when the process ended: whether it was carried out is unknown.")


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"mcli: {text} Look with get_runs() before you repeat it.\n")


def _forget() -> None:
    _mutations.clear()
    _protected.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
