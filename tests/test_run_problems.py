"""All that is wrong with a run configuration, at once, with its place."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, MCLIRunConfigValidationError, RunConfig
from mcli.exceptions import ValidationError
from tests import wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Connect

FILE = """\
name: My Run
image: Bash/x
comand: 'true'
compute:
  gpus: 8x
  gpu_num: 8
scheduling: {priority: lowset, preemptible: 1}
integrations:
- integration_type: git_rep
- project: p
env_variables:
  KEY: [hidden]
parameters:
  day: 2024-01-02
name: again
"""


def smallest(**fields: Any) -> RunConfig:
    return RunConfig(**{"name": "a", "image": "b", "command": "true", "compute": {"gpus": 0}, **fields})


def quietly(path: Path, text: str) -> RunConfig:
    path.write_text(text)
    with warnings.catch_warnings(action="ignore"):
        return RunConfig.from_file(path)


def told(config: RunConfig, severity: str = "error") -> list[str]:
    return [str(each) for each in config.problems() if each.severity == severity]


def test_a_right_configuration_has_no_problems() -> None:
    """Where nothing is wrong, nothing is told."""
    assert [] == smallest().problems()


def test_a_file_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    """Wrong types hide neither each other nor unknown keys; each has file, line, column and the line."""
    with pytest.raises(MCLIRunConfigValidationError) as refused:
        quietly(tmp_path / "run.yaml", FILE)
    found = {(each.field, each.line, each.column, each.text) for each in refused.value.problems}
    assert found == {
        ("name", 15, 1, "name: again"),
        ("comand", 3, 1, "comand: 'true'"),
        ("compute.gpus", 5, 9, "gpus: 8x"),
        ("compute.gpu_num", 6, 3, "gpu_num: 8"),
        ("scheduling.preemptible", 7, 45, "scheduling: {priority: lowset, preemptible: 1}"),
    }


def test_a_configuration_is_refused_with_all_that_is_wrong(connect: Connect, tmp_path: Path) -> None:
    """What could still be filled in is told when the run is created, with its place in the file."""
    connect(answer=(script := wire.Script({})))
    config = quietly(tmp_path / "run.yaml", FILE.replace("8x", "8").replace("preemptible: 1", ""))
    with pytest.raises(MCLIRunConfigValidationError) as refused:
        mcli.create_run(config)
    errors = {
        (each.field, each.line, each.column): each
        for each in refused.value.problems
        if each.severity == "error"
    }
    assert errors.keys() == {
        ("image", 2, 8),
        ("scheduling.priority", 7, 24),
        ("integrations[1]", 10, 3),
        ("env_variables.KEY", 12, 8),
    }
    assert "lowest" == errors["scheduling.priority", 7, 24].suggestion
    assert [] == script.calls


def test_the_message_has_every_error_and_its_line(tmp_path: Path) -> None:
    """The error's text tells each problem with file, line, column and the line itself."""
    with pytest.raises(MCLIRunConfigValidationError) as refused:
        quietly(tmp_path / "run.yaml", "compute: {gpus: 8x}\nreplicas: 2\n")
    path = tmp_path / "run.yaml"
    assert str(refused.value).splitlines() == [
        "Error 400: The run configuration has 2 problems:",
        f"{path}, line 1, column 17: 'compute.gpus' must be a whole number, not '8x'",
        "    compute: {gpus: 8x}",
        f"{path}, line 2, column 1: 'replicas' is unknown and ignored",
        "    replicas: 2",
    ]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """The line of an environment variable is not shown, nor its value."""
    config = quietly(tmp_path / "run.yaml", "image: a\nenv_variables:\n  KEY: [hidden]\n")
    (problem,) = [each for each in config.problems() if each.severity == "error"]
    assert ("env_variables.KEY", 3, None) == (problem.field, problem.line, problem.text)
    assert "hidden" not in repr(problem)


def test_a_changed_value_has_no_place(tmp_path: Path) -> None:
    """What was changed after the file was read is no longer in it."""
    config = quietly(tmp_path / "run.yaml", "image: a\ncompute: {gpus: 8}\n")
    config.compute["gpus"] = "8x"
    (problem,) = [each for each in config.problems() if each.severity == "error"]
    assert ("compute.gpus", None, None) == (problem.field, problem.file, problem.line)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_copies_know_their_file(tmp_path: Path, duplicate: Any) -> None:
    """A copied or unpickled configuration tells the same problems, with the same places."""
    config = quietly(tmp_path / "run.yaml", "comand: x\nimage: A\n")
    assert config.problems() == duplicate(config).problems()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": None}, "'image' is missing"),
        ({"image": "A/b"}, "'image' must be the name of an image, not 'A/b'"),
        ({"name": ["a"]}, "'name' must be a text, not a list"),
        ({"name": "\ud800"}, "'name' must be Unicode text"),
        ({"compute": {"gpus": -1}}, "'compute.gpus' must be 0 or more, not -1"),
        ({"compute": {"node_names": [1]}}, "'compute.node_names' must be a list of texts, not a list"),
        ({"compute": {"cluster": "\ud800"}}, "'compute.cluster' must be Unicode text"),
        ({"scheduling": {"max_duration": 0}}, "'scheduling.max_duration' must be a number of hours"),
        ({"scheduling": {"maxDuration": 604800}}, "'scheduling.maxDuration' must be a number of hours"),
        (
            {"scheduling": {"priority": "hihg"}},
            "'scheduling.priority' has the unknown value 'hihg'; did you mean",
        ),
        ({"parameters": {"a": [1, {2}]}}, "'parameters.a[1]' cannot be sent: JSON has no form for a set"),
        (
            {"parameters": {"a": "\ud800"}},
            "'parameters.a' cannot be sent: JSON has no form for a text with half",
        ),
        ({"metadata": {("a",): 1}}, "'metadata' cannot be sent: JSON has no form for a key that is a tuple"),
        ({"integrations": [{"a": 1}]}, "'integrations[0]' must have an 'integration_type'; it has a"),
        ({"integrations": [{"type": "x", "y": {1}}]}, "'integrations[0].y' cannot be sent"),
        ({"env_variables": [{"key": "A", "value": {}}]}, "'env_variables[0]' must be a text, not a dict"),
        (
            {"dependent_deployment": {"env_variables": {"A": []}}},
            "'dependent_deployment.env_variables.A' must be",
        ),
        ({"dependent_deployment": {"x": {1}}}, "'dependent_deployment.x' cannot be sent"),
    ],
    ids=str,
)
def test_each_fault_is_an_error(connect: Connect, fields: dict[str, Any], said: str) -> None:
    """A bad configuration is a MAPIException of status 400 and a ValueError, before anything is sent."""
    connect(answer=(script := wire.Script({})))
    config = smallest(**fields)
    (message,) = told(config)
    assert message.startswith(said)
    with pytest.raises(MAPIException) as refused:
        mcli.create_run(config)
    assert (400, True, []) == (refused.value.status, isinstance(refused.value, ValueError), script.calls)
    assert isinstance(refused.value, ValidationError)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"scheduling": {"priority": "urgent"}},
            "'scheduling.priority' has the unknown value 'urgent'; it is sent",
        ),
        ({"compute": {"gpu_num": 1}}, "'compute.gpu_num' is unknown and ignored; did you mean 'gpus'?"),
        (
            {"integrations": [{"type": "git_rep"}]},
            "'integrations[0]' has the unknown kind 'git_rep'; it is sent; did",
        ),
        ({"env_variables": {"A": None}}, "'env_variables.A' has no value and is not sent"),
        (
            {"name": "My Run"},
            "'name' must be lower case letters and digits, with hyphens between them: the run is",
        ),
    ],
    ids=str,
)
def test_what_is_odd_is_sent_with_a_warning(connect: Connect, fields: dict[str, Any], said: str) -> None:
    """A warning tells what is unusual, and the run is created."""
    connect(answer=(script := wire.Script({"data": {"createRun": [wire.run()]}})))
    config = smallest(**fields)
    (message,) = told(config, "warning")
    with pytest.warns(UserWarning, match="'") as warned:
        mcli.create_run(config)
    assert ([message], True, 1) == (
        [str(each.message) for each in warned],
        message.startswith(said),
        len(script.calls),
    )


@pytest.mark.parametrize(
    "priority", ["lowest", "LOW", "Medium", "standard", "auto", "default", "high", "highest"]
)
def test_known_priorities_are_sent_in_any_letter_case(connect: Connect, priority: str) -> None:
    """A priority that platforms know is sent as it is, without a word."""
    connect(answer=(script := wire.Script({"data": {"createRun": [wire.run()]}})))
    mcli.create_run(smallest(scheduling={"priority": priority}))
    assert priority == script.calls[0].variables["createRunData"]["runInput"]["scheduling"]["priority"]


NOTES: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "'name' is missing"),
    ({"command": ""}, "'command' is missing"),
    ({"name": "a" * 60}, "'name' has 60 characters"),
    ({"integrations": [{"type": "new_kind"}]}, "'integrations[0]' has the unknown kind 'new_kind'"),
    ({"integrations": [{"type": "git_repo"}]}, "'integrations[0].git_repo' is missing"),
    (
        {"integrations": [{"type": "git_repo", "git_repo": "a/b", "git_brnch": "x"}]},
        "'integrations[0].git_brnch' is unknown to platforms; did you mean 'git_branch'?",
    ),
    ({"env_variables": {"A=B": "x"}}, "'env_variables.A=B' holds what no environment takes"),
]


@pytest.mark.parametrize(("fields", "said"), NOTES, ids=[said for _, said in NOTES])
def test_what_the_platform_may_refuse_is_noted(connect: Connect, fields: dict[str, Any], said: str) -> None:
    """What only the platform can judge is a note, and sent in silence."""
    connect(answer=(script := wire.Script({"data": {"createRun": [wire.run()]}})))
    config = smallest(**fields)
    assert [True] == [each.startswith(said) for each in told(config, "note")]
    mcli.create_run(config)
    assert 1 == len(script.calls)


def test_stray_attributes_are_noted() -> None:
    """An attribute that does not exist, and is not sent, is noted with what may have been meant."""
    config = smallest()
    config.run_name = "b"  # type: ignore[attr-defined]  # what public code does
    assert ["'run_name' is unknown and ignored; did you mean 'name'?"] == told(config, "note")


def test_what_was_told_is_not_told_again(connect: Connect, tmp_path: Path) -> None:
    """A warning of the reading is not repeated when the run is created."""
    connect(answer=wire.Script({"data": {"createRun": [wire.run()]}}))
    path = tmp_path / "run.yaml"
    text = "name: a\nimage: b\ncommand: c\nreplicas: 1\ngpu_num: 8\ncompute: {gpu_num: 8}\nname: d\n"
    path.write_text(text)
    with pytest.warns(UserWarning, match="'") as warned:
        config = RunConfig.from_file(path)
    assert 4 == len(warned)
    mcli.create_run(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name: a\n\nname: b\n",
            "line 3, column 1: 'name' is given more than once, before in line 1; the last",
        ),
        (
            "compute:\n  gpus: 1\n  gpus: 2\n",
            "line 3, column 3: 'compute.gpus' is given more than once, before in",
        ),
        (
            "parameters:\n  a: [{b: 1, b: 2}]\n",
            "line 2, column 14: 'parameters.a[0].b' is given more than once",
        ),
    ],
)
def test_a_key_that_is_given_twice_is_told(tmp_path: Path, text: str, said: str) -> None:
    """Of a repeated key the lines are told, and which value counts; a merge is not a repetition."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.warns(UserWarning, match="'") as warned:
        RunConfig.from_file(path)
    assert [True] == [str(each.message).startswith(f"{path}, {said}") for each in warned]


def test_merged_keys_are_not_repeated(tmp_path: Path) -> None:
    """A key that replaces a merged one is what YAML's merges are for."""
    path = tmp_path / "run.yaml"
    path.write_text("parameters:\n  base: &base {a: 1}\n  model:\n    <<: *base\n    a: 2\n")
    assert {"a": 2} == RunConfig.from_file(path).parameters["model"]


def test_several_documents_are_told(tmp_path: Path) -> None:
    """A file of two documents is refused with the place of the second."""
    path = tmp_path / "run.yaml"
    path.write_text("name: a\n---\nname: b\n")
    with pytest.raises(MCLIRunConfigValidationError, match="line 2, column 1: a second document begins here"):
        RunConfig.from_file(path)


def test_a_variable_without_value_is_told(tmp_path: Path) -> None:
    """Of a list of variables, an item without its value is told when the run is created."""
    config = quietly(tmp_path / "run.yaml", "env_variables:\n- key: A\n- key: B\n  value: b\n")
    assert ["'env_variables.A' has no value and is not sent"] == told(config, "warning")[-1:]


def test_the_error_survives_pickle() -> None:
    """An unpickled error has the problems and the text of the original."""
    with pytest.raises(MCLIRunConfigValidationError) as refused:
        RunConfig.from_dict({"name": 7})
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(refused.value), refused.value.problems, 400) == (str(again), again.problems, again.status)


def test_the_constructor_never_fails() -> None:
    """Values are not validated when a configuration is made: only a run that is created needs right ones."""
    fields = [name for name in RunConfig.__dataclass_fields__ if not name.startswith("_")]
    config = RunConfig(**{name: object() for name in fields}, _suppress_deprecation_warnings=True)  # type: ignore[arg-type]  # wrong on purpose
    assert {each.field for each in config.problems() if each.severity == "error"} == set(fields)
