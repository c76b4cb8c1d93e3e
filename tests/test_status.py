"""Run statuses, and the vocabularies beside them."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from mcli.enums import GPUType, RunType, SubmissionType
from mcli.status import RunStatus

PAGE = json.loads((Path(__file__).parent / "data" / "signatures.json").read_text())


def test_the_order_is_the_documented_one() -> None:
    """Statuses sort from the earliest to the latest."""
    assert PAGE["run_status_order"] == [status.name for status in sorted(RunStatus)]


def test_the_members_are_the_documented_ones() -> None:
    """Names and values of the statuses are those of the page."""
    documented = PAGE["classes"]["RunStatus"]["members"]
    assert documented == {status.name: status.value for status in RunStatus}


@pytest.mark.parametrize(("expression", "value"), PAGE["examples"])
def test_the_examples_of_the_page_hold(expression: str, value: bool) -> None:
    """What the page's examples say is so."""
    assert value is eval(expression, {"RunStatus": RunStatus})


def test_inclusive_comparison_holds_for_itself() -> None:
    """With `inclusive`, a status is before and after itself."""
    assert RunStatus.QUEUED.before(RunStatus.QUEUED, inclusive=True)
    assert RunStatus.QUEUED.after(RunStatus.QUEUED, inclusive=True)


def test_a_text_is_neither_before_nor_after() -> None:
    """Comparing a status with a text is an error."""
    with pytest.raises(TypeError):
        RunStatus.RUNNING.before("COMPLETED")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("status", RunStatus)
def test_three_statuses_are_terminal(status: RunStatus) -> None:
    """A run stays COMPLETED, STOPPED or FAILED, and nothing else."""
    assert (status.name in {"COMPLETED", "STOPPED", "FAILED"}) is status.is_terminal()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("RUNNING", RunStatus.RUNNING),
        ("running", RunStatus.RUNNING),
        ("Running", RunStatus.RUNNING),
        (RunStatus.FAILED, RunStatus.FAILED),
        ("compLeted", RunStatus.UNKNOWN),
        ("RUNNING ", RunStatus.UNKNOWN),
        ("FAILED_PULL", RunStatus.UNKNOWN),
        ("", RunStatus.UNKNOWN),
        (None, RunStatus.UNKNOWN),
        (3, RunStatus.UNKNOWN),
    ],
)
def test_from_string_reads_statuses_and_nothing_else(text: Any, status: RunStatus) -> None:
    """`from_string` reads a status in any letter case, and UNKNOWN from all else."""
    assert status is RunStatus.from_string(text)


def test_a_status_is_found_by_its_value() -> None:
    """`RunStatus(value)` gives the status."""
    assert RunStatus.COMPLETED is RunStatus("COMPLETED")


def test_an_old_status_has_no_value() -> None:
    """`RunStatus(value)` refuses what is no status."""
    with pytest.raises(ValueError, match="FAILED_PULL"):
        RunStatus("FAILED_PULL")


def test_a_status_shows_as_its_name() -> None:
    """In a text, a status is its name."""
    assert "now RUNNING" == f"now {RunStatus.RUNNING}"


def test_a_status_is_no_text() -> None:
    """A status does not equal its name."""
    name: object = "COMPLETED"
    assert RunStatus.COMPLETED != name


@pytest.mark.parametrize("status", RunStatus)
def test_a_status_is_the_same_after_copy_and_pickle(status: RunStatus) -> None:
    """Copies of a status are the status."""
    assert status is copy.deepcopy(status) is pickle.loads(pickle.dumps(status))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("TRAINING", RunType.TRAINING),
        ("hero_run", RunType.HERO_RUN),
        ("X", RunType.UNKNOWN),
        (None, RunType.UNKNOWN),
    ],
)
def test_run_types_are_an_open_vocabulary(text: Any, kind: RunType) -> None:
    """A run type that is not known is UNKNOWN."""
    assert kind is RunType.from_string(text)


def test_a_known_submission_type_is_read() -> None:
    """A submission type is read in any letter case."""
    assert SubmissionType.INFERENCE is SubmissionType.from_string("Inference")


def test_an_unknown_submission_type_warns() -> None:
    """A submission type that is not known is TRAINING, and a warning says so."""
    with pytest.warns(UserWarning, match="'DREAMING'"):
        assert SubmissionType.TRAINING is SubmissionType.from_string("DREAMING")


def test_gpu_types_are_texts() -> None:
    """A GPU type equals the text that clusters answer with."""
    gpu_type: str = "a100_80gb"
    assert gpu_type == GPUType.A100_80GB
