"""Commands about runs that were launched."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from mcli._words import age, compute, span
from mcli.cli import console
from mcli.cli.choose import chosen, confirm, filters, output, show, words
from mcli.cli.complete import run_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli import Run

__all__ = [
    "delete_runs",
    "describe_run",
    "diff_runs",
    "get_runs",
    "latest",
    "stop_runs",
    "update_run",
    "watchdog",
]


@click.command("runs")
@filters
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@click.option("--include-deleted", is_flag=True, help="Deleted runs as well.")
@click.option("--ids", is_flag=True, help="Show the unique identifiers too.")
@output
def get_runs(names: tuple[str, ...], output: str, ids: bool, **options: Any) -> None:
    """List runs, the latest first. A name may be a pattern: 'bert-*'."""
    columns: dict[str, Callable[[Run], str]] = {
        "NAME": lambda run: run.name,
        "STATUS": lambda run: run.status.name,
        "AGE": lambda run: age(run.created_at),
        "COMPUTE": compute,
        "CLUSTER": lambda run: run.cluster,
        "USER": lambda run: run.created_by.partition("@")[0],
    }
    if ids:
        columns["ID"] = lambda run: run.run_uid
    columns["REASON"] = lambda run: run.reason or ""
    show(output, chosen(names, **options), columns, facts, lambda run: run.name)


@click.command("run")
@click.argument("name", required=False, metavar="[RUN]", shell_complete=run_names)
@click.option("--no-yaml", is_flag=True, help="Leave out the configuration.")
@click.option("--yaml-only", is_flag=True, help="Only the configuration.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def describe_run(name: str | None, no_yaml: bool, yaml_only: bool, output: str) -> None:
    """Show a run in full; the latest without RUN."""
    import mcli

    run = mcli.get_run(name or latest())
    if yaml_only:
        click.echo(str(run.submitted_config), nl=False)
    elif output == "json":
        show("json", [run], {}, facts, lambda run: run.name)
    else:
        _describe(run, with_yaml=not no_yaml)


def _describe(run: Run, *, with_yaml: bool) -> None:
    reason = f"  {console.plain(run.reason)}" if run.reason else ""
    click.echo(f"{console.paint(run.name)}  {console.status(run.status.name)}{reason}")
    preemptible = "preemptible" if run.preemptible else "not preemptible"
    told = {
        "Compute": f"{compute(run)} on {run.cluster}",
        "Image": run.image,
        "Created": f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC, {age(run.created_at)} ago, by {run.created_by}",
        "Priority": f"{run.priority}, {preemptible}",
        "Limit": f"{run.max_duration:g} hours" if run.max_duration else None,
        "Retries": str(run.max_retries) if run.max_retries else None,
        "Resumptions": str(len(run.resumptions)) if len(run.resumptions) > 1 else None,
        "Nodes": ", ".join(f"{node.name} {node.status.name.lower()}" for node in run.nodes),
        "Metadata": ", ".join(f"{key}={value}" for key, value in (run.metadata or {}).items()),
    }
    for label, value in told.items():
        if value:
            click.echo(f"  {label:<11} {console.plain(value)}")
    click.echo("\nLIFECYCLE")
    for step in run.lifecycle:
        if step.started_at is not None:
            end = "" if run.status.is_terminal() else "until now"
            took = span((step.ended_at - step.started_at).total_seconds()) if step.ended_at else end
            click.echo(f"  {step.started_at:%H:%M:%S}  {step.status.name.capitalize():<12} {took}".rstrip())
    if with_yaml and run.submitted_config:
        click.echo("\nCONFIGURATION")
        click.echo("".join(f"  {line}\n" for line in str(run.submitted_config).splitlines()), nl=False)


@click.command("runs")
@filters
@click.option("-a", "--all", "everything", is_flag=True, help="All your runs.")
@click.option("-y", "--force", is_flag=True, help="Do not ask.")
@click.option("--reason", help="Why; others read it.")
def stop_runs(reason: str | None, **options: Any) -> None:
    """Stop runs."""
    import mcli

    found = _to_change(**options, verb="Stop", is_wanted=lambda run: not run.status.is_terminal())
    if found:
        mcli.stop_runs(found, reason=reason)
        click.echo(f"Stopped {words(len(found), 'run')}.", err=True)


@click.command("runs")
@filters
@click.option("-a", "--all", "everything", is_flag=True, help="All your runs.")
@click.option("-y", "--force", is_flag=True, help="Do not ask.")
def delete_runs(**options: Any) -> None:
    """Delete runs and their logs; those that go on are stopped first."""
    import mcli

    found = _to_change(**options, verb="Delete", is_wanted=lambda _: True)
    if found:
        mcli.delete_runs(found)
        click.echo(f"Deleted {words(len(found), 'run')}.", err=True)


def _to_change(
    names: tuple[str, ...],
    *,
    verb: str,
    everything: bool,
    force: bool,
    is_wanted: Callable[[Run], bool],
    **options: Any,
) -> list[Run]:
    """Return the runs to change once the person has said yes: none where nothing is left to do."""
    if not (names or everything or any(options.values())):
        raise click.UsageError(
            f"Name the runs to {verb.lower()}, or choose them by options; --all means all of them."
        )
    found = [run for run in chosen(names, **options) if is_wanted(run)]
    if not found:
        click.echo(f"No run to {verb.lower()}.", err=True)
        return []
    question = f"{verb} {words(len(found), 'run')}?"
    return found if confirm(question, [run.name for run in found], is_forced=force) else []


@click.command("run")
@click.argument("name", metavar="RUN", shell_complete=run_names)
@click.option("--priority", help="auto, low or lowest.")
@click.option(
    "--preemptible/--no-preemptible", default=None, help="Whether others may stop and queue it again."
)
@click.option("--max-retries", "--max_retries", type=int, help="How often it is tried again.")
@click.option("--max-duration", type=float, metavar="HOURS", help="Hours after which it is stopped.")
def update_run(name: str, **options: Any) -> None:
    """Change the settings of a run."""
    import mcli

    given = {key: value for key, value in options.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change was given.")
    mcli.update_run(name, **given)
    click.echo(f"Updated {name}.", err=True)


@click.command()
@click.argument("name", metavar="RUN", shell_complete=run_names)
@click.option("--max-retries", type=click.IntRange(0), default=10, show_default=True, help="Retries in all.")
@click.option("--disable", is_flag=True, help="No retries any more.")
def watchdog(name: str, max_retries: int, disable: bool) -> None:
    """Have a run tried again when the system fails."""
    import mcli

    if mcli.get_run(name, include_details=False).status.is_terminal():
        raise click.ClickException(f"Run {name} has ended.")
    mcli.update_run(name, retry_on_system_failure=not disable, max_retries=0 if disable else max_retries)
    click.echo(f"The watchdog of {name} is {'off' if disable else 'on'}.", err=True)


@click.command("run")
@click.argument("names", nargs=2, metavar="RUN RUN", shell_complete=run_names)
def diff_runs(names: tuple[str, str]) -> None:
    """Compare the configurations of two runs; exit status 1 where they differ."""
    import mcli

    one, other = (str(mcli.get_run(name).submitted_config).splitlines(keepends=True) for name in names)
    lines = list(difflib.unified_diff(one, other, *names))
    for line in lines:
        code = {"+": 32, "-": 31, "@": 36}.get(line[0])
        click.echo(console.paint(line.rstrip("\n"), code))
    raise click.exceptions.Exit(1 if lines else 0)


def latest() -> Run:
    """Return the latest run of the user.

    Raises:
        click.ClickException: There is none.
    """
    import mcli

    found = mcli.get_runs(limit=1)
    if not found:
        raise click.ClickException("You have no runs yet: `mcli run -f FILE.yaml` launches one.")
    return found[0]


def facts(run: Run) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "name": run.name,
        "run_uid": run.run_uid,
        "status": run.status.name,
        "reason": run.reason,
        "created_at": run.created_at.isoformat(),
        "started_at": run.started_at and run.started_at.isoformat(),
        "completed_at": run.completed_at and run.completed_at.isoformat(),
        "created_by": run.created_by,
        "cluster": run.cluster,
        "gpus": run.gpus,
        "gpu_type": run.gpu_type,
        "node_count": run.node_count,
        "cpus": run.cpus,
        "image": run.image,
        "priority": run.priority,
        "preemptible": run.preemptible,
        "max_retries": run.max_retries,
        "max_duration": run.max_duration,
        "metadata": run.metadata,
    }
