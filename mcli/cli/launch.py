"""Commands that launch runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcli.cli.choose import as_list
from mcli.cli.complete import cluster_names, run_names
from mcli.cli.logs import follow as follow_log

if TYPE_CHECKING:
    from mcli import Run, RunConfig

__all__ = ["interactive", "run"]

F = TypeVar("F", bound=Callable[..., Any])

_COMPUTE = ("cluster", "gpu_type", "gpus", "instance", "nodes", "node_names")
_SCHEDULING = ("priority", "preemptible", "max_retries", "max_duration")
_OVERRIDES = (
    click.option("--name", "--run-name", help="Name of the run."),
    click.option("--image", help="Image that it runs in."),
    click.option("--priority", help="auto, low or lowest."),
    click.option(
        "--preemptible/--no-preemptible", default=None, help="Whether others may stop and queue it."
    ),
    click.option("--max-retries", "--max_retries", type=int, help="How often it is tried again."),
    click.option("--max-duration", type=float, metavar="HOURS", help="Hours after which it is stopped."),
    click.option("--cluster", "--platform", shell_complete=cluster_names, help="Where it runs."),
    click.option("--gpu-type", help="Type of its GPUs."),
    click.option("--gpus", type=int, help="GPUs in all."),
    click.option("--instance", help="Kind of machine."),
    click.option("--nodes", type=int, help="Machines."),
    click.option("--node-names", help="These machines: a,b."),
)


def _overrides(command: F) -> F:
    for option in reversed(_OVERRIDES):
        command = option(command)
    return command


@click.command()
@click.option("-f", "--file", type=click.Path(dir_okay=False), help="YAML file of the run.")
@click.option(
    "-r", "--restart", metavar="RUN", shell_complete=run_names, help="Start a run again that has ended."
)
@click.option("--clone", metavar="RUN", shell_complete=run_names, help="Launch what another run was.")
@_overrides
@click.option("--follow/--no-follow", default=False, help="Follow the log; end as the run ends.")
@click.option("--dry-run", is_flag=True, help="Show what would be launched, and launch nothing.")
def run(
    file: str | None, restart: str | None, clone: str | None, follow: bool, dry_run: bool, **overrides: Any
) -> None:
    """Launch a run from a YAML file; options go before what the file says."""
    import mcli

    if sum(each is not None for each in (file, restart, clone)) != 1:
        raise click.UsageError("Give one of --file, --restart and --clone.")
    given = _given(overrides)
    if restart is not None:
        if given or dry_run:
            raise click.UsageError("A run is started again as it is: --restart goes with --follow only.")
        _launched(mcli.start_run(restart), follow)
        return
    config = mcli.RunConfig.from_file(file) if file is not None else _of(str(clone))
    _override(config, given)
    if dry_run:
        click.echo(str(config), nl=False)
        return
    _launched(mcli.create_run(config), follow)


@click.command()
@click.argument("hours", required=False, type=float)
@click.option("--hours", "more_hours", type=float, help="How long it waits; default: 1.")
@_overrides
def interactive(hours: float | None, more_hours: float | None, **overrides: Any) -> None:
    """Launch a run that waits for HOURS, to work in."""
    import mcli

    seconds = round((hours or more_hours or 1) * 3600)
    config = mcli.RunConfig(name="interactive", image="mosaicml/pytorch", compute={"gpus": 0}, command="")
    _override(config, _given(overrides))
    _launched(mcli.create_interactive_run(config, seconds=seconds), follow=False)


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in overrides.items() if value is not None}
    if "node_names" in found:
        found["node_names"] = as_list(found["node_names"])
    return found


def _override(config: RunConfig, given: dict[str, Any]) -> None:
    config.name = given.get("name", config.name)
    config.image = given.get("image", config.image)
    for section, names in (("compute", _COMPUTE), ("scheduling", _SCHEDULING)):
        over = {name: given[name] for name in names if name in given}
        setattr(config, section, {**getattr(config, section), **over})


def _of(name: str) -> RunConfig:
    """Return the configuration that a run was launched with."""
    import mcli

    config = mcli.get_run(name).submitted_config
    if config is None:
        raise click.ClickException(f"The platform does not know the configuration of {name}.")
    return config


def _launched(run: Run, follow: bool) -> None:
    if not follow:
        click.echo(run.name)
        click.echo(f"Follow its log: mcli logs {run.name} -f", err=True)
        return
    click.echo(f"Launched {run.name}", err=True)
    ended = follow_log(run)
    sys.stdout.flush()
    raise click.exceptions.Exit(ended)
