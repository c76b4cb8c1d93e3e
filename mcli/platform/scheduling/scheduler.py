"""Who starts, who waits and why, who is preempted: a pure function of the cluster and its runs.

What it promises:

* All ranks of a run start together or none does. No GPU, reserved CPU or rank's place is given twice.
* Runs are considered by priority, then by age. What a run gets, or is about to get because others make room
  for it, no later one is given; nor an earlier one in the next plan, if that has a place of its own.
* A run that cannot start may be overtaken. But for the first such run of each instance nodes are held, those
  nearest to being free: what it waits for there is given to nobody after it, except to preemptible runs of
  lower priority, whom it can send away. So those after it cannot keep it waiting for ever.
* Only preemptible runs of strictly lower priority are preempted, only when the run then has all it needs, and
  none who could have stayed. They are as few as can be while there are few sets to compare; beyond that a set
  from which none can be spared. The lowest priority goes first, then the youngest.
* Equal states give equal plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from math import comb

from mcli.platform.scheduling.capacity import Capacity, Free, choose, conflict, copy_capacity
from mcli.platform.scheduling.cluster import Cluster
from mcli.platform.scheduling.demand import Demand
from mcli.platform.scheduling.priorities import PRIORITIES

__all__ = ["Placed", "Plan", "Start", "Waiting", "plan"]

_COMPARED = 2000
"""Sets of victims that are compared before a set without a spare one is good enough."""


@dataclass(frozen=True)
class Waiting:
    """A run that wants to start."""

    run_id: str
    demand: Demand
    priority: str
    preemptible: bool
    created_at: datetime
    claim: tuple[str, ...] = ()
    """Nodes that an earlier plan set aside for it; empty when none did."""


@dataclass(frozen=True)
class Placed:
    """A run that has nodes."""

    run_id: str
    demand: Demand
    priority: str
    preemptible: bool
    started_at: datetime
    nodes: tuple[str, ...]
    gpu_indices: tuple[tuple[int, ...], ...]
    """GPUs of the run on each of `nodes`."""
    leaving: bool
    """Whether the run is being stopped, so that its nodes are free soon."""


@dataclass(frozen=True)
class Start:
    """A run to start now, rank by rank."""

    run_id: str
    nodes: tuple[str, ...]
    gpu_indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Plan:
    """What to do now."""

    starts: tuple[Start, ...]
    preempt: tuple[tuple[str, str], ...]
    """Pairs of the run to stop and the run that it makes room for."""
    claims: Mapping[str, tuple[str, ...]]
    """Nodes set aside for runs that wait until others have left them, so that the next plan gives each its own."""
    reasons: Mapping[str, str]
    """Why each of the other runs waits, for people."""


def plan(cluster: Cluster, waiting: Sequence[Waiting], placed: Sequence[Placed]) -> Plan:
    """Decide who starts and who is preempted; every other waiting run gets a reason."""
    planner = _Planner(cluster, placed)
    for run in sorted(waiting, key=lambda run: (-_rank(run), run.created_at, run.run_id)):
        planner.consider(run)
    return Plan(tuple(planner.starts), tuple(planner.preempt), planner.claims, planner.reasons)


def _rank(run: Waiting | Placed) -> int:
    return PRIORITIES.get(run.priority, PRIORITIES["auto"])


@dataclass
class _Planner:
    """The state of one plan while it is made."""

    cluster: Cluster
    placed: Sequence[Placed]
    starts: list[Start] = field(default_factory=list)
    preempt: list[tuple[str, str]] = field(default_factory=list)
    claims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.whole = {node.name: Free.of(node) for node in self.cluster.nodes}
        self.now = copy_capacity(self.whole)
        for run in self.placed:
            for name, gpus in zip(run.nodes, run.gpu_indices, strict=True):
                if name in self.now:
                    self.now[name].take(run.demand, gpus)
        # what is free once those who are leaving have left: always at least what is free now
        self.soon = _release(copy_capacity(self.now), (run for run in self.placed if run.leaving))
        self.movable = sorted(
            (run for run in self.placed if run.preemptible and not run.leaving),
            key=lambda run: (_rank(run), -run.started_at.timestamp(), run.run_id),
        )
        self.reserved_for: dict[str, list[Waiting]] = {}
        self.first_blocked: set[str] = set()
        self.known_blocked: set[tuple[Demand, int, bool]] = set()

    def consider(self, run: Waiting) -> None:
        kind = (run.demand, _rank(run), run.preemptible)
        if not self._is_possible(run.demand):
            self.reasons[run.run_id] = (
                f"Cluster {self.cluster.name!r} no longer has the nodes that the run asks for."
            )
            return
        if kind in self.known_blocked:  # another like it waits already, and nothing has been freed since
            self.reasons[run.run_id] = self._explain(run)
            return
        allowed = self._allowed(run)
        if nodes := _choose(run, self.now, allowed):
            self._start(run, nodes)
        elif nodes := _choose(run, self.soon, allowed):
            self._claim(run, nodes)
            self.reasons[run.run_id] = "Waiting for runs to end that are being stopped."
        elif victims := self._victims(run, allowed):
            self._evict(run, victims, allowed)
        else:
            self.known_blocked.add(kind)
            self.reasons[run.run_id] = self._explain(run)
            self._hold(run, allowed)

    def _allowed(self, run: Waiting) -> list[str]:
        """List the nodes of the run's instance that are not held against it."""
        return [
            name
            for name in self._nodes(run.demand)
            if not any(_blocks(holder, run) for holder in self.reserved_for.get(name, ()))
        ]

    def _nodes(self, demand: Demand) -> list[str]:
        for instance in self.cluster.instances:
            if instance.name == demand.instance:
                names = [node.name for node in instance.nodes]
                return [name for name in demand.node_names if name in names] if demand.node_names else names
        return []

    def _start(self, run: Waiting, nodes: tuple[str, ...]) -> None:
        indices = tuple(tuple(sorted(self.now[name].gpus)[: run.demand.gpus_per_node]) for name in nodes)
        for name, gpus in zip(nodes, indices, strict=True):
            self.now[name].take(run.demand, gpus)
            self.soon[name].take(run.demand, gpus)
        self.starts.append(Start(run.run_id, nodes, indices))

    def _claim(self, run: Waiting, nodes: tuple[str, ...]) -> None:
        """Set aside what becomes free for a run, at the cost of what is free now only as far as needed."""
        self.claims[run.run_id] = nodes
        for name in nodes:
            now, soon = self.now[name], self.soon[name]
            gpus = sorted(soon.gpus, key=lambda index: (index in now.gpus, index))[: run.demand.gpus_per_node]
            soon.take(run.demand, gpus)
            now.gpus.difference_update(gpus)
            now.cpus, now.ranks = min(now.cpus, soon.cpus), min(now.ranks, soon.ranks)

    def _victims(self, run: Waiting, allowed: Sequence[str]) -> tuple[Placed, ...]:
        """Find the fewest runs, lowest and youngest first, without whom the run would fit."""
        nodes = set(allowed)
        movable = [
            other
            for other in self.movable
            if _rank(other) < _rank(run) and nodes & set(other.nodes) and conflict(run.demand, other.demand)
        ]

        def suffices(victims: Iterable[Placed]) -> bool:
            capacity = copy_capacity({name: self.soon[name] for name in allowed})
            return bool(choose(run.demand, _release(capacity, victims), allowed))

        if not movable or not suffices(movable):
            return ()
        left = _COMPARED
        for count in range(1, len(movable)):
            left -= comb(len(movable), count)
            if left < 0:
                break
            for few in combinations(movable, count):
                if suffices(few):
                    return few
        return _minimal(movable, suffices)

    def _evict(self, run: Waiting, victims: tuple[Placed, ...], allowed: Sequence[str]) -> None:
        _release(self.soon, victims)
        self.movable = [other for other in self.movable if other not in victims]
        self.known_blocked.clear()
        self.preempt += [(victim.run_id, run.run_id) for victim in victims]
        self._claim(run, choose(run.demand, self.soon, allowed))
        count = "a run" if len(victims) == 1 else f"{len(victims)} runs"
        self.reasons[run.run_id] = f"Waiting for {count} of lower priority to make room."

    def _hold(self, run: Waiting, allowed: Sequence[str]) -> None:
        if run.demand.instance in self.first_blocked or len(allowed) < run.demand.nodes:
            return
        self.first_blocked.add(run.demand.instance)
        lower = [other for other in self.movable if _rank(other) < _rank(run)]
        capacity = _release(copy_capacity(self.soon), lower)
        nearest = sorted(allowed, key=lambda name: capacity[name].sort_key(run.demand), reverse=True)
        for name in nearest[: run.demand.nodes]:
            self.reserved_for.setdefault(name, []).append(run)

    def _explain(self, run: Waiting) -> str:
        demand, position = run.demand, len(self.reasons) + 1
        capacity = [self.now[name] for name in self._nodes(demand)]
        fitting = sum(free.holds(demand) for free in capacity)
        if fitting >= demand.nodes:
            why = "for an earlier run that needs the same nodes first"
        else:
            why = f"for {_words(demand)}: {_shortage(demand, capacity, fitting)}"
        return f"Waiting {why}. Position {position} in the queue."

    def _is_possible(self, demand: Demand) -> bool:
        """Whether the cluster could hold the run at all; it may have changed since the run was submitted."""
        return sum(self.whole[name].holds(demand) for name in self._nodes(demand)) >= demand.nodes


def _choose(run: Waiting, capacity: Capacity, allowed: Sequence[str]) -> tuple[str, ...]:
    """Choose nodes for a run, those that it was promised if they will do; empty if it does not fit."""
    if run.claim and all(name in allowed and capacity[name].holds(run.demand) for name in run.claim):
        return run.claim
    return choose(run.demand, capacity, allowed)


def _release(capacity: Capacity, runs: Iterable[Placed]) -> Capacity:
    for run in runs:
        for name, gpus in zip(run.nodes, run.gpu_indices, strict=True):
            if name in capacity:
                capacity[name].give(run.demand, gpus)
    return capacity


def _blocks(holder: Waiting, run: Waiting) -> bool:
    """Whether `run` would be in the way of `holder` on a node, and could not be sent away."""
    yields = run.preemptible and _rank(run) < _rank(holder)
    return conflict(run.demand, holder.demand) and not yields


def _minimal(victims: Sequence[Placed], suffices: Callable[[Iterable[Placed]], bool]) -> tuple[Placed, ...]:
    """Let stay whom we can, the highest and oldest first."""
    kept = list(victims)
    for victim in reversed(victims):
        fewer = [other for other in kept if other is not victim]
        if suffices(fewer):
            kept = fewer
    return tuple(kept)


def _words(demand: Demand) -> str:
    each = " and ".join(
        ([f"{_count(demand.gpus_per_node, 'GPU')} ({demand.gpu_type})"] if demand.gpus_per_node else [])
        + ([_count(demand.cpus, "CPU")] if demand.cpus else [])
    )
    if demand.nodes == 1:
        return each or "a place on a node"
    return f"{demand.nodes} nodes with {each or 'a place'} each"


def _shortage(demand: Demand, capacity: Sequence[Free], fitting: int) -> str:
    if demand.nodes > 1:
        return f"{fitting} of {demand.nodes} free"
    best = max(capacity, key=lambda free: free.sort_key(demand))
    if (gpus := demand.gpus_per_node - len(best.gpus)) > 0:
        return f"{_count(gpus, 'GPU')} short"
    if (cpus := demand.cpus - best.cpus) > 0:
        return f"{_count(cpus, 'CPU')} short"
    return "all are taken"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
