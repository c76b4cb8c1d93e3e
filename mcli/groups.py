"""Several runs at once: launched together, each with an outcome of its own."""

from __future__ import annotations

import copy
import secrets
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from mcli._arguments import listed, seconds, text, whole
from mcli._progress import progress
from mcli._spelling import kind_of
from mcli.exceptions import MAPIException
from mcli.pages import ObjectList
from mcli.run import Run
from mcli.run_config import RunConfig
from mcli.runs import create_run, get_runs, stop_runs
from mcli.watches import wait_for_run_status

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RunGroup", "create_runs"]

GROUP_KEY = "group"
"""Key of the metadata that has the group's name."""


class RunGroup(ObjectList[Run]):
    """Runs that were launched together: a list of those that the platform took.

    Args:
        name: Name of the group; `mcli get runs -m group=NAME` lists its runs too.
        outcomes: For each configuration, in order, the run, or why it was refused.

    >>> import mcli
    >>> config = mcli.RunConfig("hello", image="bash", command="true", compute={"gpus": 0})
    >>> mcli.create_runs([config, config]).wait().name.startswith("group-")
    True
    """

    name: str
    """Name of the group, in the metadata of each run under `group`."""
    outcomes: list[Run | Exception]
    """For each configuration, in order, the run, or the error that `create_run` raised."""

    def __init__(self, name: str, outcomes: Iterable[Run | Exception]) -> None:
        self.name = name
        self.outcomes = list(outcomes)
        super().__init__([each for each in self.outcomes if isinstance(each, Run)], Run)

    def __reduce__(self) -> tuple[Any, ...]:
        return RunGroup, (self.name, self.outcomes)

    @property
    def refused(self) -> list[Exception]:
        """Why configurations were refused, in their order."""
        return [each for each in self.outcomes if isinstance(each, Exception)]

    def refresh(self) -> RunGroup:
        """Return the group as it is now."""
        return self._with(get_runs([run.name for run in self]))

    def wait(self, status: str = "COMPLETED", *, timeout: float | None = None) -> RunGroup:
        """Wait until each run is at a status or a later one, and return the group as it is then.

        Args:
            status: The status to wait for; a run that has failed or was stopped has passed it.
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: A run has not come so far within `timeout` seconds.
        """
        futures = [wait_for_run_status(run, status, timeout=timeout, future=True) for run in self]
        done, late = wait(futures, timeout)
        for future in late:
            future.cancel()
        if late:
            raise TimeoutError(
                f"{len(late)} of {len(self)} runs did not reach {status} within {timeout:g} s."
            )
        return self._with(future.result() for future in futures if future in done)

    def stop(self, reason: str | None = None) -> RunGroup:
        """Stop the runs that have not ended, and return the group as it is then.

        Args:
            reason: Why; others read it in `Run.reason`.
        """
        stop_runs([run for run in self.refresh() if not run.status.is_terminal()], reason=reason)
        return self.refresh()

    def progress(self, *, timeout: float | None = None) -> RunGroup:
        """Show how far the runs are until all have ended, and return the group; see `mcli.progress`.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
        """
        return self._with(progress(self, timeout=timeout))

    def _with(self, runs: Iterable[Run]) -> RunGroup:
        now = {run.name: run for run in runs}
        return RunGroup(
            self.name, [now.get(each.name, each) if isinstance(each, Run) else each for each in self.outcomes]
        )


def create_runs(
    configs: Iterable[RunConfig], *, name: str | None = None, at_once: int = 32, timeout: float | None = 10
) -> RunGroup:
    """Launch several runs; one that is refused does not lose the others.

    Args:
        configs: What to run. They are not changed.
        name: Name of the group, kept in the metadata of each run under `group`; made up if not given.
        at_once: How many requests are on their way at once, at most.
        timeout: Seconds that each of them may take; None waits for ever.

    Returns:
        The runs that were launched; `outcomes` has an entry for each configuration.

    Raises:
        TypeError: A configuration is not a RunConfig, or another argument has a wrong type.
        ValueError: `at_once` is less than 1.
        MCLIConfigError: There are no credentials.

    >>> import mcli
    >>> configs = [
    ...     mcli.RunConfig("sweep", image="bash", command="true", compute={"gpus": 0}, parameters={"lr": rate})
    ...     for rate in (0.1, 0.01)
    ... ]
    >>> group = mcli.create_runs(configs, name="first-try")
    >>> [run.status.name for run in group.wait()], group.refused
    (['COMPLETED', 'COMPLETED'], [])
    """
    together, limit = whole("at_once", at_once, least=1), seconds("timeout", timeout)
    group = f"group-{secrets.token_hex(3)}" if name is None else text("name", name)
    members = [_of_group(each, group) for each in _checked(configs)]
    return RunGroup(group, _launched(members, together, limit))


def _checked(configs: Iterable[RunConfig]) -> list[RunConfig]:
    found = listed("configs", configs)
    for at, each in enumerate(found):
        if not isinstance(each, RunConfig):
            raise TypeError(f"configs[{at}] must be a RunConfig, not {kind_of(each)}")
    return found


def _of_group(config: RunConfig, group: str) -> RunConfig:
    config = copy.copy(config)
    config.metadata = {**(config.metadata or {}), GROUP_KEY: group}
    return config


def _launched(configs: list[RunConfig], at_once: int, timeout: float | None) -> list[Run | Exception]:
    def launch(config: RunConfig) -> Run | Exception:
        try:
            return create_run(config, timeout=timeout)
        except (MAPIException, TimeoutError) as error:  # the outcome of this one
            return error

    pool = ThreadPoolExecutor(at_once, thread_name_prefix="mcli-create")
    try:
        return list(pool.map(launch, configs))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C no more are begun
