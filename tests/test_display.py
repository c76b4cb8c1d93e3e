"""What notebooks and terminals show of values."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta

import pytest

import mcli
from mcli import ObjectList, Run, RunConfig, RunStatus
from mcli._words import compute
from mcli.cluster_details import ClusterDetails, Instance
from mcli.enums import RunType
from mcli.run_details import Resumption, RunLifecycle

BEGAN = datetime.now(UTC) - timedelta(hours=3)


def made(name: str = "bert-x1", status: RunStatus = RunStatus.RUNNING, **more: object) -> Run:
    """Return a run that began three hours ago."""
    began = datetime.now(UTC) - timedelta(hours=3)
    resumption = Resumption(0, "c1", 16, 0, "a100_80gb", 2, status, started_at=BEGAN)
    run = Run(
        run_uid="u",
        name=name,
        status=status,
        created_at=began,
        updated_at=BEGAN,
        created_by="ann@example.com",
        priority="auto",
        preemptible=False,
        retry_on_system_failure=False,
        cluster="c1",
        gpus=16,
        gpu_type="a100_80gb",
        cpus=0,
        node_count=2,
        latest_resumption=resumption,
        is_deleted=False,
        run_type=RunType.TRAINING,
        resumptions=[resumption],
    )
    return dataclasses.replace(run, **more)  # type: ignore[arg-type]


def test_a_run_prints_on_one_line() -> None:
    """Name, status, reason, where and since when."""
    text = str(made(reason="Waiting for 2 nodes"))
    assert text == "bert-x1 RUNNING: Waiting for 2 nodes (c1, 16x a100_80gb, 2 nodes, created 3h ago)"


@pytest.mark.parametrize(
    ("gpus", "cpus", "nodes", "expected"),
    [(0, 0, 1, "cpu"), (0, 1, 1, "1 cpu"), (0, 4, 2, "4 cpus, 2 nodes"), (8, 0, 1, "8x a100_80gb")],
)
def test_compute_is_told_in_words(gpus: int, cpus: int, nodes: int, expected: str) -> None:
    """GPUs go before CPUs; one node is not mentioned."""
    assert expected == compute(made(gpus=gpus, cpus=cpus, node_count=nodes))


def test_a_card_shows_what_a_person_looks_for() -> None:
    """Status, reason, compute, progress, metadata and configuration are all there."""
    run = made(
        reason="so far so good",
        metadata={"owner": "ann", "mosaicml/training_progress": "[epoch=1/3]"},
        submitted_config=RunConfig("bert", image="bash", command="true"),
        lifecycle=[RunLifecycle(0, RunStatus.RUNNING, BEGAN)],
    )
    card = run._repr_html_()
    for shown in (
        "Running",
        "so far so good",
        "16x a100_80gb",
        "[epoch=1/3]",
        "owner: ann",
        "image: bash",
        "3h",
    ):
        assert shown in card


def test_nothing_of_a_run_is_taken_for_html() -> None:
    """Names, reasons and metadata are other people's texts."""
    evil = "<script>alert(1)</script>"
    run = made(evil, reason=evil, cluster=evil, metadata={evil: evil}, image=evil, created_by=evil)
    assert "<script" not in run._repr_html_()
    assert "<script" not in ObjectList([run, made()], Run)._repr_html_()


def test_a_table_of_runs_has_few_columns_and_counts() -> None:
    """Whose they are is told where they are of several people."""
    one = ObjectList([made(), made(status=RunStatus.FAILED)], Run)._repr_html_()
    assert 7 == one.count("<th>")
    assert "2 runs: 1 running, 1 failed." in one
    both = ObjectList([made(), made(created_by="bob@example.com")], Run)._repr_html_()
    assert 8 == both.count("<th>")


def test_no_runs_are_told_as_such() -> None:
    """An empty list is not an empty table."""
    assert "No runs." in ObjectList([], Run)._repr_html_()


def test_more_pages_are_told() -> None:
    """Where the platform has more, the table says how to get it."""
    pages = mcli.PaginatedObjectList([made()], Run, lambda: ..., lambda _: {})
    assert "next_page()" in pages._repr_html_()


def test_a_cluster_is_a_card() -> None:
    """Its instances are rows."""
    cluster = ClusterDetails("c1", "id", "OCI", cluster_instances=[Instance("i8", "a100_80gb", 8, 4)])
    card = cluster._repr_html_()
    assert all(shown in card for shown in ("c1", "OCI", "i8", "8x a100_80gb"))


def test_a_status_does_not_need_colour() -> None:
    """What is not yet at work has a hollow dot."""
    assert re.search(r'class="status hollow"[^>]*>Queued', made(status=RunStatus.QUEUED)._repr_html_())
    assert "status hollow" not in made()._repr_html_()
