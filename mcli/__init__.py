"""Typed Python SDK of the MosaicML training platform.

    import mcli

    run = mcli.create_run(mcli.RunConfig.from_file("train.yaml"))
    for line in mcli.follow_run_logs(run):
        print(line, end="")
    print(mcli.wait_for_run_status(run, "COMPLETED").status)

Names are imported when they are first used, so `import mcli` costs next to nothing.
"""

from __future__ import annotations

# The one list of public names, each under the module that it lives in. `python -m codegen` reads these three tables and
# writes from them what editors and type checkers see (`__init__.pyi`, `aio.pyi`), `sdk.py`, and older import paths.

_CALLS = {
    "clusters": ("get_cluster", "get_clusters"),
    "finetunes": (
        "create_finetuning_run",
        "delete_finetuning_run",
        "delete_finetuning_runs",
        "get_finetuning_runs",
        "list_finetuning_events",
        "stop_finetuning_run",
        "stop_finetuning_runs",
    ),
    "logs": ("follow_run_logs", "get_run_logs"),
    "pretrains": ("create_pretraining_run",),
    "runs": (
        "create_interactive_run",
        "create_run",
        "delete_run",
        "delete_runs",
        "get_run",
        "get_runs",
        "start_run",
        "start_runs",
        "stop_run",
        "stop_runs",
        "update_run",
        "update_run_metadata",
    ),
    "secrets": ("create_secret", "delete_secrets", "get_secrets"),
    "users": ("get_current_user", "get_users"),
    "watches": ("wait_for_run_status", "watch_run_status"),
}
"""What asks the platform. `mcli.aio` has these too."""

_OTHERS = {
    "_progress": ("progress",),
    "_core.connection": ("MAPIConnection",),
    "_version": ("__version__",),
    "cluster_details": ("ClusterDetails",),
    "config": ("FeatureFlag", "MCLIConfig", "MCLIMode", "initialize", "set_api_key"),
    "enums": ("GPUType", "RunType", "SubmissionType"),
    "exceptions": (
        "MAPIException",
        "MCLIConfigError",
        "MCLIException",
        "MCLIRunConfigValidationError",
        "MultiMAPIException",
        "OutcomeUnknown",
        "RunConfigException",
        "RunStatusNotReached",
    ),
    "finetune": ("Finetune",),
    "finetune_config": ("ExperimentTracker", "FinetuneConfig", "FinetuneTaskType"),
    "groups": ("RunGroup", "create_runs"),
    "pages": ("ObjectList", "PaginatedObjectList"),
    "run": ("Run",),
    "run_config": ("ComputeConfig", "RunConfig", "SchedulingConfig"),
    "run_details": ("FormattedRunEvent", "Node", "Resumption", "RunLifecycle"),
    "secret_types": (
        "HuggingFaceSecret",
        "MCLIDatabricksSecret",
        "MCLIDockerRegistrySecret",
        "MCLIEnvVarSecret",
        "MCLIGCPSecret",
        "MCLIGitSSHSecret",
        "MCLIMountedSecret",
        "MCLIOCISecret",
        "MCLIS3Secret",
        "MCLISFTPSSHSecret",
        "MCLISSHSecret",
        "Secret",
        "SecretType",
    ),
    "status": ("RunStatus",),
    "users": ("User",),
}
"""Values, exceptions, and what sets the client up."""

_MODULES = ("aio", "api", "config", "exceptions", "models", "objects", "sdk", "utils")
"""What programs reach by attribute, e.g. `mcli.api.runs.stop_run`, after `import mcli` alone."""

_MODULE_OF = {
    name: module for table in (_CALLS, _OTHERS) for module, names in table.items() for name in names
}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]  # derived


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return __import__(f"mcli.{name}", fromlist=(name,))
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'mcli' has no attribute {name!r}")
    value = getattr(__import__(f"mcli.{module}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, *(name for name in globals() if name.startswith("__"))})
