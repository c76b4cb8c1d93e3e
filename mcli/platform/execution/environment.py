"""The environment variables of a rank."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.execution.engine import ENGINE_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcli.platform.scheduling.demand import Demand

__all__ = [
    "GPU_LOG_PREFIX",
    "container_environment",
    "host_environment",
    "integration_variables",
    "rank_environment",
    "set_up_environment",
]

GPU_LOG_PREFIX = "gpu_"
"""Launchers write local rank k's output to `<log dir>/gpu_<k>.txt`."""

_FROM_HOST = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TMPDIR|SSH_AUTH_SOCK"
    r"|LC_(ADDRESS|ALL|COLLATE|CTYPE|IDENTIFICATION|MEASUREMENT|MESSAGES|MONETARY|NAME|NUMERIC|PAPER|TELEPHONE|TIME)"
    r"|XDG_((CACHE|CONFIG|DATA|STATE)_HOME|(CONFIG|DATA)_DIRS|RUNTIME_DIR)"
    r"|LD_LIBRARY_PATH|PYTHONPATH|CUDA_HOME|PYENV_ROOT|CONDA_(EXE|PREFIX|PYTHON_EXE)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|(?i:(https?|no|all)_proxy)|GIT_SSL_CAINFO"
    r"|MCLI_LOCAL_(SKIP_PACKAGES|TRAINER_BATCHES)"
)
"""What finds programs, folders and networks, name by name: a name that only begins like one is not meant."""

_SOURCES = re.compile(
    r"PIP_((EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CACHE_DIR|CONSTRAINT|PRE"
    r"|(DEFAULT_)?TIMEOUT|RETRIES|CONFIG_FILE|NO_CACHE_DIR|PREFER_BINARY|ONLY_BINARY|NO_BINARY|NO_INPUT)"
    r"|UV_((DEFAULT_|EXTRA_)?INDEX(_URL|_STRATEGY)?|INDEX_\w+_(USERNAME|PASSWORD)|FIND_LINKS|NO_INDEX|OFFLINE"
    r"|INSECURE_HOST|CACHE_DIR|NO_CACHE|CONSTRAINT|HTTP_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|LINK_MODE|CONFIG_FILE)"
    r"|GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|PARAMETERS|COUNT|(KEY|VALUE)_\d+)"
)
"""Where packages and repositories come from. Not where pip and uv put them, nor what publishes."""

_GIVEN_BY_GIT = re.compile(r"GIT_CONFIG_(PARAMETERS|COUNT|(KEY|VALUE)_\d+)")
_CREDENTIAL = re.compile(r"://[^/\s@]+@|authorization|password|token", re.IGNORECASE)


def host_environment(environ: Mapping[str, str], python: str = sys.executable) -> dict[str, str]:
    """Return those variables of the server's own environment that a run needs to find programs and networks.

    A list of what is kept, so that no key of the server or its user ever reaches a run by accident. `python` is found
    before all others.

    >>> sorted(host_environment({"PATH": "/bin", "LANG": "C", "MOSAICML_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k"}))
    ['LANG', 'PATH']
    """
    private = set_up_environment(environ)
    kept = {
        name: value
        for name, value in environ.items()
        if _FROM_HOST.fullmatch(name) or (_SOURCES.fullmatch(name) and name not in private)
    }
    programs = [str(Path(python).parent), environ.get("PATH", os.defpath)]
    return kept | {"PATH": os.pathsep.join(programs)}


_FOR_CONTAINERS = re.compile(
    r"(?i:(https?|no|all)_proxy)|PIP_(EXTRA_)?INDEX_URL|PIP_TRUSTED_HOST|UV_((DEFAULT_|EXTRA_)?INDEX(_URL)?)"
    r"|MCLI_LOCAL_(SKIP_PACKAGES|TRAINER_BATCHES)"
)


def container_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of the server's own environment is true in a container too: how to reach networks.

    >>> container_environment({"PATH": "/bin", "HOME": "/root", "no_proxy": "localhost"})
    {'no_proxy': 'localhost'}
    """
    private = set_up_environment(environ)
    return {
        name: value
        for name, value in environ.items()
        if _FOR_CONTAINERS.fullmatch(name) and name not in private
    }


def set_up_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of the server's own environment that only the steps before a command may see.

    They say where packages and repositories come from, and hold a password or token for it.

    >>> set_up_environment({"PIP_INDEX_URL": "https://me:pw@index/simple", "UV_PUBLISH_TOKEN": "t", "PIP_PRE": "1"})
    {'PIP_INDEX_URL': 'https://me:pw@index/simple'}
    """
    sources = {name: value for name, value in environ.items() if _SOURCES.fullmatch(name)}
    private = {
        name
        for name, value in sources.items()
        if _CREDENTIAL.search(value) or name.endswith(("_USERNAME", "_PASSWORD"))
    }
    if any(_GIVEN_BY_GIT.fullmatch(name) for name in private):  # keys and values belong together
        private |= {name for name in sources if _GIVEN_BY_GIT.fullmatch(name)}
    return {name: value for name, value in sources.items() if name in private}


def rank_environment(
    *,
    run_name: str,
    run_input: Mapping[str, Any],
    demand: Demand,
    node_rank: int,
    resumption: int,
    endpoint: str,
    token_file: Path,
    parameters_file: Path,
    log_dir: Path,
    secrets: Mapping[str, str],
    integrations: Mapping[str, str],
    base: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of one rank.

    Later ones win: `base`, secrets, platform, integrations, and last the `envVariables` of the run, so that a
    run can switch off what the platform says (`MOSAICML_PLATFORM: 'False'`). What only the engine knows, it adds
    where the run has not said otherwise.
    """
    on_each = demand.gpus_per_node or 1  # without GPUs one process trains on each node
    platform = {
        "RUN_NAME": run_name,
        "COMPOSER_RUN_NAME": run_name,
        "PARAMETERS": str(parameters_file),
        "NODE_RANK": str(node_rank),
        "NUM_NODES": str(demand.nodes),
        "WORLD_SIZE": str(demand.gpus or demand.nodes),
        "LOCAL_WORLD_SIZE": str(on_each),
        "MOSAICML_PLATFORM": "true",
        "MOSAICML_API_ENDPOINT": endpoint,
        "MOSAICML_ACCESS_TOKEN_FILE": str(token_file),
        "MOSAICML_LOG_DIR": str(log_dir),
        "MOSAICML_GPU_LOG_FILE_PREFIX": GPU_LOG_PREFIX,
        "RESUMPTION_INDEX": str(resumption),
    }
    secrets = {name: value for name, value in secrets.items() if name not in ENGINE_VARIABLES}
    return {**base, **secrets, **platform, **integrations, **dict(_user_variables(run_input))}


def _user_variables(run_input: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in run_input.get("envVariables") or ():
        yield str(variable["envKey"]), str(variable["envValue"])


def integration_variables(run_input: Mapping[str, Any], run_name: str) -> dict[str, str]:
    """Return the variables that the experiment trackers of a run read.

    >>> integration_variables({"integrations": [{"type": "wandb", "params": {"project": "p"}}]}, "bert-a1")
    {'WANDB_NAME': 'bert-a1', 'WANDB_PROJECT': 'p'}
    """
    variables: dict[str, str] = {}
    for integration in run_input.get("integrations") or ():
        variables |= _tracker_variables(integration["type"], integration.get("params") or {}, run_name)
    return variables


def _tracker_variables(kind: str, parameters: Mapping[str, Any], run_name: str) -> dict[str, str]:
    if kind == "wandb":
        tags = parameters.get("tags") or []
        return {"WANDB_NAME": run_name} | _given(
            WANDB_PROJECT=parameters.get("project"),
            WANDB_ENTITY=parameters.get("entity"),
            WANDB_RUN_GROUP=parameters.get("group"),
            WANDB_JOB_TYPE=parameters.get("jobType"),
            WANDB_TAGS=tags if isinstance(tags, str) else ",".join(map(str, tags)),
        )
    if kind == "comet_ml":
        return _given(
            COMET_PROJECT_NAME=parameters.get("project") or parameters.get("projectName"),
            COMET_WORKSPACE=parameters.get("workspace"),
        )
    if kind == "mlflow":
        return _given(
            MLFLOW_EXPERIMENT_NAME=parameters.get("experimentName"),
            MLFLOW_TRACKING_URI=parameters.get("trackingUri") or "databricks",
        )
    return {}


def _given(**variables: Any) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items() if value is not None and value != ""}
