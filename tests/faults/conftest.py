"""The stage of the scenarios, and the table of what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mcli
from mcli.platform.execution.folders import RunFolders
from mcli.testing import local_platform
from tests.faults.stage import BOOK, BOUND, Stage, config

if TYPE_CHECKING:
    from collections.abc import Generator

TABLE = ("scenario", "outcome", "lost", "repeated", "duplicates", "seconds")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """A platform on which a run has written `BOOK` to its log."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "book.txt").write_text(BOOK)
    with local_platform(data_dir=folder / "platform", grace=1.0) as platform:
        run = mcli.create_run(config("book", f"cat {folder}/book.txt"))
        mcli.wait_for_run_status(run, "completed", timeout=BOUND)
        # what the platform itself writes into a log is not of the book
        RunFolders(platform.data_dir / "runs").node(run.name, 0, 0).log.write_text(BOOK)
        yield Stage(platform, folder, run.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the scenarios came to, when all of them were asked for."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    rows = [dict(each.user_properties) for each in reports if each.when == "call" and each.user_properties]
    rows = [row for row in rows if set(TABLE) <= set(row)]
    if terminalreporter.config.getoption("markexpr") != "faults or not faults" or not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(_line(TABLE))
    for row in rows:
        terminalreporter.write_line(_line([row[column] for column in TABLE]))


def _line(cells: list[object] | tuple[object, ...]) -> str:
    name, outcome, *numbers = cells
    texts = [f"{each:.2f}" if isinstance(each, float) else str(each) for each in numbers]
    return f"{name!s:<64} {outcome!s:<22} " + " ".join(f"{text:>10}" for text in texts)
