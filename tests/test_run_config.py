"""Run configurations: from Python, dictionaries and files, and to and from the wire."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
import re
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcli_mapi.input_types import RunInput

from mcli._run_input import run_input, submitted_config
from mcli._run_names import cleaned, is_image
from mcli.enums import GPUType
from mcli.exceptions import MCLIRunConfigValidationError, ValidationError
from mcli.metadata import sanitize_metadata
from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig

DATA = Path(__file__).parent / "data"
FILES = sorted((DATA / "run_configs").glob("*.yaml"))
BROKEN = {
    "e67ae2a3__mosaicml__llm-foundry__mcli__mcli-hf-eval.yaml": "line 5, column 13: could not find expected ':'",
    "mosaicml__llm-foundry__mcli__llm_as_judge_experiment.yaml": "line 53, column 18: mapping values are not",
    "zankner__llm-foundry-old__data-filtering__yamls__build_reference_loss.yaml": "line 6: 'scheduling' must be",
}
UNSENDABLE = {
    "5f99e952__zankner__llm-foundry-old__data-filtering__yamls__build_reference_loss.yaml": "'image' is missing",
    "zankner__llm-foundry-old__do-remb-mi__jobs__reference__yamls__pretrain_ref.yaml": "'gpu_num' must be a whole",
}


@pytest.fixture(autouse=True)
def _outside_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOSAICML_PLATFORM", raising=False)


def smallest(**fields: Any) -> RunConfig:
    return RunConfig(**{"name": "a", "image": "b/c:d", "command": "echo hi", **fields})


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def without_columns(told: object) -> str:
    return re.sub(r", column \d+: ('|A)", r": \1", str(told))


def quietly(path: Path) -> RunConfig:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RunConfig.from_file(path)


# In Python


def test_the_signature_is_the_documented_one() -> None:
    """`RunConfig` takes what the page says, in that order."""
    page = json.loads((DATA / "signatures.json").read_text())["classes"]["RunConfig"]["parameters"]
    assert [each["name"] for each in page] == list(inspect.signature(RunConfig).parameters)


def test_attributes_can_be_added() -> None:
    """Attributes that do not exist can be set, and do no harm."""
    config = smallest()
    config.load_path = "s3://x"  # type: ignore[attr-defined]  # what public code does
    assert run_input(smallest()) == run_input(config)


def test_defaults_are_not_shared() -> None:
    """Changing one configuration does not change another."""
    RunConfig().parameters["seed"] = 1
    assert {} == RunConfig().parameters


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_are_equal(duplicate: Any) -> None:
    """A copied or unpickled configuration equals the original."""
    config = smallest(compute={"gpus": 8}, integrations=[{"integration_type": "wandb"}])
    assert config == duplicate(config)


def test_typed_dictionaries_are_dictionaries() -> None:
    """`ComputeConfig` and `SchedulingConfig` make plain dictionaries, also with old keys."""
    config = smallest(
        compute=ComputeConfig(cluster="r1", gpus=8, node_names=["n"]),
        scheduling=SchedulingConfig(priority="low", resumable=True),
    )
    assert {"cluster": "r1", "gpus": 8, "node_names": ["n"]} == config.compute
    assert {"priority": "low", "resumable": True} == config.scheduling
    assert frozenset() == ComputeConfig.__required_keys__ | SchedulingConfig.__required_keys__


def test_the_text_is_yaml() -> None:
    """Printing a configuration shows what is set as YAML, commands as blocks."""
    config = smallest(command="cd x\ntrain", compute={"gpu_type": GPUType.T4})
    assert "name: a\nimage: b/c:d\ncompute:\n  gpu_type: t4\ncommand: |-\n  cd x\n  train\n" == f"{config}"


@pytest.mark.parametrize("text", ["\x85", "\u2028a\n", " a\n", "a\r\n", "\tx\ny", "\n", "~", "1_0", "\ufeff"])
def test_every_text_comes_back_from_yaml(text: str) -> None:
    """Texts with breaks and blanks of any kind are printed so that YAML reads them as they were."""
    config = smallest(parameters={text: text})
    assert config == RunConfig.from_dict(yaml.safe_load(str(config)))


def test_printing_never_fails() -> None:
    """What YAML has no form for is printed as its text."""
    assert "x: !" not in str(smallest(parameters={"x": complex(1, 2), "y": (1, 2)}))


def test_a_deprecated_argument_warns() -> None:
    """A deprecated argument says what to use instead, and is kept where it is."""
    with pytest.warns(UserWarning, match=r"'gpu_num' is deprecated, use 'compute\.gpus'"):
        config = RunConfig(gpu_num=8)
    assert (8, {}) == (config.gpu_num, config.compute)


def test_deprecation_warnings_can_be_turned_off() -> None:
    """With `_suppress_deprecation_warnings` nothing is said."""
    assert 8 == RunConfig(gpu_num=8, _suppress_deprecation_warnings=True).gpu_num


# From dictionaries and files


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in BROKEN], ids=lambda path: path.name
)
def test_public_files_load(path: Path) -> None:
    """A configuration that people use loads, and has the values that PyYAML gives."""
    config, data = quietly(path), yaml.safe_load(path.read_text())
    assert data.get("image") == config.image
    assert data.get("parameters", {}) == config.parameters
    assert (data.get("compute") or {}) == config.compute


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_told_with_their_line(name: str) -> None:
    """A broken file is one error that names file and line."""
    with pytest.raises(MCLIRunConfigValidationError) as caught, warnings.catch_warnings(action="ignore"):
        RunConfig.from_file(DATA / "run_configs" / name)
    assert name in str(caught.value)
    assert BROKEN[name] in without_columns(caught.value)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in BROKEN | UNSENDABLE], ids=lambda path: path.name
)
def test_public_files_can_be_sent(path: Path) -> None:
    """A configuration that people use is accepted by the schema's types, and comes back as it was."""
    config = quietly(path)
    with warnings.catch_warnings(action="ignore"):
        sent = run_input(config)
    RunInput(**sent)
    back = submitted_config(json.loads(json.dumps(sent)))
    assert back is not None
    assert (config.integrations, config.parameters) == (back.integrations, back.parameters)


@pytest.mark.parametrize("name", UNSENDABLE)
def test_templates_that_lack_something_load_but_are_not_sent(name: str) -> None:
    """A file that is to be filled in loads; sending it unfilled is an error."""
    config = quietly(DATA / "run_configs" / name)
    with pytest.raises(MCLIRunConfigValidationError, match=UNSENDABLE[name]):
        run_input(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nrun_name: b\n", "line 2: 'run_name' is unknown and ignored; did you mean 'name'?"),
        ("schudling: {}\n", "line 1: 'schudling' is unknown and ignored; did you mean 'scheduling'?"),
        ("gpus: 8\n", "line 1: 'gpus' is unknown and ignored; did you mean 'compute.gpus'?"),
        (
            "compute:\n  gpu_num: 8\n",
            "line 2: 'compute.gpu_num' is unknown and ignored; did you mean 'gpus'?",
        ),
        (
            "scheduling: {watchdog_enabled: false}\n",
            "line 1: 'scheduling.watchdog_enabled' is unknown and ignored; did you mean 'watchdogEnabled'?",
        ),
        ("replicas: 1\n", "line 1: 'replicas' is unknown and ignored"),
        ("1: 2\n", "line 1: '1' is unknown and ignored"),
        ("\n\ngpu_num: 8\n", "line 3: 'gpu_num' is deprecated, use 'compute.gpus'"),
        ("env_variables:\n- {key: A, value: 1}\n", "line 1: 'env_variables' as a list is deprecated, "),
    ],
)
def test_what_a_file_should_not_have_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    """Unknown and deprecated keys warn with file, line and what to write instead."""
    path = write(tmp_path, text)
    with pytest.warns(UserWarning, match=r"line \d") as caught:
        RunConfig.from_file(path)
    assert [True] == [without_columns(each.message).startswith(f"{path}, {said}") for each in caught]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("compute: {gpus: 8x}", "line 1: 'compute.gpus' must be a whole number, not '8x'"),
        ("compute:\n  cluster: a\n  gpus: 1.5", "line 3: 'compute.gpus' must be a whole number, not 1.5"),
        ("compute: {gpus: -1.5}", "line 1: 'compute.gpus' must be a whole number, not -1.5"),
        ("compute: {gpus: true}", "line 1: 'compute.gpus' must be a whole number, not True"),
        ("compute: {node_names: n}", "line 1: 'compute.node_names' must be a list of texts, not 'n'"),
        ("scheduling: {preemptible: 1}", "line 1: 'scheduling.preemptible' must be true or false, not 1"),
        ("scheduling: {max_duration: .inf}", "line 1: 'scheduling.max_duration' must be a number, not inf"),
        ("scheduling: [a]", "line 1: 'scheduling' must be a mapping of `key: value` lines, not a list"),
        ("name: 7", "line 1: 'name' must be a text, not 7"),
        ("parameters: 7", "line 1: 'parameters' must be a mapping, not an int"),
        (
            "integrations: {}",
            "line 1: 'integrations' must be a list of mappings, each with its 'integration_type', not a dict",
        ),
        (
            "integrations: [a]",
            "line 1: 'integrations[0]' must be a mapping with an 'integration_type', not a str",
        ),
        (
            "env_variables: [key=1]",
            "line 1: 'env_variables[0]' must be a mapping with 'key' and 'value', not a str",
        ),
        (
            "env_variables: [{value: 1}]",
            "line 1: 'env_variables[0]' must have a 'key', the name of the variable",
        ),
        ("just a text", "A run configuration must be a mapping"),
        ("", "A run configuration must be a mapping"),
        ("a: b: c", "line 1, column 5: "),
        ("a: !!python/object:x {}", "line 1, column 4: "),
        ("a: 2024-13-45", "it holds a value"),
        ("a: !!bool x", "it holds a value"),
        ("{a: 1}\n---\n{b: 2}", "line 2, column 1: "),
    ],
)
def test_what_a_file_must_not_have_is_an_error_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    """Wrong types and broken YAML are one error that names the file, and the line where there is one."""
    path = write(tmp_path, text)
    with pytest.raises(MCLIRunConfigValidationError) as caught:
        RunConfig.from_file(path)
    told = without_columns(caught.value.message)
    assert str(path) in told.splitlines()[0 if len(caught.value.problems) == 1 else 1]
    assert said in told


def test_numbers_are_those_of_yaml_1_1(tmp_path: Path) -> None:
    """Values are what PyYAML's safe loader gives."""
    config = RunConfig.from_file(
        write(tmp_path, "parameters: {a: 5e-7, b: 1.0e-3, c: yes, d: 0o17, e: 1_000}")
    )
    assert {"a": "5e-7", "b": 0.001, "c": True, "d": "0o17", "e": 1000} == config.parameters


def test_a_missing_file_is_the_builtin_error(tmp_path: Path) -> None:
    """A file that does not exist is a FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        RunConfig.from_file(str(tmp_path / "none.yaml"))


def test_nulls_are_as_good_as_nothing() -> None:
    """Sections and fields that are null are as if they were not there."""
    assert RunConfig() == RunConfig.from_dict(
        dict.fromkeys(["name", "compute", "scheduling", "command", "gpu_num"])
    )


def test_a_dictionary_is_copied() -> None:
    """Changing the configuration does not change the dictionary that it was made of."""
    data = {"compute": {"gpus": 8}, "integrations": [{"integration_type": "wandb"}]}
    config = RunConfig.from_dict(data)
    config.compute["gpus"] = 16
    config.integrations[0]["project"] = "x"
    assert {"compute": {"gpus": 8}, "integrations": [{"integration_type": "wandb"}]} == data


def test_a_list_of_variables_becomes_a_dictionary() -> None:
    """The old list of environment variables becomes a dictionary; numbers stay numbers."""
    with pytest.warns(UserWarning, match="as a list is deprecated"):
        config = RunConfig.from_dict(
            {"env_variables": [{"key": "A", "value": 1}, {"key": "B", "value": "x"}]}
        )
    assert {"A": 1, "B": "x"} == config.env_variables


# To the wire


def test_the_smallest_run() -> None:
    """The smallest run sends what the contract says, with all the empty sections."""
    assert {
        "integrations": [],
        "envVariables": [],
        "parameters": {},
        "image": "b/c:d",
        "runName": "a",
        "cpus": 0,
        "command": "echo hi",
        "scheduling": {},
        "compute": {},
        "metadata": {},
        "dependentDeployment": {},
        "parentName": None,
    } == run_input(smallest())


@pytest.mark.parametrize(
    ("fields", "key", "value"),
    [
        ({"name": None}, "runName", None),
        ({"command": "\n echo hi \n"}, "command", "echo hi"),
        ({"command": ""}, "command", ""),
        (
            {"compute": {"gpu_type": GPUType.T4, "gpus": 8.0, "node_names": ("n",), "cluster": None}},
            "compute",
            {"gpuType": "t4", "gpus": 8, "nodeNames": ["n"]},
        ),
        (
            {"scheduling": {"max_duration": 0.75, "maxRetries": 2, "watchdogEnabled": False}},
            "scheduling",
            {"maxDuration": 0.75, "maxRetries": 2, "watchdogEnabled": False},
        ),
        ({"compute": None}, "compute", {}),
        (
            {"integrations": [{"integration_type": "git_repo", "git_repo": "a/b", "ssh_clone": "False"}]},
            "integrations",
            [{"type": "git_repo", "params": {"gitRepo": "a/b", "sshClone": "False"}}],
        ),
        (
            {"integrations": [{"type": "wandb", "entity": None}]},
            "integrations",
            [{"type": "wandb", "params": {"entity": None}}],
        ),
        (
            {"env_variables": {"A": 1, "B": "x", "C": True}},
            "envVariables",
            [{"envKey": k, "envValue": v} for k, v in {"A": "1", "B": "x", "C": "True"}.items()],
        ),
        ({"env_variables": [{"key": "A", "value": "1"}]}, "envVariables", [{"envKey": "A", "envValue": "1"}]),
        ({"metadata": {"a": None, "b": {"c": None}}}, "metadata", {"b": {"c": None}}),
        (
            {"parameters": {"lr": math.inf, "day": date(2024, 1, 2), 1: (2,)}},
            "parameters",
            {"lr": "Infinity", "day": "2024-01-02", "1": [2]},
        ),
        (
            {
                "dependent_deployment": {
                    "image": "x",
                    "model": {"download_parameters": {"hf_path": "y"}},
                    "env_variables": {"A": "b"},
                }
            },
            "dependentDeployment",
            {
                "image": "x",
                "model": {"downloadParameters": {"hf_path": "y"}},
                "envVariables": [{"envKey": "A", "envValue": "b"}],
            },
        ),
        ({"parent_name": "p"}, "parentName", "p"),
    ],
)
def test_each_field_has_its_form_on_the_wire(fields: dict[str, Any], key: str, value: object) -> None:
    """Names are the wire's, None is left out, and values have the types of the schema."""
    assert value == run_input(smallest(**fields)).get(key)


def test_deprecated_fields_have_their_own_place() -> None:
    """Deprecated fields are sent beside `compute`, not in it."""
    with pytest.warns(UserWarning, match="deprecated"):
        config = smallest(gpu_num=8, gpu_type="t4", cluster="r1", cpus=2)
    sent = run_input(config)
    assert (8, "t4", "r1", 2, {}) == tuple(
        sent[key] for key in ("gpuNum", "gpuType", "cluster", "cpus", "compute")
    )


def test_a_run_inside_a_run_names_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is submitted inside of a run has that run for its parent."""
    monkeypatch.setenv("MOSAICML_PLATFORM", "True")
    monkeypatch.setenv("RUN_NAME", "outer")
    assert "outer" == run_input(smallest())["parentName"]


@pytest.mark.parametrize("platform", ["", "false", "yes"])
def test_a_name_of_another_run_is_no_parent_outside(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `RUN_NAME` that somebody set outside of the platform is nobody's parent."""
    monkeypatch.setenv("RUN_NAME", "outer")
    monkeypatch.setenv("MOSAICML_PLATFORM", platform)
    assert run_input(smallest())["parentName"] is None


def test_unknown_keys_of_sections_are_dropped_aloud() -> None:
    """A key that the platform does not take is not sent, with a warning."""
    with pytest.warns(UserWarning, match=r"'compute\.gpu_num' is unknown and ignored"):
        assert {"gpus": 8} == run_input(smallest(compute={"gpus": 8, "gpu_num": 8}))["compute"]


def test_a_variable_without_a_value_is_dropped_aloud() -> None:
    """An environment variable that is None is not sent, with a warning."""
    with pytest.warns(UserWarning, match="'env_variables.A' has no value"):
        assert [] == run_input(smallest(env_variables={"A": None}))["envVariables"]


@pytest.mark.parametrize("name", ["My Run", "my_run"])
def test_a_changed_name_is_told(name: str) -> None:
    """A name that is not valid is sent cleaned, with a warning that names both."""
    with pytest.warns(UserWarning, match=f"named 'my-run', because '{name}'"):
        assert "my-run" == run_input(smallest(name=name))["runName"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": None}, "'image' is missing"),
        ({"image": "A/b"}, "'image' must be the name of an image, not 'A/b'"),
        ({"name": 7}, "'name' must be a text, not 7"),
        ({"command": ["a"]}, "'command' must be a text"),
        ({"compute": {"gpus": "8x"}}, r"'compute\.gpus' must be a whole number, not '8x'"),
        ({"compute": "r1"}, "'compute' must be a mapping"),
        ({"scheduling": [{"resumable": False}]}, "'scheduling' must be a mapping"),
        ({"parameters": {"a": {1, 2}}}, "'parameters.a' cannot be sent: JSON has no form for a set"),
        ({"parameters": []}, None),
        ({"parameters": [1]}, "'parameters' must be a mapping"),
        ({"metadata": {("a",): 1}}, "'metadata' cannot be sent"),
        ({"env_variables": {1: "a"}}, "name of an environment variable must be a text .* not 1"),
        ({"env_variables": {"": "a"}}, "name of an environment variable must be a text"),
        ({"env_variables": "A=b"}, "'env_variables' must be a mapping"),
        ({"dependent_deployment": "x"}, "'dependent_deployment' must be a mapping"),
    ],
)
def test_what_cannot_be_sent_is_told(fields: dict[str, Any], said: str | None) -> None:
    """A value that the platform cannot take is an error that says where it is."""
    config = smallest(**fields)
    if said is None:
        assert {} == run_input(config)["parameters"]
        return
    with pytest.raises(MCLIRunConfigValidationError, match=said):
        run_input(config)


def test_errors_about_variables_show_no_value() -> None:
    """The error about an environment variable does not show its value, which may be a secret."""
    with pytest.raises(
        MCLIRunConfigValidationError, match=r"'env_variables\.KEY' must be a text, not a list"
    ) as caught:
        run_input(smallest(env_variables={"KEY": ["hidden"]}))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "integrations", ["git_repo", {"a": 1}, ["git_repo"], [{"git_repo": "a/b"}], [{"type": 1}]]
)
def test_integrations_have_a_kind(integrations: Any) -> None:
    """Integrations that are no list of mappings with a kind are a ValidationError."""
    with pytest.raises(ValidationError, match="integration"):
        run_input(smallest(integrations=integrations))


def test_sending_changes_nothing() -> None:
    """The configuration is the same after it was sent."""
    config = smallest(compute={"gpus": 8}, env_variables={"A": 1}, metadata={"a": None})
    before = copy.deepcopy(config)
    run_input(config)
    assert before == config


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a", "a"),
        ("a-1", "a-1"),
        ("a" * 63, "a" * 63),
        ("a" * 64, "a" * 64),
        ("A" * 57, "A" * 57),
        ("A" * 56, "a" * 56),
        ("My Run", "my-run"),
        ("a-", "a1"),
        ("_", "1"),
        ("-a", "11"),
        ("é", "1"),
        ("", ""),
        ("a\n", "a1"),
    ],
)
def test_names_are_cleaned_as_the_contract_says(name: str, clean: str) -> None:
    """A name that the platform would refuse becomes one that it takes, if it is short enough."""
    assert clean == cleaned(name)


@pytest.mark.parametrize(
    "image",
    ["a", "a/b:C_D.1-2", "host.io:5000/a/b:c", "a/b@sha256:0a1b", "a__b/c", "nvcr.io/nvidia/nemo:22.11"],
)
def test_images_are_accepted(image: str) -> None:
    """The name of an image is accepted."""
    assert is_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "A/b",
        "a//b",
        "a/",
        "a:",
        "a:-x",
        "a/b:c@sha256:0a",
        "ghcr.io/Org/img",
        f"a:{'t' * 129}",
        "a\n",
        "é",
        7,
    ],
)
def test_what_cannot_name_an_image_is_refused(image: Any) -> None:
    """What cannot name an image is an error of the configuration."""
    assert ["error"] == [each.severity for each in smallest(image=image).problems() if each.field == "image"]


# From the wire


def test_a_submitted_configuration_is_in_users_form() -> None:
    """What the platform kept comes back in the form that users write."""
    config = smallest(
        compute={"gpus": 8, "gpu_type": "t4", "node_names": ["n"]},
        scheduling={"max_duration": 0.5, "retry_on_system_failure": True},
        integrations=[{"integration_type": "git_repo", "git_repo": "a/b", "ssh_clone": True}],
        env_variables={"A": "b"},
        dependent_deployment={
            "model": {"download_parameters": {"hf_path": "y"}},
            "env_variables": {"A": "b"},
        },
    )
    assert config == submitted_config(run_input(config))


@pytest.mark.parametrize("original", [None, "text", [], 7])
def test_no_configuration_is_none(original: object) -> None:
    """A run without a configuration has None."""
    assert submitted_config(original) is None


def test_nulls_do_no_harm() -> None:
    """Nulls in place of any value are as if the value were not there."""
    assert RunConfig() == submitted_config(
        dict.fromkeys([*run_input(smallest()), "gpuNum", "gpuType", "cluster"])
    )


def test_nulls_inside_of_sections_do_no_harm() -> None:
    """Nulls inside of sections are left out."""
    config = submitted_config(
        {
            "compute": {"gpus": None, "cluster": "r1"},
            "scheduling": {"priority": None, "priorityInt": 3},
            "integrations": [None, {"type": "wandb", "params": None}],
            "dependentDeployment": {"model": None},
        }
    )
    assert RunConfig(compute={"cluster": "r1"}, integrations=[{"integration_type": "wandb"}]) == config


def test_what_is_no_text_is_no_value() -> None:
    """A field that another client filled with something else, or with nothing, has no value."""
    assert RunConfig() == submitted_config({"runName": "", "parentName": 7, "image": "", "command": ["a"]})


def test_unknown_keys_are_ignored() -> None:
    """Keys of a newer platform do no harm, and would not be sent back."""
    assert RunConfig(compute={"gpus": 1}) == submitted_config(
        {"newer": 1, "compute": {"gpus": 1, "newer": 2}}
    )


def test_old_places_move_into_compute() -> None:
    """What older clients sent beside `compute` is found in it, unless it has its own."""
    config = submitted_config(
        {"gpuNum": 8, "gpuType": "t4", "cluster": "r1", "cpus": 0, "compute": {"cluster": "r2"}}
    )
    assert RunConfig(compute={"gpus": 8, "gpu_type": "t4", "cluster": "r2"}) == config


def test_incomplete_variables_are_skipped_aloud() -> None:
    """An environment variable without name or value is skipped with a warning."""
    with pytest.warns(UserWarning, match="incomplete environment variable"):
        config = submitted_config({"envVariables": [{"envKey": "A"}, {"envKey": "B", "envValue": "b"}]})
    assert RunConfig(env_variables={"B": "b"}) == config


# Metadata


def test_metadata_is_copied() -> None:
    """Changing the original afterwards does not change what is sent."""
    metadata = {"loss": [1.0]}
    sanitized = sanitize_metadata(metadata)
    metadata["loss"].append(2.0)
    assert {"loss": [1.0]} == sanitized


def test_metadata_keeps_nulls() -> None:
    """None is a value of metadata."""
    assert {"a": None} == sanitize_metadata({"a": None})


@pytest.mark.parametrize("value", [object(), {1}, b"x", 1j, [object()], {"a": object()}, {(1,): 2}])
def test_what_json_does_not_know_is_dropped_aloud(value: object) -> None:
    """An entry that cannot be sent is left out with a warning; the others are sent."""
    with pytest.warns(UserWarning, match=r"metadata\['bad'\] is not sent"):
        assert {"good": 1} == sanitize_metadata({"bad": value, "good": 1})


def test_metadata_that_holds_itself_is_dropped_aloud() -> None:
    """A value that holds itself is left out with a warning."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.warns(UserWarning, match=r"metadata\['circle'\] is not sent"):
        assert {} == sanitize_metadata({"circle": circle})


def test_metadata_is_a_mapping() -> None:
    """What is no mapping is a ValidationError."""
    with pytest.raises(ValidationError, match="not a list"):
        sanitize_metadata([("a", 1)])  # type: ignore[arg-type]  # the mistake under test
