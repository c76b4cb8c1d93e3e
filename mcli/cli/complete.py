"""Completion in shells: their scripts, and names that the platform knows."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["cluster_names", "completion", "run_names", "secret_names"]

_SECONDS = 1.0
"""How long a shell waits for names after TAB."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    bash and zsh: eval "$(mcli completion bash)"; fish: mcli completion fish | source
    """
    make = get_completion_class(shell)
    if make is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(make(click.get_current_context().find_root().command, {}, "mcli", "_MCLI_COMPLETE").source())


def run_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the latest runs that begin with a text; none where the platform does not answer."""
    return _names("get_runs", incomplete, limit=50)


def cluster_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the clusters that begin with a text."""
    return _names("get_clusters", incomplete)


def secret_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the secrets that begin with a text."""
    return _names("get_secrets", incomplete)


def _names(call: str, incomplete: str, **options: int) -> list[str]:
    try:
        import mcli

        found = getattr(mcli, call)(timeout=_SECONDS, **options)
        return [each.name for each in found if each.name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a shell has no place for a message here
        return []
