"""How far runs are, shown while they are waited for: in a notebook, on a terminal, or in a pipe."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import mcli
from mcli._arguments import name_of, names_of, seconds
from mcli._terminal import LiveLine, is_terminal
from mcli._words import span
from mcli.pages import ObjectList
from mcli.run import Run
from mcli.runs import get_runs
from mcli.watches import watch_run_status

if TYPE_CHECKING:
    from mcli._arguments import Named

__all__ = ["progress"]

_SECONDS_PER_DRAWING = 0.25


def progress(runs: str | Named | Iterable[str | Named], *, timeout: float | None = None) -> ObjectList[Run]:
    """Show how far runs are until all have ended, and return them as they are then.

    A notebook shows a card for one run and a table for several, which change in place; a terminal a line at the
    bottom; elsewhere stderr gets a line for each change of status. Nothing needs to be installed for it. Ctrl-C
    ends the showing; the runs go on.

    Args:
        runs: A run or its name, or several of them, e.g. what `create_runs` gives.
        timeout: Seconds to wait at most; None waits for ever.

    Returns:
        The runs in the order in which they were given.

    Raises:
        TimeoutError: They have not all ended within `timeout` seconds.
        MAPIException: A run does not exist, or the platform could not be asked.

    >>> import mcli
    >>> config = mcli.RunConfig("hello", image="bash", command="true", compute={"gpus": 0})
    >>> [run.status.name for run in mcli.progress(mcli.create_run(config))]
    ['COMPLETED']
    """
    names, timeout = _names(runs), seconds("timeout", timeout)
    if not names:
        return ObjectList([], Run)
    now = {run.name: run for run in get_runs(names, include_details=True)}
    if missing := [name for name in names if name not in now]:
        raise mcli.MAPIException(404, f"There is no run {', '.join(missing)}.")
    face = _face()
    watcher = _Watcher([run for run in now.values() if not run.status.is_terminal()])
    end = None if timeout is None else time.monotonic() + timeout
    try:
        face.show(now)
        while watcher.watches and (end is None or time.monotonic() < end):
            for run in watcher.changes(_SECONDS_PER_DRAWING):
                now[run.name] = run
            face.show(now)
        is_late = watcher.watches
    finally:
        watcher.close()
        face.close()
    if watcher.error is not None:
        raise watcher.error
    if is_late:
        live = sum(not run.status.is_terminal() for run in now.values())
        raise TimeoutError(
            f"{live} of {len(names)} runs have not ended within {timeout:g} s: {_counts(now)}."
        )
    ended = {run.name: run for run in get_runs(names, include_details=True)}
    return ObjectList([ended[name] for name in names], Run)


def _names(runs: str | Named | Iterable[str | Named]) -> list[str]:
    if isinstance(runs, Iterable) and not isinstance(runs, str):
        return names_of(runs)
    return [name_of(runs, "run", "runs")]


class _Watcher:
    """Watches the statuses of runs on an event loop of its own, since the caller's thread may have one already."""

    def __init__(self, runs: list[Run]) -> None:
        self.error: BaseException | None = None
        self._runs = runs
        self._seen: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mcli-progress", daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def watches(self) -> bool:
        """Whether there is something to wait for."""
        return self._thread.is_alive() or not self._seen.empty()

    def changes(self, seconds: float) -> list[Run]:
        """Return what was seen since; wait for so long where there is nothing."""
        found: list[Run] = []
        try:
            found.append(self._seen.get(timeout=seconds))
            while True:
                found.append(self._seen.get_nowait())
        except queue.Empty:
            return found

    def close(self) -> None:
        """Watch no more."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._watch_all())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.error = error
        finally:
            self._ready.set()

    async def _watch_all(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        watching = asyncio.ensure_future(self._watch_each())
        ending = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait([watching, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if watching.done():
            watching.result()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def _watch_each(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for run in self._runs:
                tasks.create_task(self._watch(run))

    async def _watch(self, run: Run) -> None:
        async for seen in watch_run_status.aio(run):
            self._seen.put(seen)


class _Face(Protocol):
    """Where runs are shown."""

    def show(self, runs: Mapping[str, Run]) -> None: ...
    def close(self) -> None: ...


def _face() -> _Face:
    if _kernel() is not None:
        return _Notebook()
    return _Terminal() if is_terminal(sys.stderr) else _Lines()


def _kernel() -> Any:
    """Return the kernel of the notebook that this is, if it is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


class _Notebook:
    """One output that changes in place."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last: list[tuple[str, str, str | None]] = []

    def show(self, runs: Mapping[str, Run]) -> None:
        shown = [(run.name, run.status.name, run.reason) for run in runs.values()]
        if shown != self._last:
            self._last = shown
            self._draw(runs)

    def _draw(self, runs: Mapping[str, Run]) -> None:
        from IPython.display import HTML, display  # type: ignore[import-not-found, unused-ignore]

        one = next(iter(runs.values()))
        html = HTML((one if len(runs) == 1 else ObjectList(runs.values(), Run))._repr_html_())
        if self._handle is None:
            self._handle = display(html, display_id=True)
        else:
            self._handle.update(html)

    def close(self) -> None:
        """Leave what was shown last."""


class _Terminal:
    """One line at the bottom."""

    def __init__(self) -> None:
        self._line = LiveLine()
        self._began = time.monotonic()

    def show(self, runs: Mapping[str, Run]) -> None:
        waited = span(time.monotonic() - self._began)
        if len(runs) == 1:
            ((name, run),) = runs.items()
            self._line.show(f"{run.status.name.capitalize()} {waited}  {name}  {run.reason or ''}")
        else:
            self._line.show(f"{_counts(runs)}  {waited}")

    def close(self) -> None:
        self._line.close()


class _Lines:
    """A line for each change of status."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show(self, runs: Mapping[str, Run]) -> None:
        for name, run in runs.items():
            if self._told.get(name) != run.status.name:
                self._told[name] = run.status.name
                reason = f" ({run.reason})" if run.reason else ""
                print(f"{name}: {run.status.name}{reason}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is open."""


def _counts(runs: Mapping[str, Run]) -> str:
    counts = Counter(run.status.name.lower() for run in runs.values())
    return ", ".join(f"{count} {name}" for name, count in counts.items())
