"""Commands about finetuning runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcli._words import age
from mcli.cli import console
from mcli.cli.choose import as_list, confirm, output, show, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli import Finetune

__all__ = [
    "delete_finetuning_runs",
    "describe_finetuning_run",
    "finetune",
    "get_finetuning_runs",
    "stop_finetuning_runs",
]

_NAMES = click.argument("names", nargs=-1, required=True, metavar="RUN...")
_FORCE = click.option("-y", "--force", is_flag=True, help="Do not ask.")


@click.command("finetuning-runs")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option("-s", "--status", "statuses", help="In these statuses: failed,pending.")
@click.option("-u", "--user", "user_emails", help="Of these users, by e-mail.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@output
def get_finetuning_runs(
    names: tuple[str, ...], statuses: str | None, user_emails: str | None, limit: int, output: str
) -> None:
    """List finetuning runs, the latest first."""
    import mcli

    found = mcli.get_finetuning_runs(
        list(names) or None,
        statuses=as_list(statuses),
        user_emails=as_list(user_emails),
        include_details=True,
        limit=limit,
    )
    columns: dict[str, Callable[[Finetune], str]] = {
        "NAME": lambda run: run.name,
        "STATUS": lambda run: run.status.name,
        "AGE": lambda run: age(run.created_at),
        "MODEL": lambda run: run.model or "",
        "REASON": lambda run: run.reason or "",
    }
    show(output, found, columns, _facts, lambda run: run.name)


@click.command("finetuning-run")
@click.argument("name", metavar="RUN")
def describe_finetuning_run(name: str) -> None:
    """Show a finetuning run and its events."""
    import mcli

    found = mcli.get_finetuning_runs([name], include_details=True)
    if not found:
        raise click.ClickException(f"There is no finetuning run {name}. `mcli get ft` lists yours.")
    run = found[0]
    click.echo(
        f"{console.paint(run.name)}  {console.status(run.status.name)}  {console.plain(run.reason or '')}"
    )
    told = {"Model": run.model, "Data": run.train_data_path, "Save to": run.save_folder}
    for label, value in told.items():
        click.echo(f"  {label:<8} {value}")
    events = [
        (f"{event.event_time:%Y-%m-%d %H:%M:%S}", event.event_type, event.event_message)
        for event in mcli.list_finetuning_events(run)
    ]
    if events:
        click.echo()
        console.table(("TIME", "EVENT", "MESSAGE"), events)


@click.command("finetuning-runs")
@_NAMES
@_FORCE
@click.option("--reason", help="Why; others read it.")
def stop_finetuning_runs(names: tuple[str, ...], force: bool, reason: str | None) -> None:
    """Stop finetuning runs."""
    import mcli

    if confirm(f"Stop {words(len(names), 'finetuning run')}?", names, is_forced=force):
        mcli.stop_finetuning_runs(list(names), reason=reason)
        click.echo(f"Stopped {words(len(names), 'finetuning run')}.", err=True)


@click.command("finetuning-runs")
@_NAMES
@_FORCE
def delete_finetuning_runs(names: tuple[str, ...], force: bool) -> None:
    """Delete finetuning runs."""
    import mcli

    if confirm(f"Delete {words(len(names), 'finetuning run')}?", names, is_forced=force):
        mcli.delete_finetuning_runs(list(names))
        click.echo(f"Deleted {words(len(names), 'finetuning run')}.", err=True)


@click.command()
@click.option("-f", "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML file.")
@click.option("--model", help="Hugging Face model, e.g. mosaicml/mpt-7b.")
@click.option("--task-type", help="INSTRUCTION_FINETUNE, CONTINUED_PRETRAIN or CHAT_COMPLETION.")
@click.option("--train-data-path", help="Where the training data are.")
@click.option("--save-folder", help="Where checkpoints go.")
@click.option("--eval-data-path", help="Where the evaluation data are.")
@click.option("--training-duration", help="How long: 1ep, 100ba, 5000tok.")
@click.option("--learning-rate", type=float)
@click.option("--context-length", type=int, help="Tokens.")
@click.option("--custom-weights-path", help="A checkpoint to start from.")
@click.option(
    "--disable-credentials-check", is_flag=True, default=None, help="Start without checking access."
)
def finetune(file: Path | None, **options: Any) -> None:
    """Finetune a model; options go before what the file says."""
    import yaml

    import mcli

    written = yaml.safe_load(file.read_text("utf-8")) if file is not None else {}
    if not isinstance(written, dict):
        raise click.ClickException(f"{file} must hold the settings of a finetuning run, by name.")
    settings = {**written, **{name: value for name, value in options.items() if value is not None}}
    missing = [name for name in ("model", "train_data_path", "save_folder") if not settings.get(name)]
    if missing:
        raise click.UsageError(f"Missing: {', '.join('--' + name.replace('_', '-') for name in missing)}.")
    try:
        made: Any = mcli.create_finetuning_run(**settings)
    except TypeError as error:
        raise click.ClickException(f"{file}: {error}") from None
    click.echo(made.name)
    click.echo(f"Follow its log: mcli logs {made.name} -f", err=True)


def _facts(run: Finetune) -> dict[str, Any]:
    return {
        "name": run.name,
        "id": run.id,
        "status": run.status.name,
        "reason": run.reason,
        "created_at": run.created_at.isoformat(),
        "created_by": run.created_by,
        "model": run.model,
        "train_data_path": run.train_data_path,
        "save_folder": run.save_folder,
    }
