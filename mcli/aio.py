"""The calls of `mcli` for asyncio programs: the same names and arguments, as coroutines and async generators.

    from mcli import aio

    run = await aio.create_run(config)
    async for line in aio.follow_run_logs(run):
        print(line, end="")

A call starts when it is awaited, an iteration at its first step, and cancelling either cancels the work. `timeout` is
as in the blocking call; `future` is of no use here.
"""

from __future__ import annotations

import mcli

TYPE_CHECKING = False  # as in `mcli`
if TYPE_CHECKING:
    from mcli import clusters, finetunes, logs, pretrains, runs, secrets, users, watches

    create_finetuning_run = finetunes.create_finetuning_run.aio
    create_interactive_run = runs.create_interactive_run.aio
    create_pretraining_run = pretrains.create_pretraining_run.aio
    create_run = runs.create_run.aio
    create_secret = secrets.create_secret.aio
    delete_finetuning_run = finetunes.delete_finetuning_run.aio
    delete_finetuning_runs = finetunes.delete_finetuning_runs.aio
    delete_run = runs.delete_run.aio
    delete_runs = runs.delete_runs.aio
    delete_secrets = secrets.delete_secrets.aio
    follow_run_logs = logs.follow_run_logs.aio
    get_cluster = clusters.get_cluster.aio
    get_clusters = clusters.get_clusters.aio
    get_current_user = users.get_current_user.aio
    get_finetuning_runs = finetunes.get_finetuning_runs.aio
    get_run = runs.get_run.aio
    get_run_logs = logs.get_run_logs.aio
    get_runs = runs.get_runs.aio
    get_secrets = secrets.get_secrets.aio
    get_users = users.get_users.aio
    list_finetuning_events = finetunes.list_finetuning_events.aio
    start_run = runs.start_run.aio
    start_runs = runs.start_runs.aio
    stop_finetuning_run = finetunes.stop_finetuning_run.aio
    stop_finetuning_runs = finetunes.stop_finetuning_runs.aio
    stop_run = runs.stop_run.aio
    stop_runs = runs.stop_runs.aio
    update_run = runs.update_run.aio
    update_run_metadata = runs.update_run_metadata.aio
    wait_for_run_status = watches.wait_for_run_status.aio
    watch_run_status = watches.watch_run_status.aio

__all__ = [
    "create_finetuning_run",
    "create_interactive_run",
    "create_pretraining_run",
    "create_run",
    "create_secret",
    "delete_finetuning_run",
    "delete_finetuning_runs",
    "delete_run",
    "delete_runs",
    "delete_secrets",
    "follow_run_logs",
    "get_cluster",
    "get_clusters",
    "get_current_user",
    "get_finetuning_runs",
    "get_run",
    "get_run_logs",
    "get_runs",
    "get_secrets",
    "get_users",
    "list_finetuning_events",
    "start_run",
    "start_runs",
    "stop_finetuning_run",
    "stop_finetuning_runs",
    "stop_run",
    "stop_runs",
    "update_run",
    "update_run_metadata",
    "wait_for_run_status",
    "watch_run_status",
]


if not TYPE_CHECKING:  # to checkers, a name that is not listed above is an error

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'mcli.aio' has no attribute {name!r}")
        value = getattr(mcli, name).aio
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
