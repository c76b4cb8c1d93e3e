"""Who starts, who waits, who makes free."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.scheduling import scheduler
from mcli.platform.scheduling.capacity import shared_ranks
from mcli.platform.scheduling.cluster import Cluster, Instance, Node, _cluster, virtual
from mcli.platform.scheduling.demand import resolve
from mcli.platform.scheduling.priorities import PRIORITIES
from mcli.platform.scheduling.scheduler import Placed, Plan, Start, Waiting, plan

START = datetime(2024, 6, 1, tzinfo=UTC)
CLUSTER = virtual(2, 8)


def waiting(
    name: str,
    *,
    age: int = 0,
    priority: str = "auto",
    preemptible: bool = False,
    on: Cluster = CLUSTER,
    **compute: object,
) -> Waiting:
    """Make a run that waits for `age` seconds."""
    demand = resolve({"compute": compute}, on)
    return Waiting(name, demand, priority, preemptible, START - timedelta(seconds=age))


def placed(run: Waiting, start: Start, *, leaving: bool = False) -> Placed:
    """Give `run` the nodes that a plan has given it."""
    return Placed(
        run.run_id,
        run.demand,
        run.priority,
        run.preemptible,
        run.created_at,
        start.nodes,
        start.gpu_indices,
        leaving=leaving,
    )


def placed_at(run: Waiting, node: str, *gpus: int) -> Placed:
    """Give `run` these GPUs of a node."""
    return placed(run, Start(run.run_id, (node,), (gpus,)))


def machines(count: int, cpus: int = 8) -> Cluster:
    """Make nodes with 8 GPUs each."""
    nodes = [Node(f"node-{rank}", 8, cpus, memory_bytes=1, disk_bytes=1) for rank in range(count)]
    return _cluster(tuple(nodes), "a100_80gb", "LOCAL_VIRTUAL")


def running(*runs: Waiting, on: Cluster = CLUSTER, leaving: bool = False) -> list[Placed]:
    """Start runs one after the other; all must fit."""
    state: list[Placed] = []
    for run in runs:
        (start,) = plan(on, [run], state).starts
        state.append(placed(run, start, leaving=leaving))
    return state


def started(decision: Plan) -> list[str]:
    return [start.run_id for start in decision.starts]


@st.composite
def demands(draw: st.DrawFn) -> dict[str, object]:
    gpus = draw(st.sampled_from([0, 0, 1, 2, 4, 8, 16]))
    return {"gpus": gpus, "cpus": draw(st.integers(0, CLUSTER.nodes[0].cpus))}


@st.composite
def runs(draw: st.DrawFn, prefix: str, most: int) -> list[Waiting]:
    return [
        waiting(
            f"{prefix}{number}",
            age=draw(st.integers(0, 5)),
            priority=draw(st.sampled_from(sorted(PRIORITIES))),
            preemptible=draw(st.booleans()),
            **draw(demands()),
        )
        for number in range(draw(st.integers(0, most)))
    ]


@st.composite
def states(draw: st.DrawFn) -> tuple[list[Waiting], list[Placed]]:
    """Draw runs that wait, beside runs that an earlier plan has placed; some of these are leaving."""
    before = draw(runs("p", 8))
    by_name = {run.run_id: run for run in before}
    starts = plan(CLUSTER, before, []).starts
    there = [placed(by_name[start.run_id], start, leaving=draw(st.booleans())) for start in starts]
    return draw(runs("w", 8)), there


def after(waiting_runs: list[Waiting], there: list[Placed], decision: Plan) -> list[Placed]:
    by_name = {run.run_id: run for run in waiting_runs}
    return [*there, *(placed(by_name[start.run_id], start) for start in decision.starts)]


def still_waiting(waiting_runs: list[Waiting], decision: Plan) -> list[Waiting]:
    """Give those who do not start yet, with what is set aside for them."""
    begun = started(decision)
    return [
        replace(run, claim=decision.claims.get(run.run_id, ()))
        for run in waiting_runs
        if run.run_id not in begun
    ]


@given(states())
def test_no_resource_is_given_twice(state: tuple[list[Waiting], list[Placed]]) -> None:
    """No GPU, reserved CPU or shared place of a node is ever over-committed."""
    waiting_runs, there = state
    used: Counter[object] = Counter()
    for run in after(waiting_runs, there, plan(CLUSTER, waiting_runs, there)):
        for name, gpus in zip(run.nodes, run.gpu_indices, strict=True):
            used.update((name, "gpu", index) for index in gpus)
            used[name, "cpus"] += run.demand.cpus
            used[name, "ranks"] += not run.demand.cpus and not run.demand.gpus
    for node in CLUSTER.nodes:
        assert all(used[node.name, "gpu", index] <= 1 for index in range(node.gpus))
        assert used[node.name, "cpus"] <= node.cpus
        assert used[node.name, "ranks"] <= shared_ranks(node.cpus)


@given(states())
def test_gangs_start_whole(state: tuple[list[Waiting], list[Placed]]) -> None:
    """A run that starts has all its nodes, each another one, and its GPUs on each."""
    waiting_runs, there = state
    demands_by_name = {run.run_id: run.demand for run in waiting_runs}
    for start in plan(CLUSTER, waiting_runs, there).starts:
        demand = demands_by_name[start.run_id]
        assert demand.nodes == len(set(start.nodes)) == len(start.gpu_indices)
        assert {demand.gpus_per_node} == {len(set(gpus)) for gpus in start.gpu_indices}


@given(states())
def test_each_run_starts_or_is_told_why_not(state: tuple[list[Waiting], list[Placed]]) -> None:
    """Every waiting run either starts or has a reason."""
    waiting_runs, there = state
    decision = plan(CLUSTER, waiting_runs, there)
    assert {run.run_id for run in waiting_runs} == {*started(decision), *decision.reasons}
    assert not set(started(decision)) & set(decision.reasons)
    assert all(decision.reasons.values())


@given(states(), st.randoms(use_true_random=False))
def test_plans_are_deterministic(state: tuple[list[Waiting], list[Placed]], random: object) -> None:
    """The order in which runs are listed does not change the plan."""
    waiting_runs, there = state
    decision = plan(CLUSTER, waiting_runs, there)
    random.shuffle(waiting_runs)  # type: ignore[attr-defined]  # hypothesis types it as object's kin
    random.shuffle(there)  # type: ignore[attr-defined]  # as above
    assert decision == plan(CLUSTER, waiting_runs, there)


@given(states())
def test_only_lower_preemptible_runs_are_preempted(state: tuple[list[Waiting], list[Placed]]) -> None:
    """A victim is preemptible, not leaving already, of strictly lower priority, and named once."""
    waiting_runs, there = state
    victims = {run.run_id: run for run in there}
    takers = {run.run_id: run for run in waiting_runs}
    decision = plan(CLUSTER, waiting_runs, there)
    assert len(decision.preempt) == len({victim for victim, _ in decision.preempt})
    for victim, taker in decision.preempt:
        assert victims[victim].preemptible
        assert not victims[victim].leaving
        assert PRIORITIES[victims[victim].priority] < PRIORITIES[takers[taker].priority]


@given(states())
def test_one_run_preempts_as_few_as_possible(state: tuple[list[Waiting], list[Placed]]) -> None:
    """No smaller set of lower preemptible runs would have made room for a run that comes alone."""
    waiting_runs, there = state
    staying = [other for other in there if not other.leaving]
    for run in waiting_runs:
        victims = plan(CLUSTER, [run], there).preempt
        lower = [
            other
            for other in staying
            if other.preemptible and PRIORITIES[other.priority] < PRIORITIES[run.priority]
        ]
        for few in combinations(lower, len(victims) - 1) if victims else ():
            rest = [other for other in staying if other not in few]
            assert not plan(CLUSTER, [run], rest).starts


@given(states())
def test_victims_make_enough_room(state: tuple[list[Waiting], list[Placed]]) -> None:
    """Once those who leave and the victims are gone, the runs they made room for start."""
    waiting_runs, there = state
    decision = plan(CLUSTER, waiting_runs, there)
    gone = {victim for victim, _ in decision.preempt}
    staying = [run for run in there if run.run_id not in gone and not run.leaving]
    later = after(waiting_runs, staying, decision)
    still = still_waiting(waiting_runs, decision)
    assert {taker for _, taker in decision.preempt} <= set(started(plan(CLUSTER, still, later)))


def test_each_gets_what_was_set_aside_for_it() -> None:
    """A run that could start elsewhere by now takes the place that it was promised, and leaves others theirs."""
    on = machines(2, cpus=2)

    def leaves(name: str) -> Placed:
        return placed(waiting(name, cpus=1, gpus=0, on=on), Start(name, ("node-0",), ((),)), leaving=True)

    there = [
        placed_at(waiting("a", gpus=8), "node-0", *range(8)),
        placed_at(waiting("low", priority="low", preemptible=True, cpus=1, gpus=0, on=on), "node-1"),
        placed_at(waiting("b", cpus=1, gpus=0, on=on), "node-1"),
    ]
    line = [waiting("first", age=1, cpus=1, gpus=0, on=on), waiting("second", cpus=1, gpus=1, on=on)]
    decision = plan(on, line, [leaves("c"), leaves("d"), *there])
    assert decision.claims == {"first": ("node-0",), "second": ("node-1",)}
    promised = still_waiting(line, decision)
    going = [leaves("c"), leaves("d"), *(replace(run, leaving=run.run_id == "low") for run in there)]
    assert (plan(on, promised, going).starts, plan(on, promised, going).claims) == ((), decision.claims)
    then = plan(on, promised, [run for run in there if run.run_id != "low"])
    assert {start.run_id: start.nodes for start in then.starts} == decision.claims


@given(states())
def test_victims_that_leave_are_not_replaced(state: tuple[list[Waiting], list[Placed]]) -> None:
    """Planning again while the victims are still leaving preempts nobody else."""
    waiting_runs, there = state
    decision = plan(CLUSTER, waiting_runs, there)
    gone = {victim for victim, _ in decision.preempt}
    leaving = [
        replace(run, leaving=True) if run.run_id in gone else run
        for run in after(waiting_runs, there, decision)
    ]
    takers = {taker for _, taker in decision.preempt}
    still = [run for run in still_waiting(waiting_runs, decision) if run.run_id in takers]
    assert plan(CLUSTER, still, leaving).preempt == ()


@given(runs("w", 10))
def test_nobody_is_passed_by_an_equal(waiting_runs: list[Waiting]) -> None:
    """Of runs alike in request, priority and preemptibility, those that start are the oldest."""
    begun = set(started(plan(CLUSTER, waiting_runs, [])))
    for one, other in combinations(sorted(waiting_runs, key=lambda run: (run.created_at, run.run_id)), 2):
        alike = replace(one, run_id="", created_at=START) == replace(other, run_id="", created_at=START)
        assert not alike or one.run_id in begun or other.run_id not in begun


@given(states())
def test_the_head_is_not_kept_from_its_nodes(state: tuple[list[Waiting], list[Placed]]) -> None:
    """When all who ran before have ended, the first run in line starts, whoever has overtaken it."""
    waiting_runs, there = state
    if not waiting_runs:
        return
    decision = plan(CLUSTER, waiting_runs, there)
    head = min(waiting_runs, key=lambda run: (-PRIORITIES[run.priority], run.created_at, run.run_id))
    if head.run_id in started(decision):
        return
    overtakers = after(waiting_runs, [], decision)
    then = plan(CLUSTER, [head], overtakers)
    assert [head.run_id] == [*started(then), *{taker for _, taker in then.preempt}]


def test_priority_comes_before_age() -> None:
    """Of two runs that want the whole cluster, the one of higher priority starts, though it is younger."""
    old, urgent = waiting("old", age=9, gpus=16), waiting("urgent", priority="high", gpus=16)
    assert started(plan(CLUSTER, [old, urgent], [])) == ["urgent"]


def test_age_decides_among_equals() -> None:
    """Of two equal runs the older starts; `auto` and `medium` are equal."""
    young, old = waiting("young", gpus=16), waiting("old", age=1, priority="medium", gpus=16)
    assert started(plan(CLUSTER, [young, old], [])) == ["old"]


def test_small_runs_pass_where_the_head_does_not_wait() -> None:
    """A run that cannot start is overtaken on a node that is not held for it."""
    there = running(waiting("a", gpus=4), waiting("b", gpus=8))
    decision = plan(CLUSTER, [waiting("head", age=1, gpus=8), waiting("cpu", gpus=0)], there)
    assert started(decision) == ["cpu"]


def test_a_held_node_takes_nobody_who_stays() -> None:
    """Free GPUs of the node that the head waits for are kept from a later run that could not be sent away."""
    there = running(waiting("a", gpus=4), waiting("b", gpus=8))
    decision = plan(CLUSTER, [waiting("head", age=1, gpus=8), waiting("late", gpus=2)], there)
    assert started(decision) == []
    assert "earlier run" in decision.reasons["late"]


def test_a_held_node_takes_guests() -> None:
    """A preemptible run of lower priority uses what is held for the head meanwhile."""
    there = running(waiting("a", gpus=4), waiting("b", gpus=8))
    guest = waiting("guest", priority="low", preemptible=True, gpus=2)
    assert started(plan(CLUSTER, [waiting("head", age=1, gpus=8), guest], there)) == ["guest"]


def test_the_youngest_of_the_lowest_is_preempted() -> None:
    """Among runs that would each make room, the lowest priority goes, and of these the youngest."""
    there = running(
        waiting("low", priority="low", preemptible=True, gpus=4),
        waiting("old", age=9, priority="lowest", preemptible=True, gpus=4),
        waiting("young", age=1, priority="lowest", preemptible=True, gpus=4),
        waiting("firm", priority="lowest", gpus=4),
    )
    assert plan(CLUSTER, [waiting("vip", priority="high", gpus=4)], there).preempt == (("young", "vip"),)


def test_equal_priority_preempts_nobody() -> None:
    """A run waits for preemptible runs of its own priority."""
    there = running(waiting("a", preemptible=True, gpus=16))
    decision = plan(CLUSTER, [waiting("b", gpus=1)], there)
    assert decision.preempt == ()
    assert decision.reasons["b"] == "Waiting for 1 GPU (a100_80gb): 1 GPU short. Position 1 in the queue."


def test_cpu_runs_share_a_node_up_to_a_number_of_ranks() -> None:
    """Runs that reserve nothing spread over the nodes until each has as many ranks as it may have."""
    places = 2 * shared_ranks(CLUSTER.nodes[0].cpus)
    crowd = [waiting(f"r{number:03}", gpus=0) for number in range(places + 1)]
    decision = plan(CLUSTER, crowd, [])
    assert places == len(decision.starts)
    assert len(set(Counter(start.nodes for start in decision.starts).values()) | {0}) == 2


def test_named_nodes_are_used_in_the_order_named() -> None:
    """A run that names its nodes gets these, rank by rank."""
    run = waiting("a", nodeNames=["node-1", "node-0"])
    assert plan(CLUSTER, [run], []).starts[0].nodes == ("node-1", "node-0")


def test_a_run_that_the_cluster_can_no_longer_hold_waits_and_holds_nothing() -> None:
    """After the cluster has shrunk, a run too large for it is told so and blocks nobody."""
    smaller: Cluster = virtual(1, 8)
    decision = plan(smaller, [waiting("large", age=1, gpus=16), waiting("small", gpus=8)], [])
    assert started(decision) == ["small"]
    assert "no longer" in decision.reasons["large"]


# What is held


@pytest.mark.parametrize("priority", ["auto", "high"])
def test_the_node_is_held_that_is_nearest_to_being_free(priority: str) -> None:
    """What runs of lower priority could free counts, what others have does not: the rest is for later runs."""
    there = [
        placed_at(waiting("firm", gpus=4), "node-0", 0, 1, 2, 3),
        placed_at(waiting("low", priority="low", preemptible=True, gpus=4), "node-0", 4, 5, 6, 7),
        placed_at(waiting("stays", priority=priority, preemptible=True, gpus=4), "node-1", 0, 1, 2, 3),
        placed_at(waiting("small", gpus=2), "node-1", 4, 5),
    ]
    assert started(plan(CLUSTER, [waiting("head", age=1, gpus=8), waiting("late", gpus=2)], there)) == [
        "late"
    ]


def test_only_the_first_in_line_has_nodes_held() -> None:
    """What nobody holds is for whoever fits in, though others who do not fit wait longer."""
    there = [placed_at(waiting(f"r{rank}", gpus=4), f"node-{rank}", 0, 1, 2, 3) for rank in (0, 1)]
    line = [
        waiting("first", age=2, gpus=8),
        waiting("second", age=1, gpus=8, cpus=1),
        waiting("third", gpus=2),
    ]
    assert started(plan(CLUSTER, line, there)) == ["third"]


@pytest.mark.parametrize(("priority", "preemptible"), [("high", True), ("low", False)])
def test_guests_must_be_movable_and_of_lower_priority(priority: str, preemptible: bool) -> None:
    """On a held node nobody starts who could not be sent away by whom it is held for."""
    there = running(waiting("a", gpus=4), waiting("b", gpus=8))
    late = waiting("late", priority=priority, preemptible=preemptible, gpus=2)
    assert started(plan(CLUSTER, [waiting("head", age=1, priority="high", gpus=8), late], there)) == []


# Victims


@pytest.mark.parametrize(("compared", "victims"), [(2, ["a", "b"]), (3, ["c"]), (4, ["c"])])
def test_few_victims_are_found_while_there_are_few_sets(
    compared: int, victims: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest set is found by comparing all; where these are too many, one without a spare is taken."""
    monkeypatch.setattr(scheduler, "_COMPARED", compared)
    one = machines(1)
    there = running(
        waiting("b", age=1, priority="lowest", preemptible=True, gpus=2),
        waiting("a", priority="lowest", preemptible=True, gpus=2),
        waiting("c", priority="low", preemptible=True, gpus=4),
        on=one,
    )
    decision = plan(one, [waiting("vip", gpus=4)], there)
    assert [victim for victim, _ in decision.preempt] == victims
    count = "a run" if len(victims) == 1 else "2 runs"
    assert decision.reasons == {"vip": f"Waiting for {count} of lower priority to make room."}


# Reasons

EIGHT = machines(2)
SHORT_OF_GPUS = [
    placed_at(waiting("a", gpus=4), "node-0", 0, 1, 2, 3),
    placed_at(waiting("b", gpus=2), "node-0", 4, 5),
    placed_at(waiting("c", gpus=8), "node-1", *range(8)),
]
CPUS = [placed_at(waiting(f"r{rank}", cpus=4, gpus=0, on=EIGHT), f"node-{rank}") for rank in (0, 1)]
MORE_CPUS = [placed_at(waiting("r2", cpus=2, gpus=0, on=EIGHT), f"node-{rank}") for rank in (0, 1)]
CROWD = [
    placed_at(waiting(f"c{number}", gpus=0), f"node-{number % 2}") for number in range(2 * shared_ranks(8))
]


@pytest.mark.parametrize(
    ("there", "compute", "reason"),
    [
        (SHORT_OF_GPUS, {"gpus": 4}, "4 GPUs (a100_80gb): 2 GPUs short"),
        (SHORT_OF_GPUS, {"gpus": 16}, "2 nodes with 8 GPUs (a100_80gb) each: 0 of 2 free"),
        (SHORT_OF_GPUS[:2], {"gpus": 16}, "2 nodes with 8 GPUs (a100_80gb) each: 1 of 2 free"),
        (CPUS + MORE_CPUS, {"cpus": 4, "gpus": 0}, "4 CPUs: 2 CPUs short"),
        (CPUS + MORE_CPUS, {"cpus": 3, "gpus": 0}, "3 CPUs: 1 CPU short"),
        (CPUS + MORE_CPUS, {"cpus": 4, "gpus": 1}, "1 GPU (a100_80gb) and 4 CPUs: 2 CPUs short"),
        (CPUS + MORE_CPUS, {"cpus": 4, "gpus": 8}, "8 GPUs (a100_80gb) and 4 CPUs: 2 CPUs short"),
        (CROWD, {"gpus": 0}, "a place on a node: all are taken"),
        (CROWD + CPUS + CPUS, {"gpus": 0}, "a place on a node: all are taken"),
        (CROWD[:-1], {"gpus": 0, "nodes": 2}, "2 nodes with a place each: 1 of 2 free"),
    ],
)
def test_the_reason_says_what_is_lacking(
    there: list[Placed], compute: dict[str, object], reason: str
) -> None:
    """A run is told what it waits for, and how much the nearest node, or the cluster, is short of it."""
    decision = plan(EIGHT, [waiting("w", on=EIGHT, **compute)], there)
    assert decision.reasons == {"w": f"Waiting for {reason}. Position 1 in the queue."}


def test_the_reason_has_the_place_in_the_queue() -> None:
    """Who waits is numbered in the order in which they are considered."""
    there = running(waiting("a", gpus=16))
    line = [waiting("third", gpus=1), waiting("first", age=2, gpus=2), waiting("second", age=1, gpus=4)]
    reasons = plan(CLUSTER, line, there).reasons
    places = [reasons[name].rpartition("Position ")[2] for name in ("first", "second", "third")]
    assert places == [f"{place} in the queue." for place in (1, 2, 3)]


def test_who_fits_but_comes_later_is_told_so() -> None:
    """Nothing is lacking where all that is free is held for an earlier run."""
    there = [placed_at(waiting(f"r{rank}", gpus=4), f"node-{rank}", 0, 1, 2, 3) for rank in (0, 1)]
    decision = plan(CLUSTER, [waiting("head", age=1, gpus=16), waiting("late", gpus=2)], there)
    assert decision.reasons["late"] == (
        "Waiting for an earlier run that needs the same nodes first. Position 2 in the queue."
    )


@pytest.mark.parametrize("kinds", [("a100_80gb", "h100_80gb"), ("h100_80gb", "a100_80gb")])
def test_each_kind_of_machine_has_its_own_nodes(kinds: tuple[str, str]) -> None:
    """A run starts on a node of the kind that it asks for, wherever that stands in the cluster."""

    def instance(kind: str) -> Instance:
        node = replace(EIGHT.nodes[0], name=f"node-{kind}")
        return replace(EIGHT.instances[0], name=kind, gpu_type=kind, gpu_nums=(8,), nodes=(node,))

    mixed = replace(EIGHT, instances=tuple(map(instance, kinds)))
    for kind in kinds:
        decision = plan(mixed, [waiting("w", on=mixed, gpuType=kind, gpus=8)], [])
        assert [start.nodes for start in decision.starts] == [(f"node-{kind}",)]
