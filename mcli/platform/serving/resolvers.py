"""The fields of the schema's `Query` and `Mutation`, as functions of the stored state.

A query is a function of a snapshot of the database, a mutation one of a transaction. Both give the whole wire form
of what they answer with, always a list but for the pages; GraphQL picks from it what was asked for.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.scheduling import cluster
from mcli.platform.state import records, selection
from mcli.platform.state import secrets as secret_store
from mcli.platform.state.records import Run
from mcli.platform.state.status import TERMINAL, Status
from mcli.platform.state.users import User, all_users, emails
from mcli.platform.submission import finetunes, runs
from mcli.platform.submission.local_code import METADATA_KEY, Stage

if TYPE_CHECKING:
    from mcli.platform.execution.folders import RunFolders
    from mcli.platform.scheduling.cluster import Cluster, Machines
    from mcli.platform.state.store import Transaction
    from mcli.platform.state.vault import Vault

__all__ = ["Resolvers"]

Answer = list[dict[str, Any]]
Data = Mapping[str, Any]


@dataclass(frozen=True)
class Settled:
    """What a mutation waits for after its commit."""

    statuses: Collection[str]
    """The run has got where the mutation sends it, once it has one of these."""
    to_wire: Callable[[sqlite3.Connection, Sequence[Run]], Answer]
    """The wire form of the runs that the answer is about."""


class Resolvers:
    """What can be asked of a platform with these clusters. Each method is the field named in the tables."""

    def __init__(self, machines: Machines, vault: Vault, folders: RunFolders | None = None) -> None:
        self._clusters = cluster.clusters_of(machines)
        self._vault = vault
        self._folders = folders
        self.queries: Mapping[str, Callable[..., object]] = {
            "getSecrets": secret_store.matching,
            "getClusters": self.get_clusters,
            "getRuns": self.get_runs,
            "getRunsPaginated": self.get_runs_paginated,
            "getFinetunesPaginated": get_finetunes_paginated,
            "getFinetuneEvents": get_finetune_events,
            "getUsers": get_users,
            "getAllUsers": get_all_users,
        }
        """Functions of database, user and the field's argument."""
        self.mutations: Mapping[str, Callable[..., Answer]] = {
            "createSecret": self.create_secret,
            "deleteSecrets": secret_store.delete,
            "createRun": self.create_run,
            "createInteractiveRun": self.create_interactive_run,
            "deleteRuns": delete_runs,
            "startRuns": start_runs,
            "stopRuns": stop_runs,
            "updateRun": update_run,
            "updateRunMetadata": update_run_metadata,
            "createRunEvent": create_run_event,
            "createFinetune": self.create_finetune,
            "stopFinetunes": stop_finetunes,
            "deleteFinetunes": delete_finetunes,
            "createPretrain": self.create_pretrain,
        }
        """Functions of transaction, user and the field's one or two arguments."""
        self.staged: Mapping[str, Callable[[Data], Stage | None]] = dict.fromkeys(
            ("createRun", "createInteractiveRun"), self._stage
        )
        """What takes long and is done before the transaction of a mutation, which then gets it as its last argument."""
        self.settled: Mapping[str, Settled] = {
            "startRuns": Settled(tuple(set(Status) - {Status.TERMINATING}), _to_wire),
            "stopRuns": Settled(TERMINAL, _to_wire),
            "stopFinetunes": Settled(TERMINAL, finetunes.all_to_wire),
        }
        """Mutations that are answered when what they ask for has happened."""

    def get_clusters(self, db: sqlite3.Connection, _: User, data: Data) -> Answer:
        filters = data.get("filters") or {}
        names = selection.wanted(data, "name")
        use = (filters.get("allowedSubmissionTypes") or {}).get("has")
        return [
            cluster.cluster_to_wire(each) | {"utilization": partial(_utilization, db, each)}
            for each in self._clusters
            if (names is None or any(each.is_called(name) for name in names))
            and (use is None or use in each.submission_types)
        ]

    def get_runs(self, db: sqlite3.Connection, user: User, data: Data) -> Answer:
        return _to_wire(db, selection.matching(db, user, self._with_own_names(data)))

    def get_runs_paginated(self, db: sqlite3.Connection, user: User, data: Data) -> dict[str, Any]:
        page = selection.page(db, user, self._with_own_names(data))
        return _page(page) | {"runs": _to_wire(db, page.runs)}

    def _with_own_names(self, data: Data) -> Data:
        """Let a filter for a cluster find its runs by any name that the cluster answers to."""
        if (names := selection.wanted(data, "clusterName")) is None:
            return data
        own = {name: each.name for each in self._clusters for name in each.aliases}
        filters = data["filters"] | {
            "clusterName": {"in": [*names, *(own[name] for name in names if name in own)]}
        }
        return {**data, "filters": filters}

    def create_secret(self, transaction: Transaction, user: User, data: Data) -> Answer:
        return [secret_store.create(transaction, self._vault, user, data)]

    def _stage(self, data: Data) -> Stage | None:
        needed = self._folders is not None and Stage.is_needed(data["runInput"])
        return Stage(self._folders.incoming, data["runInput"]) if self._folders and needed else None

    def create_run(
        self, transaction: Transaction, user: User, data: Data, stage: Stage | None = None
    ) -> Answer:
        run = runs.create(transaction, user, data["runInput"], self._clusters, _notes(stage))
        return [self._with_code(run, stage).to_wire(user.email)]

    def _with_code(self, run: Run, stage: Stage | None) -> Run:
        if stage and self._folders:
            stage.keep(self._folders.code(run.name))
        return run

    def create_interactive_run(
        self, transaction: Transaction, user: User, data: Data, stage: Stage | None = None
    ) -> Answer:
        run = runs.create_interactive(transaction, user, data, self._clusters, _notes(stage))
        return [self._with_code(run, stage).to_wire(user.email)]

    def create_finetune(self, transaction: Transaction, user: User, data: Data) -> Answer:
        return [finetunes.create(transaction, user, data["config"], self._clusters, self._vault)]

    def create_pretrain(self, transaction: Transaction, user: User, data: Data) -> Answer:
        return [finetunes.create_pretrain(transaction, user, data, self._clusters).to_wire(user.email)]


def _notes(stage: Stage | None) -> dict[str, Any]:
    return {METADATA_KEY: stage.metadata} if stage else {}


def _utilization(db: sqlite3.Connection, machines: Cluster) -> dict[str, Any]:
    owners = {user.id: user.name for user in all_users(db)}
    active, queued = (
        [
            _use(run, owners[run.owner])
            for run in records.with_status(db, statuses)
            if machines.is_called(run.demand.cluster)
        ]
        for statuses in (records.LIVE, records.WAITING)
    )
    return cluster.utilization_to_wire(machines, active, queued)


def get_finetunes_paginated(db: sqlite3.Connection, user: User, data: Data) -> dict[str, Any]:
    page = selection.page(db, user, data, run_types=[finetunes.RUN_TYPE])
    return _page(page) | {"finetunes": finetunes.all_to_wire(db, page.runs)}


def get_finetune_events(db: sqlite3.Connection, _: User, data: Data) -> Answer:
    return selection.named(db, data["name"]).events


def get_users(db: sqlite3.Connection, user: User, data: Data) -> Answer:
    asked = any((data.get("filters") or {}).values())
    return _users(all_users(db) if asked else [user], data)


def get_all_users(db: sqlite3.Connection, user: User, data: Data) -> Answer:
    if not user.is_admin:
        raise RequestError(403, "Only administrators can list the users of their organization.")
    return _users(all_users(db), data)


def stop_runs(transaction: Transaction, user: User, data: Data, options: Data | None = None) -> Answer:
    found = selection.changeable(transaction.db, user, data)
    for run in found:
        runs.stop(transaction, run, (options or {}).get("reason"))
    return _to_wire(transaction.db, found)


def start_runs(transaction: Transaction, user: User, data: Data) -> Answer:
    found = selection.changeable(transaction.db, user, data)
    for run in found:
        runs.start(transaction, run)
    return _to_wire(transaction.db, found)


def delete_runs(transaction: Transaction, user: User, data: Data) -> Answer:
    found = selection.changeable(transaction.db, user, data)
    for run in found:
        runs.delete(transaction, run)
    return _to_wire(transaction.db, found)


def update_run(transaction: Transaction, user: User, data: Data, settings: Data) -> Answer:
    run = _the_one(transaction, user, data)
    runs.update(transaction, run, settings)
    return _to_wire(transaction.db, [run])


def update_run_metadata(transaction: Transaction, user: User, data: Data, update: Data) -> Answer:
    run = _the_one(transaction, user, data)
    runs.update_metadata(transaction, run, update["metadata"])
    return _to_wire(transaction.db, [run])


def create_run_event(transaction: Transaction, user: User, data: Data) -> Answer:
    run = _the_one(transaction, user, {"filters": {"name": {"in": [data["runName"]]}}})
    event = {
        "id": str(uuid.uuid4()),
        "runId": run.id,
        "executionId": run.latest["id"],
        "eventType": data["eventType"],
        "eventData": data.get("eventData"),
        "updatedAt": transaction.now,
    }
    row = tuple({**event, "eventData": json.dumps(event["eventData"])}.values())
    transaction.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
    runs.add_reported_event(transaction, run, data["eventType"], data.get("eventData"))
    return [event]


def stop_finetunes(transaction: Transaction, user: User, data: Data, options: Data | None = None) -> Answer:
    found = finetunes.selected(transaction, user, data)
    for run in found:
        runs.stop(transaction, run, (options or {}).get("reason"))
    return finetunes.all_to_wire(transaction.db, found)


def delete_finetunes(transaction: Transaction, user: User, data: Data) -> Answer:
    found = finetunes.selected(transaction, user, data)
    for run in found:
        runs.delete(transaction, run)
    return finetunes.all_to_wire(transaction.db, found)


def _the_one(transaction: Transaction, user: User, data: Data) -> Run:
    found = selection.changeable(transaction.db, user, data)
    if len(found) != 1:
        raise RequestError(
            400 if found else 404, f"The request must be about one run, {len(found)} match it."
        )
    return found[0]


def _to_wire(db: sqlite3.Connection, found: Sequence[Run]) -> Answer:
    owners = emails(db)
    return [run.to_wire(owners[run.owner]) for run in found]


def _page(page: selection.Page) -> dict[str, Any]:
    return {"cursor": page.cursor, "hasNextPage": page.cursor is not None}


def _users(found: Sequence[User], data: Data) -> Answer:
    ids, addresses = selection.wanted(data, "id"), selection.wanted(data, "email")
    return [
        user.to_wire()
        for user in found
        if (ids is None or user.id in ids) and (addresses is None or user.email in addresses)
    ]


def _use(run: Run, owner: str) -> dict[str, Any]:
    return {
        "id": run.id,
        "createdAt": run.created_at,
        "userName": owner,
        "runName": run.name,
        "instance": run.demand.instance,
        "gpuNum": run.demand.gpus,
        "gpuType": run.demand.gpu_type,
        "reason": run.reason,
        "startTime": run.latest["startTime"],
        "estimatedEndTime": run.latest["estimatedEndTime"],
        "maxDurationSeconds": run.max_duration_seconds,
        "scheduling": {
            "priority": run.priority,
            "preemptible": run.preemptible,
            "retryOnSystemFailure": run.retry_on_system_failure,
        },
    }
