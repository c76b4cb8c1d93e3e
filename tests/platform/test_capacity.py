"""What is left of nodes, who fits in, and where."""

from dataclasses import replace

import pytest

from mcli.platform.scheduling.capacity import Room, choose, compete, copy_rooms, shared_ranks, shares
from mcli.platform.scheduling.cluster import Node
from mcli.platform.scheduling.demand import Demand

SHARING = Demand(cluster="local", instance="cpu", gpu_type="none", gpus=0, gpus_per_node=0, nodes=1, cpus=0)
CPUS = replace(SHARING, cpus=2)
GPUS = replace(SHARING, gpu_type="a100_80gb", gpus=2, gpus_per_node=2)
BOTH = replace(GPUS, cpus=2)


def room(gpus: int = 4, cpus: int = 4, ranks: int = 4) -> Room:
    return Room(set(range(gpus)), cpus, ranks)


@pytest.mark.parametrize(("cpus", "ranks"), [(1, 16), (2, 16), (4, 16), (5, 20), (64, 256)])
def test_four_ranks_share_a_cpu_but_sixteen_always_fit(cpus: int, ranks: int) -> None:
    """A small node takes 16 ranks that reserve nothing, a larger one four for each CPU."""
    assert ranks == shared_ranks(cpus)


def test_an_empty_node_has_all_of_its_room() -> None:
    """A room begins as its node."""
    assert Room({0, 1}, 5, 20) == Room.of(Node("node-0", gpus=2, cpus=5, memory_bytes=1, disk_bytes=1))


@pytest.mark.parametrize(
    ("demand", "expected"), [(SHARING, True), (CPUS, False), (GPUS, False), (BOTH, False)]
)
def test_who_reserves_nothing_shares(demand: Demand, expected: bool) -> None:
    """A run that asks for neither GPUs nor CPUs shares its node."""
    assert expected is shares(demand)


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
    assert expected is compete(one, other) is compete(other, one)


@pytest.mark.parametrize(
    ("demand", "least"),
    [
        (SHARING, room(0, 0, 1)),
        (CPUS, room(0, 2, 0)),
        (GPUS, room(2, 0, 0)),
        (BOTH, room(2, 2, 0)),
    ],
)
def test_a_room_holds_what_it_has_just_enough_for(demand: Demand, least: Room) -> None:
    """A run fits where there is what it asks for, and no longer when it is there itself; then it gives it back."""
    assert least.holds(demand)
    before, gpus = least.copy(), set(range(demand.gpus_per_node))
    least.take(demand, gpus)
    assert room(0, 0, 0) == least
    assert not least.holds(demand)
    least.give(demand, gpus)
    assert before == least


def test_a_room_without_cpus_left_takes_who_reserves_none() -> None:
    """More CPUs promised than there are, after a change of the cluster, hinder only those who want some."""
    assert room(cpus=-1).holds(GPUS)
    assert room(cpus=-1).holds(SHARING)
    assert not room(cpus=-1).holds(CPUS)
    assert not room(ranks=-1).holds(SHARING)


def test_a_copy_is_another_room() -> None:
    """What happens to a copy of rooms does not happen to them."""
    rooms = {"a": room()}
    copy_rooms(rooms)["a"].take(BOTH, {0, 1})
    assert {"a": room()} == rooms


@pytest.mark.parametrize(
    ("demand", "rooms", "chosen"),
    [
        (SHARING, {"a": room(ranks=2), "b": room(ranks=3), "c": room(ranks=1)}, "b"),
        (SHARING, {"a": room(ranks=2), "b": room(cpus=9), "c": room(gpus=9)}, "b"),
        (GPUS, {"a": room(gpus=4), "b": room(gpus=3), "c": room(gpus=8)}, "b"),
        (GPUS, {"a": room(gpus=2, cpus=4), "b": room(gpus=2, cpus=3), "c": room(gpus=1)}, "b"),
        (GPUS, {"a": room(gpus=3, cpus=1), "b": room(gpus=2, cpus=9), "c": room(gpus=1)}, "b"),
        (CPUS, {"a": room(cpus=4), "b": room(gpus=9, cpus=3), "c": room(gpus=1, cpus=8)}, "b"),
        (CPUS, {"a": room(cpus=1), "b": room(cpus=2), "c": room(cpus=0)}, "b"),
        (replace(CPUS, nodes=2), {"a": room(cpus=3), "b": room(cpus=9), "c": room(cpus=2)}, "ac"),
        (replace(CPUS, nodes=2), {"c": room(cpus=3), "b": room(cpus=9), "a": room(cpus=2)}, "ca"),
        (replace(CPUS, nodes=3), {"a": room(), "b": room(), "c": room()}, "abc"),
        (replace(CPUS, nodes=2), {"a": room(), "b": room(cpus=1), "c": room(cpus=1)}, ""),
    ],
)
def test_the_tightest_fit_is_chosen_but_who_shares_is_spread(
    demand: Demand, rooms: dict[str, Room], chosen: str
) -> None:
    """Large rooms are spared for those who need them; the order of nodes is that of the cluster."""
    assert tuple(chosen) == choose(demand, rooms, list(rooms))


def test_only_nodes_that_are_allowed_are_chosen() -> None:
    """A node that is held for another run is no choice."""
    assert ("b",) == choose(CPUS, {"a": room(cpus=2), "b": room()}, ["b"])
