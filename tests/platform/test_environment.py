"""The variables that a rank sees."""

from pathlib import Path
from typing import Any

import pytest

from mcli.platform.execution.environment import (
    host_environment,
    integration_variables,
    rank_environment,
    set_up_environment,
)
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.scheduling.demand import resolve


def environment(gpus: int = 16, **changes: Any) -> dict[str, str]:
    arguments: dict[str, Any] = {
        "run_name": "bert-Ab12Cd",
        "run_input": {},
        "demand": resolve({"compute": {"gpus": gpus}}, virtual(2, 8)),
        "node_rank": 1,
        "resumption": 2,
        "endpoint": "http://127.0.0.1:1/graphql",
        "token_file": Path("/run/token"),
        "parameters_file": Path("/run/parameters.yaml"),
        "log_dir": Path("/run/logs"),
        "secrets": {},
        "integrations": {},
        "base": {"PATH": "/bin"},
    }
    return rank_environment(**{**arguments, **changes})


def test_the_platform_sets_its_variables() -> None:
    """A rank finds its place, its files and the platform; WORLD_SIZE counts GPUs."""
    assert environment() == {
        "PATH": "/bin",
        "RUN_NAME": "bert-Ab12Cd",
        "COMPOSER_RUN_NAME": "bert-Ab12Cd",
        "PARAMETERS": "/run/parameters.yaml",
        "NODE_RANK": "1",
        "NUM_NODES": "2",
        "WORLD_SIZE": "16",
        "LOCAL_WORLD_SIZE": "8",
        "MOSAICML_PLATFORM": "true",
        "MOSAICML_API_ENDPOINT": "http://127.0.0.1:1/graphql",
        "MOSAICML_ACCESS_TOKEN_FILE": "/run/token",
        "MOSAICML_LOG_DIR": "/run/logs",
        "MOSAICML_GPU_LOG_FILE_PREFIX": "gpu_",
        "RESUMPTION_INDEX": "2",
    }


def test_sizes_of_a_cpu_run_are_zero() -> None:
    """On a CPU-only run the sizes are 0, as Composer's launcher expects."""
    variables = environment(gpus=0)
    assert ["1", "1"] == [variables[key] for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")]


def test_a_secret_is_no_meeting_place() -> None:
    """What the engine knows better does not come from secrets, but from the run itself it may."""
    secrets = {"MASTER_ADDR": "from a secret", "OTHER": "o"}
    run_input = {"envVariables": [{"envKey": "CUDA_VISIBLE_DEVICES", "envValue": "7"}]}
    variables = environment(secrets=secrets, run_input=run_input)
    assert ("7", "o") == (variables["CUDA_VISIBLE_DEVICES"], variables["OTHER"])
    assert "MASTER_ADDR" not in variables


def test_the_last_of_equal_names_wins() -> None:
    """The order is: host, secrets, platform, integrations, the run's own variables."""
    sources: list[dict[str, Any]] = [
        {"base": {"RUN_NAME": "host"}},
        {"secrets": {"RUN_NAME": "secret"}},
        {"run_name": "platform"},
        {"integrations": {"RUN_NAME": "integration"}},
        {"run_input": {"envVariables": [{"envKey": "RUN_NAME", "envValue": "user"}]}},
    ]
    merged: dict[str, Any] = {}
    winners = [environment(**(merged := merged | source))["RUN_NAME"] for source in sources]
    assert winners[2:] == ["platform", "integration", "user"]


def test_secrets_win_over_the_host() -> None:
    """A secret replaces a variable of the server's own environment."""
    assert environment(base={"HF_TOKEN": "host"}, secrets={"HF_TOKEN": "secret"})["HF_TOKEN"] == "secret"


def test_a_run_can_switch_the_platform_off() -> None:
    """`MOSAICML_PLATFORM: 'False'` among the run's variables beats the platform's `true`."""
    run_input = {"envVariables": [{"envKey": "MOSAICML_PLATFORM", "envValue": "False"}]}
    assert environment(run_input=run_input)["MOSAICML_PLATFORM"] == "False"


def test_keys_of_the_host_stay_on_the_host() -> None:
    """Of the server's environment only what finds programs, folders and networks is passed on."""
    host = {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "https_proxy": "http://p",
        "MOSAICML_API_KEY": "k",
        "MCLI_MODE": "LOCAL",
        "OPENAI_API_KEY": "k",
        "BASH_ENV": "/x",
    }
    assert set(host_environment(host)) == {"PATH", "HOME", "LC_ALL", "https_proxy"}


@pytest.mark.parametrize(
    "name",
    ["USER_TOKEN", "HOME_SECRET", "MY_PATH", "PATH_KEY", "LC_API_KEY", "XDG_TOKEN", "CONDA_TOKEN", "UV_PUBLISH_TOKEN",
     "UV_PUBLISH_PASSWORD", "PIP_PASSWORD", "TWINE_PASSWORD", "HTTPS_PROXY_KEY", "GIT_CONFIG_TOKEN", "GIT_TOKEN"],
)  # fmt: skip
def test_a_name_that_only_looks_alike_stays_on_the_host(name: str) -> None:
    """Names are compared as a whole: neither the beginning nor a part of a name lets a key through."""
    assert (
        "the key"
        not in {**host_environment({name: "the key"}), **set_up_environment({name: "the key"})}.values()
    )


@pytest.mark.parametrize("name", ["PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "UV_PYTHON",
                                  "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"])  # fmt: skip
def test_the_host_does_not_say_where_packages_go(name: str) -> None:
    """What would make pip or uv in a run change another environment does not reach it."""
    assert name not in host_environment({name: "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_INDEX_URL", "https://me:pw@index.example/simple"),
        ("PIP_EXTRA_INDEX_URL", "https://index.example/simple https://token@other.example/simple"),
        ("UV_INDEX", "mine=https://me:pw@index.example/simple"),
        ("UV_INDEX_MINE_PASSWORD", "pw"),
        ("UV_FIND_LINKS", "https://index.example/?token=t"),
        ("GIT_CONFIG_PARAMETERS", "'http.extraheader=Authorization: Basic x'"),
    ],
)
def test_passwords_of_indexes_are_for_the_set_up_alone(name: str, value: str) -> None:
    """What says where packages are and holds a password reaches the steps before the command, not the command."""
    assert ({name: value}, False) == (
        set_up_environment({name: value}),
        name in host_environment({name: value}),
    )


def test_an_index_without_password_is_for_all() -> None:
    """A mirror is used by the set-up and by `pip install` in the command."""
    host = {"PIP_INDEX_URL": "https://mirror.example/simple", "UV_OFFLINE": "1"}
    assert ({}, host) == (
        set_up_environment(host),
        {k: v for k, v in host_environment(host).items() if k != "PATH"},
    )


def test_settings_of_git_stay_together() -> None:
    """When one of the numbered settings of git holds a password, none of them reaches the command."""
    values = ("http.proxy", "http://p", "http.extraheader", "Authorization: Bearer x")
    names = ("GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_CONFIG_KEY_1", "GIT_CONFIG_VALUE_1")
    host = {"GIT_CONFIG_COUNT": "2", **dict(zip(names, values, strict=True))}
    assert (host, {"PATH"}) == (set_up_environment(host), set(host_environment(host)))


def test_wandb_gets_its_variables() -> None:
    """A wandb integration sets the names that wandb reads; tags are joined by commas."""
    parameters = {"project": "p", "entity": "e", "group": "g", "jobType": "j", "tags": ["a", "b"]}
    run_input = {"integrations": [{"type": "wandb", "params": parameters}]}
    assert integration_variables(run_input, "bert-1") == {
        "WANDB_NAME": "bert-1",
        "WANDB_PROJECT": "p",
        "WANDB_ENTITY": "e",
        "WANDB_RUN_GROUP": "g",
        "WANDB_JOB_TYPE": "j",
        "WANDB_TAGS": "a,b",
    }


def test_comet_and_mlflow_get_theirs() -> None:
    """Comet's project and workspace, MLflow's experiment and its default place are set."""
    comet = {"type": "comet_ml", "params": {"project": "p", "workspace": "w"}}
    mlflow = {"type": "mlflow", "params": {"experimentName": "/x"}}
    assert integration_variables({"integrations": [comet, mlflow]}, "r") == {
        "COMET_PROJECT_NAME": "p",
        "COMET_WORKSPACE": "w",
        "MLFLOW_EXPERIMENT_NAME": "/x",
        "MLFLOW_TRACKING_URI": "databricks",
    }


def test_other_integrations_set_nothing() -> None:
    """Repositories and packages leave the environment alone."""
    assert (
        integration_variables({"integrations": [{"type": "git_repo", "params": {"gitRepo": "a/b"}}]}, "r")
        == {}
    )


def test_settings_of_any_kind_become_text() -> None:
    """A tracker's setting that is no text, as public configurations have them, is written as one."""
    comet = {"type": "comet_ml", "params": {"project": {"a": 1}, "workspace": ""}}
    assert integration_variables({"integrations": [comet]}, "r") == {"COMET_PROJECT_NAME": "{'a': 1}"}
