"""What holds for all values, whatever is in them."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from mcli._config_file import edited
from mcli._run_input import run_input, submitted_config
from mcli._run_names import cleaned, is_image
from mcli._run_sections import SECTIONS
from mcli._spelling import camel_case, snake_case
from mcli.exceptions import MAPIException, MCLIConfigError, MCLIRunConfigValidationError, from_graphql
from mcli.metadata import sanitize_metadata
from mcli.run_config import RunConfig
from mcli.secret_types import Secret, secret_of
from mcli.status import RunStatus
from tests import strategies as ours


@given(ours.statuses, ours.statuses, ours.statuses)
def test_the_order_of_statuses_is_total(a: RunStatus, b: RunStatus, c: RunStatus) -> None:
    """Of two statuses one is before the other, or they are the same; and before is transitive."""
    assert 1 == sum([a.before(b), b.before(a), a is b])
    assert not (a < b < c) or a < c


@given(ours.statuses, ours.statuses)
def test_comparisons_of_statuses_agree(a: RunStatus, b: RunStatus) -> None:
    """All ways to compare two statuses say the same."""
    assert (a < b) is (b > a) is a.before(b) is b.after(a) is (not a.after(b, inclusive=True))


@given(st.text() | st.none() | st.integers())
def test_every_text_is_read_as_a_status(text: Any) -> None:
    """`from_string` never raises."""
    assert RunStatus.from_string(text) in RunStatus


@given(ours.graphql_errors, st.integers(100, 599))
def test_any_errors_become_an_exception(errors: object, status: int) -> None:
    """Whatever an answer has under `errors`, it becomes a MAPIException that tells of an error and prints."""
    found = from_graphql(errors, status)
    assert isinstance(found, MAPIException)
    assert 400 <= found.status <= 599
    assert str(found).startswith("Error ")


@given(ours.mapi_exceptions)
def test_exceptions_survive_pickle(exception: MAPIException) -> None:
    """An unpickled exception has the parts of the original."""
    assert vars(exception) == vars(pickle.loads(pickle.dumps(exception)))


@given(ours.run_configs)
def test_a_configuration_comes_back_from_the_wire(config: RunConfig) -> None:
    """What was sent, and kept by the platform as JSON, is read as it was."""
    assert config == submitted_config(json.loads(json.dumps(run_input(config))))


@given(ours.run_configs)
def test_sending_leaves_the_configuration_alone(config: RunConfig) -> None:
    """A configuration is the same after it was sent."""
    before = copy.deepcopy(config)
    run_input(config)
    assert before == config


@given(ours.run_configs)
def test_a_configuration_comes_back_from_yaml(config: RunConfig) -> None:
    """The text of a configuration is YAML that reads as the same configuration."""
    assert config == RunConfig.from_dict(yaml.safe_load(str(config)) or {})


@given(st.dictionaries(st.sampled_from([*run_input(RunConfig(image="a")), "gpuNum", "x"]), ours.json_values))
def test_whatever_the_platform_kept_is_read(original: dict[str, Any]) -> None:
    """A configuration that the platform kept in an unforeseen form never makes a run unreadable."""
    with warnings.catch_warnings(action="ignore"):
        assert isinstance(submitted_config(original), RunConfig)


@given(st.dictionaries(st.sampled_from([*RunConfig().__dataclass_fields__, "x"]), ours.python_values))
def test_whatever_a_file_holds_is_read_or_refused(data: dict[str, Any]) -> None:
    """Reading a dictionary gives a configuration that prints, or the one error."""
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(MCLIRunConfigValidationError):
        assert isinstance(yaml.safe_load(str(RunConfig.from_dict(data))), dict)


@given(st.text(max_size=80))
def test_a_cleaned_name_is_clean(name: str) -> None:
    """Cleaning twice is cleaning once, and never makes a name longer than the platform takes."""
    once = cleaned(name)
    assert cleaned(once) == once
    assert len(once) <= max(63, len(name))


@given(st.from_regex(r"[a-z0-9./:@-]{1,40}", fullmatch=True))
def test_an_image_is_accepted_as_it_is_or_refused(image: str) -> None:
    """What is accepted as the name of an image is sent as it is."""
    config = RunConfig(image=image)
    with contextlib.suppress(MCLIRunConfigValidationError):
        assert (image, True) == (run_input(config)["image"], is_image(image))


@given(ours.words)
def test_spelling_goes_both_ways(name: str) -> None:
    """A Python name comes back from the wire's spelling."""
    assert name == snake_case(camel_case(name))


def test_every_key_of_a_section_comes_back() -> None:
    """The keys of compute and scheduling come back from the wire's spelling."""
    names = [name for keys in SECTIONS.values() for name in keys if name != "watchdogEnabled"]
    assert names == [snake_case(camel_case(name)) for name in names]


@given(st.dictionaries(ours.texts, ours.python_values, max_size=4))
def test_sanitized_metadata_is_json(metadata: dict[str, Any]) -> None:
    """Whatever metadata holds, what is left of it is strict JSON that comes back as it was."""
    with warnings.catch_warnings(action="ignore"):
        sanitized = sanitize_metadata(metadata)
    assert sanitized == json.loads(json.dumps(sanitized, allow_nan=False))


@given(ours.json_objects)
def test_metadata_that_is_json_is_kept(metadata: dict[str, Any]) -> None:
    """Metadata that JSON can hold is sent as it is."""
    assert metadata == sanitize_metadata(metadata)


@given(ours.secrets())
def test_no_repr_shows_a_secret(secret: Secret) -> None:
    """Neither repr nor text of a secret has its value."""
    values = [value for name, value in vars(secret).items() if str(value).startswith(f"<{name}>")]
    hidden = [value for value in values if not value.startswith("<key>")]
    assert hidden
    assert not any(value in repr(secret) + str(secret) for value in hidden)


@given(ours.secrets())
def test_a_secret_comes_back_without_its_value(secret: Secret) -> None:
    """What the platform tells of a stored secret is read as that kind of secret."""
    ((_, stored),) = secret.to_wire().items()
    back = secret_of(secret.name, secret.secret_type.wire, stored.get("metadata", {}), secret.created_at)
    assert (type(secret), repr(secret)) == (type(back), repr(back))


_FILES = st.dictionaries(
    st.sampled_from(["MOSAICML_API_KEY", "mcloud_envs", "feature_flags", "newer"]),
    ours.scalars | st.dictionaries(ours.texts, ours.texts, max_size=3),
)


@given(
    _FILES,
    st.booleans(),
    st.sampled_from([("MOSAICML_API_KEY",), ("mcloud_envs", "DEV"), ("feature_flags", "ALPHA_TESTER")]),
    ours.keys | st.none(),
)
def test_editing_the_file_changes_one_value(
    data: dict[str, Any], flow: bool, path: tuple[str, ...], value: str | None
) -> None:
    """However the file looks, the edited value is in it, and all else means what it meant."""
    text = yaml.safe_dump(data, default_flow_style=flow)
    after = yaml.safe_load(edited(text, {path: value}, Path("file")))
    assert {key: inner for key, inner in data.items() if key != path[0]} == {
        key: inner for key, inner in after.items() if key != path[0]
    }
    found = after.get(path[0])
    assert value == (found.get(path[1]) if len(path) == 2 and isinstance(found, dict) else found)


@given(st.text(max_size=60))
def test_a_file_of_any_text_is_edited_or_refused(text: str) -> None:
    """Editing a text that is no configuration raises the one error, or gives a file with the value."""
    try:
        after = edited(text, {("MOSAICML_API_KEY",): "abc"}, Path("file"))
    except MCLIConfigError:
        return
    assert "abc" == yaml.safe_load(after)["MOSAICML_API_KEY"]
