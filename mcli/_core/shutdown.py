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
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from mcli._core import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import FrameType

__all__ = ["finish", "finish_interrupted", "finish_late", "protect"]

PATIENCE = 5.0
"""Seconds that mutations get at the end of the interpreter."""
PATIENCE_AFTER_INTERRUPT = 1.0
"""Seconds that mutations get after Ctrl-C."""
PATIENCE_AFTER_SIGTERM = 25.0
"""Seconds that protected mutations get at most after SIGTERM: what sends it kills after 30."""
_UNKNOWN = "whether it was carried out is unknown. Look with get_runs() before you repeat it."

_mutations: dict[Future[Any], str] = {}
_protected: dict[Future[Any], float] = {}
"""Mutations that SIGTERM waits for, each with the moment, on the clock of `time.monotonic`, that it ends at."""


def finish(future: Future[Any], name: str) -> None:
    """Let the end of the interpreter wait for this mutation, called `name` in messages."""
    _mutations[future] = name
    future.add_done_callback(lambda done: _mutations.pop(done, None))


def finish_late(future: Future[Any], name: str) -> None:
    """Finish a mutation now if an `atexit` handler began it: ours may have run before, or not be there yet."""
    main = threading.main_thread()
    if threading.current_thread() is main and not main.is_alive():
        _report({future: name}, _unfinished({future}, PATIENCE))


def protect(future: Future[Any], timeout: float | None) -> None:
    """Let SIGTERM wait for this mutation, for the rest of its timeout, before the previous handler runs.

    Python handles signals in the main thread only. Elsewhere no handler can be installed; the mutation is still
    finished at the end of the interpreter.

    Args:
        future: The mutation.
        timeout: Seconds that its caller gives it, None without a bound, as a future has none.
    """
    _protected[future] = float("inf") if timeout is None else time.monotonic() + timeout
    future.add_done_callback(lambda done: _protected.pop(done, None))
    if threading.current_thread() is threading.main_thread():
        current = signal.getsignal(signal.SIGTERM)
        if not isinstance(current, _Terminator):
            signal.signal(signal.SIGTERM, _Terminator(current))


class _Again(BaseException):
    """SIGTERM came a second time."""


class _Terminator:
    """A SIGTERM handler that finishes protected mutations and then does what the handler before it did."""

    def __init__(self, previous: Callable[[int, FrameType | None], Any] | int | None) -> None:
        self.previous = previous
        self._is_waiting = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self._is_waiting:
            raise _Again
        names = dict(_mutations)
        unfinished = self._finish_protected()
        if callable(self.previous) or self.previous == signal.SIG_IGN:
            _report(names, unfinished)
            for each in unfinished:  # it had its time: the end of the process gives it no more
                _mutations.pop(each, None)
        else:  # this ends the process, with all that was not protected
            _report(names, {each for each in names if not each.done()})
        if callable(self.previous):
            self.previous(signum, frame)
        elif self.previous != signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)

    def _finish_protected(self) -> set[Future[Any]]:
        """Wait for protected mutations, and return those that have no outcome; the next SIGTERM ends the wait."""
        begin = time.monotonic()
        protected = sorted(_protected.items(), key=lambda each: each[1])
        self._is_waiting = True
        try:
            for each, end in protected:
                latest = min(end, begin + PATIENCE_AFTER_SIGTERM)
                wait([each], max(0.0, latest - time.monotonic()))
            self._is_waiting = False
        except _Again:
            self._is_waiting = False
        return {each for each, _ in protected if not each.done()}


def finish_interrupted(future: Future[Any], name: str) -> None:
    """Give a blocking mutation a moment after Ctrl-C, or until the next one; say so if its outcome stays unknown."""
    try:
        unfinished = _unfinished({future}, PATIENCE_AFTER_INTERRUPT)
    except KeyboardInterrupt:
        unfinished = {future}
    if unfinished:
        _say(f"{name} was interrupted: {_UNKNOWN}")


@atexit.register
def _at_exit() -> None:
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    names = dict(_mutations)
    try:
        left = _unfinished(names, PATIENCE_AFTER_INTERRUPT if interrupted else PATIENCE)
    except KeyboardInterrupt:
        left = _unfinished(names, PATIENCE_AFTER_INTERRUPT)
    _report(names, left)
    with contextlib.suppress(KeyboardInterrupt):  # there is nothing left to be interrupted
        loop.drain(0.2)


def _unfinished(futures: Iterable[Future[Any]], patience: float) -> set[Future[Any]]:
    return set(wait(list(futures), patience).not_done)


def _report(names: dict[Future[Any], str], unfinished: set[Future[Any]]) -> None:
    """Say what nobody is left to hear: which mutations have no outcome, and which of the others failed."""
    for future, name in names.items():
        if future in unfinished:
            _say(f"{name} had no answer when the process ended: {_UNKNOWN}")
        elif future.done() and not future.cancelled() and (error := future.exception()) is not None:
            _say(f"{name} failed when the process ended: {error}")


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"mcli: {text}\n")


def _forget() -> None:
    _mutations.clear()
    _protected.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
