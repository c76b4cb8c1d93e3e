"""Finetuning and pretraining runs: ordinary runs that remember what they were asked for."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Any

from mcli.platform.errors import RequestError
from mcli.platform.state import records
from mcli.platform.state.secrets import of_owner
from mcli.platform.state.selection import changeable, is_taken, wanted
from mcli.platform.state.status import Status
from mcli.platform.state.users import User, emails
from mcli.platform.submission import runs
from mcli.platform.submission.checks import lower_case_name
from mcli.platform.submission.finetune_checks import access_problem, finetune_run, pretrain_run
from mcli.platform.values import given

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from mcli.platform.scheduling.cluster import Machines
    from mcli.platform.state.records import Run
    from mcli.platform.state.store import Transaction
    from mcli.platform.state.vault import StoredSecret, Vault

__all__ = ["RUN_TYPE", "all_to_wire", "create", "create_pretrain", "selected"]

RUN_TYPE = "FINETUNING"
_OPTIONAL = (
    "taskType",
    "evalDataPath",
    "evalPrompts",
    "trainingDuration",
    "learningRate",
    "contextLength",
    "customWeightsPath",
    "dataPrepConfig",
)


def create(
    transaction: Transaction, user: User, config: Mapping[str, Any], cluster: Machines, vault: Vault
) -> dict[str, Any]:
    """Submit a finetuning run. It fails at once when the check of its credentials does."""
    run = _submit(transaction, user, finetune_run(config), cluster, RUN_TYPE)
    run.finetune = given(config)
    if not config.get("disableCredentialsCheck"):
        _check(transaction, run, _variables(of_owner(transaction.db, vault, user.id)))
    records.save(transaction, run)
    return finetune_to_wire(run, user.email)


def create_pretrain(transaction: Transaction, user: User, data: Mapping[str, Any], cluster: Machines) -> Run:
    """Submit a pretraining run."""
    return _submit(transaction, user, pretrain_run(data), cluster, "PRETRAINING")


def _submit(
    transaction: Transaction, user: User, run_input: dict[str, Any], cluster: Machines, run_type: str
) -> Run:
    name = lower_case_name(run_input["runName"], lambda name: is_taken(transaction.db, name), SystemRandom())
    return runs.submit(transaction, user, run_input, run_input, cluster, run_type=run_type, name=name)


def _check(transaction: Transaction, run: Run, variables: Mapping[str, str]) -> None:
    problem = access_problem(run.finetune or {}, variables)
    if problem is None:
        runs.note(run, transaction, "CHECK_PASSED")
    else:
        runs.note(run, transaction, "CHECK_FAILED", f"Credentials check failed: {problem}")
        run.end(transaction, Status.FAILED, f"Credentials check failed: {problem}")


def _variables(secrets: Sequence[StoredSecret]) -> dict[str, str]:
    """Return the variables by which secrets can be seen to be there."""
    keys = [secret.metadata["key"] for secret in secrets if "key" in secret.metadata]
    databricks = ["DATABRICKS_TOKEN"] if any(secret.type == "DATABRICKS" for secret in secrets) else []
    return dict.fromkeys([*keys, *databricks], "set")


def selected(transaction: Transaction, user: User, data: Mapping[str, Any]) -> list[Run]:
    """Load the finetuning runs that a mutation is about.

    Raises:
        RequestError: 403 for a run of somebody else, 404 for a name that is not there, or not of a finetuning run.
    """
    found = changeable(transaction.db, user, data)
    named = bool(wanted(data, "name"))
    for run in found:
        if named and run.run_type != RUN_TYPE:
            raise RequestError(404, f"Run {run.name!r} is not a finetuning run.")
    return [run for run in found if run.run_type == RUN_TYPE]


def all_to_wire(db: sqlite3.Connection, found: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the `Finetune`s of the schema."""
    owners = emails(db)
    return [finetune_to_wire(run, owners[run.owner]) for run in found]


def finetune_to_wire(run: Run, email: str) -> dict[str, Any]:
    """Return the `Finetune` of the schema."""
    config = run.finetune or {}
    starts = [resumption["startTime"] for resumption in run.resumptions if resumption["startTime"]]
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "createdById": run.owner,
        "createdByEmail": email,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
        "startedAt": starts[0] if starts else None,
        "completedAt": run.ended_at,
        "estimatedEndTime": run.latest["estimatedEndTime"],
        "reason": run.reason,
        "isDeleted": run.is_deleted,
        "details": {
            "model": config.get("model"),
            "trainDataPath": config.get("trainDataPath"),
            "saveFolder": config.get("saveFolder"),
            **{key: config.get(key) for key in _OPTIONAL},
            # clients cannot read a null in place of a tracker that was not asked for
            "experimentTracker": given(config.get("experimentTracker") or {}),
            "formattedFinetuningEvents": run.events,
        },
    }
