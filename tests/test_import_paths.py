"""The import paths of programs that were written for other clients."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import mcli
import mcli.api
import mcli.models
import mcli.objects
import mcli.sdk
import mcli.utils
from mcli.objects.secrets.create.databricks import DatabricksSecretCreator

PATHS = {
    "mcli.sdk": ("RunConfig", "create_run", "get_runs", "initialize", "set_api_key"),
    "mcli.api.exceptions": ("MAPIException", "MultiMAPIException", "RunConfigException", "MCLIConfigError"),
    "mcli.api.engine.engine": ("MAPIConnection",),
    "mcli.api.runs": ("RunConfig", "create_run", "follow_run_logs", "get_run", "stop_run"),
    "mcli.api.runs.api_create_run": ("create_run",),
    "mcli.api.runs.api_get_runs": ("get_run", "get_runs"),
    "mcli.api.runs.api_get_run_logs": ("follow_run_logs", "get_run_logs"),
    "mcli.api.runs.api_stop_runs": ("stop_run", "stop_runs"),
    "mcli.api.runs.api_watch_run": ("wait_for_run_status", "watch_run_status"),
    "mcli.api.secrets.api_create_secret": ("create_secret",),
    "mcli.api.secrets.api_get_secrets": ("get_secrets",),
    "mcli.api.secrets.api_delete_secrets": ("delete_secrets",),
    "mcli.api.cluster": ("get_cluster", "get_clusters"),
    "mcli.api.finetuning_runs": ("create_finetuning_run", "get_finetuning_runs", "list_finetuning_events"),
    "mcli.api.pretraining_runs": ("create_pretraining_run",),
    "mcli.api.model.run": ("Node", "Resumption", "Run", "RunLifecycle"),
    "mcli.api.model.run_event": ("FormattedRunEvent",),
    "mcli.api.model.cluster_details": ("ClusterDetails",),
    "mcli.api.model.finetune": ("Finetune",),
    "mcli.models": ("RunConfig", "Secret", "SecretType"),
    "mcli.models.run_config": ("ComputeConfig", "RunConfig", "SchedulingConfig"),
    "mcli.models.mcli_secret": ("Secret", "SecretType"),
    "mcli.objects.secrets": ("MCLIDatabricksSecret", "MCLIEnvVarSecret", "MCLIS3Secret", "SecretType"),
    "mcli.utils.utils_run_status": ("RunStatus",),
}

PACKAGES = (mcli.api, mcli.models, mcli.objects, mcli.utils)
MODULES = [
    each.name
    for package in PACKAGES
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize(("path", "names"), PATHS.items(), ids=PATHS)
def test_a_path_gives_the_same_objects(path: str, names: tuple[str, ...]) -> None:
    """What is imported by another path is what `mcli` has."""
    module = importlib.import_module(path)
    assert [getattr(mcli, name) for name in names] == [getattr(module, name) for name in names]


@pytest.mark.parametrize("path", MODULES)
def test_a_path_defines_nothing(path: str) -> None:
    """A module that is only an import path lists names that have their home elsewhere."""
    module = importlib.import_module(path)
    homes = {getattr(getattr(module, name), "__module__", "") for name in getattr(module, "__all__", ())}
    foreign = {"mcli.objects.secrets.create.databricks"}  # has the one class that notebooks use
    assert set() == {
        home for home in homes - foreign if home.startswith(("mcli.api", "mcli.models", "mcli.ob"))
    }


def test_the_sdk_has_all_public_names() -> None:
    """`mcli.sdk` has every name of `mcli`."""
    assert set(mcli.__all__) - {"__version__"} == set(mcli.sdk.__all__)


def test_notebooks_make_secrets_for_databricks() -> None:
    """The maker of secrets that notebooks import makes the secret for Databricks."""
    secret = DatabricksSecretCreator().create(name="a", host="https://x.test", token="not-a-real-token")
    assert mcli.MCLIDatabricksSecret("a", host="https://x.test", token="not-a-real-token") == secret
