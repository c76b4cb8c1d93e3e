"""Hypothesis strategies for the values of the SDK."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from mcli import secret_types
from mcli.exceptions import MAPIException
from mcli.run_config import RunConfig
from mcli.secret_types import Secret, SecretType
from mcli.status import RunStatus

statuses = st.sampled_from(RunStatus)

times = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
"""Moments at which platforms work."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Texts that UTF-8 can hold."""

words = st.from_regex(r"[a-z]{2,8}(_[a-z]{2,8}){0,2}", fullmatch=True)
"""Names in Python's spelling."""

run_names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
"""Names that the platform takes as they are."""

images = st.sampled_from(["a", "a/b:C_D.1-2", "host.io:5000/a/b:c", "a/b@sha256:0a1b", "a__b/c"])

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts

json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""Values that JSON brings back as they were."""

json_objects = st.dictionaries(texts, json_values, max_size=4)

python_values = st.recursive(
    scalars | st.floats() | st.binary(max_size=3) | st.complex_numbers() | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(scalars, inner, max_size=3)
        | st.sets(st.integers(), max_size=2)
    ),
    max_leaves=6,
)
"""Values of which JSON knows many and others not."""


def _some(entries: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Give mappings with some of these entries."""
    return st.fixed_dictionaries({}, optional=entries)


counts = st.integers(0, 4096)

computes = _some(
    {
        "cluster": texts,
        "instance": texts,
        "gpu_type": texts,
        "gpus": counts,
        "cpus": counts,
        "nodes": counts,
        "node_names": st.lists(texts, max_size=3),
    }
)

schedulings = _some(
    {
        "priority": st.sampled_from(["auto", "low", "lowest"]),
        "preemptible": st.booleans(),
        "max_retries": counts,
        "retry_on_system_failure": st.booleans(),
        "max_duration": st.floats(0.01, 1e4),
        "resumable": st.booleans(),
        "watchdogEnabled": st.booleans(),
    }
)

integrations = st.builds(
    lambda kind, params: {"integration_type": kind, **params},
    st.sampled_from(["git_repo", "wandb", "pip_packages", "apt_packages", "mlflow"]),
    st.dictionaries(
        words.filter(lambda word: word not in {"type", "integration_type"}), json_values, max_size=3
    ),
)

env_variables = st.dictionaries(texts.filter(bool), texts, max_size=3)

deployments = st.builds(
    lambda top, inner, variables: {**top, **inner, **variables},
    st.dictionaries(words, texts, max_size=2),
    st.dictionaries(words, st.dictionaries(words, texts, max_size=2), max_size=2),
    _some({"env_variables": env_variables}),
)

run_configs = st.builds(
    RunConfig,
    name=run_names,
    parent_name=st.none() | run_names,
    image=images,
    command=texts.map(str.strip),
    compute=computes,
    scheduling=schedulings,
    parameters=json_objects,
    integrations=st.lists(integrations, max_size=3),
    env_variables=env_variables,
    metadata=json_objects.map(
        lambda entries: {key: value for key, value in entries.items() if value is not None}
    ),
    dependent_deployment=deployments,
)
"""Configurations that can be sent, and come back as they were."""

keys = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=47)
"""What an API key may look like."""

secret_kinds = st.sampled_from(
    [
        getattr(secret_types, name)
        for name in secret_types.__all__
        if name.endswith("Secret") and name != "Secret"
    ]
)

_SECRET_PARTS = {
    SecretType.environment: ("key", "value"),
    SecretType.hugging_face: ("token",),
    SecretType.s3: ("config", "credentials", "profile"),
    SecretType.oci: ("config", "key_file"),
    SecretType.docker_registry: ("username", "password", "email", "server"),
    SecretType.databricks: ("host", "token"),
}


@st.composite
def secrets(draw: st.DrawFn) -> Secret:
    """Give secrets that can be created; their values can be told from all else."""
    kind = draw(secret_kinds)
    parts = _SECRET_PARTS.get(kind.secret_type, ("value",))
    values = {part: f"<{part}> {draw(texts)}" for part in parts}
    secret: Secret = kind(name=draw(run_names), created_at=draw(st.none() | times), **values)
    return secret


mapi_exceptions = st.builds(
    MAPIException, st.integers(400, 599), texts.filter(bool), st.none() | texts.filter(bool)
)

graphql_errors = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["message", "extensions", "code", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
"""What a GraphQL server may answer under `errors`, and what it may not."""
