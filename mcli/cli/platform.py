"""`mcli platform`: the platform's own command line, `python -m mcli.platform`, under the name that people type."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import click

from mcli.cli import console

__all__ = ["platform"]


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def platform(arguments: tuple[str, ...]) -> None:
    """Start, stop and look after the platform on this machine: `mcli platform --help`.

    It is the command line of `python -m mcli.platform`; `status` is for people here, and `status -o json` for programs.
    """
    if arguments[:1] == ("status",) and not {"-h", "--help"} & set(arguments):
        raise click.exceptions.Exit(_status(list(arguments)))
    raise click.exceptions.Exit(_run(list(arguments)))


def _run(arguments: list[str]) -> int:
    try:
        from mcli.platform.__main__ import main
    except ImportError as error:
        raise click.ClickException(
            f"The platform needs the extra `local` of this package: {error.name} is not installed."
        ) from None
    try:
        return main(arguments)
    except SystemExit as end:  # argparse has told why
        return end.code if isinstance(end.code, int) else 1


def _status(arguments: list[str]) -> int:
    wants_json = [word for word in arguments if word in {"-o", "json", "--output", "--output=json", "-ojson"}]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        ended = _run([word for word in arguments if word not in wants_json])
    if wants_json or not told.getvalue().startswith("{"):
        click.echo(told.getvalue(), nl=False)
        return ended
    found: dict[str, Any] = json.loads(told.getvalue())
    if not found.pop("running"):
        click.echo(f"Not running. Its data are in {found['data_dir']}.\n  mcli platform start", err=True)
        return ended
    click.echo(f"{console.status('RUNNING')}: {found.pop('endpoint')} (process {found.pop('pid')})")
    for name, value in found.items():
        click.echo(f"  {name.replace('_', ' ').capitalize():<14} {_text(value)}")
    return ended


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    return str(value)
