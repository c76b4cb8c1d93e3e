"""Groups of runs: launched together, each with an outcome of its own; and their progress."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli import MAPIException, RunConfig
from mcli.testing import Script, VirtualClock, local_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcli.testing.platform import PlatformForTests


@pytest.fixture(scope="module")
def platform() -> Iterator[PlatformForTests]:
    with local_platform(scripts={"bad": Script(code=1)}) as platform:
        yield platform


def config(name: str = "good", **more: object) -> RunConfig:
    return RunConfig(name, image="any", command="any", compute={"gpus": more.pop("gpus", 1)})


@pytest.mark.usefixtures("platform")
def test_a_refused_run_loses_no_other() -> None:
    """Each configuration has its outcome, in order."""
    group = mcli.create_runs([config("a"), config("b", gpus=999), config("c")])
    assert ["a", "c"] == [run.name.rpartition("-")[0] for run in group]
    assert [False, True, False] == [isinstance(each, MAPIException) for each in group.outcomes]
    assert group.refused == [group.outcomes[1]]


@pytest.mark.usefixtures("platform")
def test_the_group_has_a_name_in_the_metadata() -> None:
    """The configurations stay as they were."""
    one = config()
    group = mcli.create_runs([one], name="first")
    assert ({"group": "first"}, {}) == (mcli.get_run(group[0]).metadata, one.metadata)


@pytest.mark.usefixtures("platform")
def test_a_group_is_waited_for() -> None:
    """A run that fails has ended too."""
    group = mcli.create_runs([config(), config("bad")]).wait(timeout=60)
    assert ["COMPLETED", "FAILED"] == [run.status.name for run in group]


def test_a_group_is_stopped() -> None:
    """Those that have ended stay as they are."""
    with local_platform(clock=VirtualClock(), scripts={"long": Script(seconds=3600)}):
        group = mcli.create_runs([config("long"), config()])
        mcli.wait_for_run_status(group[1], "COMPLETED", timeout=60)
        mcli.wait_for_run_status(group[0], "RUNNING", timeout=60)
        assert ["STOPPED", "COMPLETED"] == [run.status.name for run in group.stop("enough").wait(timeout=60)]


@pytest.mark.usefixtures("platform")
def test_a_group_is_a_list_of_runs() -> None:
    """It pickles, and becomes a data frame with a row for each run."""
    group = mcli.create_runs([config(), config("b", gpus=999)], at_once=1)
    again = pickle.loads(pickle.dumps(group))
    assert (group, group.name, 1) == (again, again.name, len(again.refused))
    assert len(group.to_pandas()) == 1


@pytest.mark.usefixtures("platform")
def test_of_no_configurations_there_is_an_empty_group() -> None:
    """Nothing is sent; `at_once` must leave room for one."""
    assert ([], []) == (list(mcli.create_runs([]).wait()), mcli.create_runs([]).refused)
    with pytest.raises(ValueError, match="at_once must be a whole number, 1 or more"):
        mcli.create_runs([], at_once=0)


# progress


@pytest.mark.usefixtures("platform")
def test_progress_in_a_pipe_is_a_line_for_each_status(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; what it returns has ended."""
    group = mcli.create_runs([config(), config("bad")])
    ended = mcli.progress(group)
    assert ["COMPLETED", "FAILED"] == [run.status.name for run in ended]
    told = capsys.readouterr()
    assert (f"{group[0].name}: COMPLETED" in told.err, told.out) == (True, "")


def test_progress_has_a_limit() -> None:
    """The error tells where the runs are."""
    with local_platform(clock=VirtualClock(), scripts={"long": Script(seconds=3600)}):
        run = mcli.create_run(config("long"))
        mcli.wait_for_run_status(run, "RUNNING", timeout=60)
        with pytest.raises(TimeoutError, match=r"1 of 1 runs have not ended within 0\.1 s: 1 running"):
            mcli.progress(run.name, timeout=0.1)


@pytest.mark.usefixtures("platform")
def test_progress_of_nothing_and_of_no_run() -> None:
    """An empty list is shown at once; a run that does not exist is an error."""
    assert mcli.progress([]) == []
    with pytest.raises(MAPIException, match="no-such-run"):
        mcli.progress("no-such-run")


@pytest.mark.usefixtures("platform")
def test_progress_in_a_notebook_changes_one_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is needed but IPython, which is there."""
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    class Display:
        HTML = staticmethod(lambda html: html)

        @staticmethod
        def display(html: str, *, display_id: bool) -> Handle:
            assert display_id
            shown.append(html)
            return Handle()

    class Shell:
        kernel = object()

    class IPython:
        display = Display
        get_ipython = staticmethod(Shell)

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.setitem(sys.modules, "IPython.display", Display)
    mcli.progress(mcli.create_run(config()))
    assert "Completed" in shown[-1]
