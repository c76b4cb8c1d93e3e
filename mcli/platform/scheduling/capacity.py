"""What is left of the nodes of a cluster, and whether a run fits in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcli.platform.scheduling.cluster import Node
    from mcli.platform.scheduling.demand import Demand

__all__ = ["Capacity", "Free", "choose", "conflict", "copy_capacity", "is_shared", "shared_ranks"]


def shared_ranks(cpus: int) -> int:
    """Return how many ranks that reserve nothing may share a node of so many CPUs."""
    return max(16, 4 * cpus)


def is_shared(demand: Demand) -> bool:
    """Tell whether a run reserves nothing of its node."""
    return not demand.gpus_per_node and not demand.cpus


def conflict(one: Demand, other: Demand) -> bool:
    """Whether two runs on one node would take from the same resource."""
    both_reserve = bool(one.gpus_per_node and other.gpus_per_node) or bool(one.cpus and other.cpus)
    return both_reserve or (is_shared(one) and is_shared(other))


@dataclass
class Free:
    """What is left of a node."""

    gpus: set[int]
    cpus: int
    ranks: int

    @classmethod
    def of(cls, node: Node) -> Free:
        return cls(set(range(node.gpus)), node.cpus, shared_ranks(node.cpus))

    def copy(self) -> Free:
        return replace(self, gpus=set(self.gpus))

    def holds(self, demand: Demand) -> bool:
        return (
            len(self.gpus) >= demand.gpus_per_node
            and (not demand.cpus or self.cpus >= demand.cpus)
            and (not is_shared(demand) or self.ranks > 0)
        )

    def take(self, demand: Demand, gpus: Iterable[int]) -> None:
        self.gpus.difference_update(gpus)
        self.cpus -= demand.cpus
        self.ranks -= is_shared(demand)

    def give(self, demand: Demand, gpus: Iterable[int]) -> None:
        self.gpus.update(gpus)
        self.cpus += demand.cpus
        self.ranks += is_shared(demand)

    def sort_key(self, demand: Demand) -> tuple[int, ...]:
        """Compare capacity by what a run wants most of."""
        if is_shared(demand):
            return (self.ranks,)
        return (len(self.gpus), self.cpus) if demand.gpus else (self.cpus,)


Capacity = dict[str, Free]


def copy_capacity(capacity: Capacity) -> Capacity:
    """Return a capacity that can be taken from without a change of this one."""
    return {name: free.copy() for name, free in capacity.items()}


def choose(demand: Demand, capacity: Capacity, allowed: Sequence[str]) -> tuple[str, ...]:
    """Choose the tightest fit, but spread ranks that share; empty if the run does not fit."""
    fitting = [name for name in allowed if capacity[name].holds(demand)]
    if len(fitting) < demand.nodes:
        return ()
    fitting.sort(key=lambda name: capacity[name].sort_key(demand), reverse=is_shared(demand))
    chosen = set(fitting[: demand.nodes])
    return tuple(name for name in allowed if name in chosen)
