"""The verbs that take a noun. The commands themselves live beside their nouns."""

from __future__ import annotations

import click

from mcli.cli.group import Group

__all__ = ["create", "delete", "describe", "diff", "get", "set_", "stop", "unset", "update"]


@click.group(
    cls=Group,
    lazy={
        "runs": ("runs:get_runs", "Runs, the latest first"),
        "clusters": ("clusters:get_clusters", "Clusters that runs can go to"),
        "secrets": ("secrets:get_secrets", "Secrets, without their values"),
        "finetuning-runs": ("finetunes:get_finetuning_runs", "Finetuning runs, the latest first"),
    },
)
def get() -> None:
    """List objects."""


@click.group(
    cls=Group,
    lazy={
        "run": ("runs:describe_run", "A run: status, compute, resumptions, configuration"),
        "cluster": ("clusters:describe_cluster", "A cluster: instances and nodes"),
        "finetuning-run": ("finetunes:describe_finetuning_run", "A finetuning run: status, data, events"),
        "me": ("account:describe_me", "The user whose API key is used"),
    },
)
def describe() -> None:
    """Show one object in full."""


@click.group(
    cls=Group,
    lazy={
        "runs": ("runs:stop_runs", "Stop runs"),
        "finetuning-runs": ("finetunes:stop_finetuning_runs", "Stop finetuning runs"),
    },
)
def stop() -> None:
    """Stop objects."""


@click.group(
    cls=Group,
    lazy={
        "runs": ("runs:delete_runs", "Delete runs and their logs"),
        "finetuning-runs": ("finetunes:delete_finetuning_runs", "Delete finetuning runs"),
        "secrets": ("secrets:delete_secrets", "Delete secrets"),
    },
)
def delete() -> None:
    """Delete objects."""


@click.group(cls=Group, lazy={"run": ("runs:update_run", "Priority, retries, limit of a run")})
def update() -> None:
    """Change the settings of an object."""


@click.group(cls=Group, lazy={"run": ("runs:diff_runs", "The configurations of two runs")})
def diff() -> None:
    """Compare two objects."""


@click.group(cls=Group, lazy={"secret": ("secrets:create_secret", "A secret of one of several kinds")})
def create() -> None:
    """Create objects."""


@click.group(
    "set",
    cls=Group,
    lazy={
        "api-key": ("account:set_api_key", "The API key of this machine"),
        "feature": ("account:set_feature", "A feature flag"),
    },
)
def set_() -> None:
    """Set something in the configuration of this machine."""


@click.group(cls=Group, lazy={"feature": ("account:unset_feature", "A feature flag")})
def unset() -> None:
    """Take something out of the configuration of this machine."""
