"""Every documented call that sends something, with arguments that the platform might be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcli

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

__all__ = ["CALLS"]

_config = mcli.RunConfig("a", image="bash", command="true")

CALLS: dict[str, Callable[[], Future[Any]]] = {
    "create_finetuning_run": lambda: mcli.create_finetuning_run("m", "o/d", "s3://f", future=True),
    "create_interactive_run": lambda: mcli.create_interactive_run(_config, future=True),
    "create_pretraining_run": lambda: mcli.create_pretraining_run(
        "m", ["s3://d"], "s3://f", compute={"gpus": 8}, future=True
    ),
    "create_run": lambda: mcli.create_run(_config, future=True),
    "create_secret": lambda: mcli.create_secret(
        mcli.MCLIEnvVarSecret(name="a", key="A", value="v"), future=True
    ),
    "delete_finetuning_run": lambda: mcli.delete_finetuning_run("a", future=True),
    "delete_finetuning_runs": lambda: mcli.delete_finetuning_runs(["a"], future=True),
    "delete_run": lambda: mcli.delete_run("a", future=True),
    "delete_runs": lambda: mcli.delete_runs(["a"], future=True),
    "delete_secrets": lambda: mcli.delete_secrets(["a"], future=True),
    "get_cluster": lambda: mcli.get_cluster("a", future=True),
    "get_clusters": lambda: mcli.get_clusters(future=True),
    "get_current_user": lambda: mcli.get_current_user(future=True),
    "get_finetuning_runs": lambda: mcli.get_finetuning_runs(future=True),
    "get_finetuning_runs with details": lambda: mcli.get_finetuning_runs(include_details=True, future=True),
    "get_run": lambda: mcli.get_run("a", future=True),
    "get_runs": lambda: mcli.get_runs(limit=7, future=True),
    "get_runs by name": lambda: mcli.get_runs(["a"], future=True),
    "get_secrets": lambda: mcli.get_secrets(future=True),
    "get_users": lambda: mcli.get_users(future=True),
    "list_finetuning_events": lambda: mcli.list_finetuning_events("a", future=True),
    "start_run": lambda: mcli.start_run("a", future=True),
    "start_runs": lambda: mcli.start_runs(["a"], future=True),
    "stop_finetuning_run": lambda: mcli.stop_finetuning_run("a", future=True),
    "stop_finetuning_runs": lambda: mcli.stop_finetuning_runs(["a"], future=True),
    "stop_run": lambda: mcli.stop_run("a", reason="r", future=True),
    "stop_runs": lambda: mcli.stop_runs(["a"], future=True),
    "update_run": lambda: mcli.update_run("a", max_retries=1, future=True),
    "update_run_metadata": lambda: mcli.update_run_metadata("a", {"b": 1}, future=True),
}
"""By name; a name with more words is the same call with other arguments."""
