"""Values that are made while an answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcli_mapi.create_run import CreateRun
from mcli_mapi.fragments import RunLifecycleFields
from mcli_mapi.get_runs_paginated import GetRunsPaginated

from mcli import MAPIException, Run, RunStatus, RunType
from mcli._core.answers import read
from mcli._readers import At, reader
from mcli._run_values import runs_of
from mcli.run_details import RunLifecycle
from tests import wire


def runs(*answered: dict[str, Any]) -> list[Run]:
    return runs_of(read(GetRunsPaginated, json.dumps(wire.page(*answered))).get_runs_paginated.runs)


def test_runs_are_made_while_they_are_read() -> None:
    """What an answer holds is a run already, with its parts."""
    (run,) = runs(wire.run())
    assert (Run, RunStatus.RUNNING, 8) == (type(run), run.status, run.resumptions[0].gpus)


def test_runs_are_made_in_every_answer() -> None:
    """The answer to a change makes its runs in the same way, also where the generated types were used before."""
    CreateRun.model_validate({"createRun": [wire.run()]})
    answer = read(CreateRun, json.dumps({"data": {"createRun": [wire.run(details=None)]}}))
    assert [Run] == [type(each) for each in runs_of(answer.create_run)]


@pytest.mark.parametrize("status", [None, "", "NEWER", "running"])
def test_unknown_statuses_are_read(status: str | None) -> None:
    """A status that is null, unknown, or in another letter case fails nothing."""
    (run,) = runs(wire.run(status=status, runType=status))  # type: ignore[arg-type]  # null is under test
    expected = RunStatus.RUNNING if status == "running" else RunStatus.UNKNOWN
    assert (expected, RunType.UNKNOWN) == (run.status, run.run_type)


def test_a_run_without_a_resumption_is_told() -> None:
    """A run that has no resumption is an error that names it."""
    with pytest.raises(MAPIException, match="run 'run-a' without a resumption"):
        runs(wire.run(resumptions=[]))


def test_a_malformed_run_is_told_with_its_place() -> None:
    """An error names the field as the wire spells it, and the run."""
    with pytest.raises(MAPIException, match=r"runs\.1\.createdAt: .* \(of 'run-b'\)"):
        runs(wire.run(), wire.run("run-b", createdAt=None))


def test_a_table_that_the_schema_does_not_know_is_no_reader() -> None:
    """A field that the generated type lacks is noticed when the table is made."""
    with pytest.raises(KeyError, match="started"):
        reader(RunLifecycle, RunLifecycleFields, started_at=At("started"))
