"""What is left of nodes, who fits in, and where."""

from dataclasses import replace

import pytest

from mcli.platform.scheduling.capacity import Free, choose, conflict, copy_capacity, is_shared, shared_ranks
from mcli.platform.scheduling.cluster import Node
from mcli.platform.scheduling.demand import Demand

SHARING = Demand(cluster="local", instance="cpu", gpu_type="none", gpus=0, gpus_per_node=0, nodes=1, cpus=0)
CPUS = replace(SHARING, cpus=2)
GPUS = replace(SHARING, gpu_type="a100_80gb", gpus=2, gpus_per_node=2)
BOTH = replace(GPUS, cpus=2)


def free(gpus: int = 4, cpus: int = 4, ranks: int = 4) -> Free:
    return Free(set(range(gpus)), cpus, ranks)


@pytest.mark.parametrize(("cpus", "ranks"), [(1, 16), (2, 16), (4, 16), (5, 20), (64, 256)])
def test_four_ranks_share_a_cpu_but_sixteen_always_fit(cpus: int, ranks: int) -> None:
    """A small node takes 16 ranks that reserve nothing, a larger one four for each CPU."""
    assert ranks == shared_ranks(cpus)


def test_an_empty_node_has_all_of_its_room() -> None:
    """What is free of an unused node is the node."""
    assert Free({0, 1}, 5, 20) == Free.of(Node("node-0", gpus=2, cpus=5, memory_bytes=1, disk_bytes=1))


@pytest.mark.parametrize(
    ("demand", "expected"), [(SHARING, True), (CPUS, False), (GPUS, False), (BOTH, False)]
)
def test_who_reserves_nothing_shares(demand: Demand, expected: bool) -> None:
    """A run that asks for neither GPUs nor CPUs shares its node."""
    assert expected is is_shared(demand)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (SHARING, SHARING, True),
        (CPUS, CPUS, True),
        (GPUS, GPUS, True),
        (BOTH, GPUS, True),
        (BOTH, CPUS, True),
        (GPUS, CPUS, False),
        (SHARING, CPUS, False),
        (SHARING, GPUS, False),
    ],
)
def test_runs_compete_for_what_both_take(one: Demand, other: Demand, expected: bool) -> None:
    """Two runs are in each other's way where both take GPUs, CPUs or shared places, whoever comes first."""
    assert expected is conflict(one, other) is conflict(other, one)


@pytest.mark.parametrize(
    ("demand", "least"),
    [
        (SHARING, free(0, 0, 1)),
        (CPUS, free(0, 2, 0)),
        (GPUS, free(2, 0, 0)),
        (BOTH, free(2, 2, 0)),
    ],
)
def test_a_room_holds_what_it_has_just_enough_for(demand: Demand, least: Free) -> None:
    """A run fits where there is what it asks for, and no longer when it is there itself; then it gives it back."""
    assert least.holds(demand)
    before, gpus = least.copy(), set(range(demand.gpus_per_node))
    least.take(demand, gpus)
    assert free(0, 0, 0) == least
    assert not least.holds(demand)
    least.give(demand, gpus)
    assert before == least


def test_a_room_without_cpus_left_takes_who_reserves_none() -> None:
    """More CPUs promised than there are, after a change of the cluster, hinder only those who want some."""
    assert free(cpus=-1).holds(GPUS)
    assert free(cpus=-1).holds(SHARING)
    assert not free(cpus=-1).holds(CPUS)
    assert not free(ranks=-1).holds(SHARING)


def test_a_copy_is_another_room() -> None:
    """What happens to a copy of capacity does not happen to them."""
    capacity = {"a": free()}
    copy_capacity(capacity)["a"].take(BOTH, {0, 1})
    assert {"a": free()} == capacity


@pytest.mark.parametrize(
    ("demand", "capacity", "chosen"),
    [
        (SHARING, {"a": free(ranks=2), "b": free(ranks=3), "c": free(ranks=1)}, "b"),
        (SHARING, {"a": free(ranks=2), "b": free(cpus=9), "c": free(gpus=9)}, "b"),
        (GPUS, {"a": free(gpus=4), "b": free(gpus=3), "c": free(gpus=8)}, "b"),
        (GPUS, {"a": free(gpus=2, cpus=4), "b": free(gpus=2, cpus=3), "c": free(gpus=1)}, "b"),
        (GPUS, {"a": free(gpus=3, cpus=1), "b": free(gpus=2, cpus=9), "c": free(gpus=1)}, "b"),
        (CPUS, {"a": free(cpus=4), "b": free(gpus=9, cpus=3), "c": free(gpus=1, cpus=8)}, "b"),
        (CPUS, {"a": free(cpus=1), "b": free(cpus=2), "c": free(cpus=0)}, "b"),
        (replace(CPUS, nodes=2), {"a": free(cpus=3), "b": free(cpus=9), "c": free(cpus=2)}, "ac"),
        (replace(CPUS, nodes=2), {"c": free(cpus=3), "b": free(cpus=9), "a": free(cpus=2)}, "ca"),
        (replace(CPUS, nodes=3), {"a": free(), "b": free(), "c": free()}, "abc"),
        (replace(CPUS, nodes=2), {"a": free(), "b": free(cpus=1), "c": free(cpus=1)}, ""),
    ],
)
def test_the_tightest_fit_is_chosen_but_who_shares_is_spread(
    demand: Demand, capacity: dict[str, Free], chosen: str
) -> None:
    """Large capacity are spared for those who need them; the order of nodes is that of the cluster."""
    assert tuple(chosen) == choose(demand, capacity, list(capacity))


def test_only_nodes_that_are_allowed_are_chosen() -> None:
    """A node that is held for another run is no choice."""
    assert ("b",) == choose(CPUS, {"a": free(cpus=2), "b": free()}, ["b"])
