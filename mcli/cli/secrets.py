"""Commands about secrets. Values are asked for and not shown: others can read a command line, and shells keep it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcli._words import age
from mcli.cli.choose import as_list, confirm, output, show, words
from mcli.cli.complete import secret_names

if TYPE_CHECKING:
    from mcli import Secret

__all__ = ["create_secret", "delete_secrets", "get_secrets"]


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class _Kind:
    """A kind of secret, as it is asked for."""

    of: str
    """Its class in `mcli`."""
    hidden: tuple[str, ...] = ()
    """Fields that are asked for without an echo."""
    shown: tuple[str, ...] = ()
    """Fields that are asked for with one."""
    files: tuple[str, ...] = ()
    """Fields whose value is the content of a file, whose path is asked for."""


_KINDS = {
    "env": _Kind("MCLIEnvVarSecret", shown=("key",), hidden=("value",)),
    "hf": _Kind("HuggingFaceSecret", hidden=("token",)),
    "mounted": _Kind("MCLIMountedSecret", hidden=("value",)),
    "docker": _Kind("MCLIDockerRegistrySecret", shown=("username", "email", "server"), hidden=("password",)),
    "ssh": _Kind("MCLISSHSecret", files=("value",)),
    "git-ssh": _Kind("MCLIGitSSHSecret", files=("value",)),
    "sftp-ssh": _Kind("MCLISFTPSSHSecret", files=("value",)),
    "s3": _Kind("MCLIS3Secret", files=("config", "credentials")),
    "gcp": _Kind("MCLIGCPSecret", files=("value",)),
    "oci": _Kind("MCLIOCISecret", files=("config", "key_file")),
    "databricks": _Kind("MCLIDatabricksSecret", shown=("host",), hidden=("token",)),
}


@click.command("secrets")
@click.option("--type", "types", help="Only these kinds: a,b.")
@output
def get_secrets(types: str | None, output: str) -> None:
    """List secrets, without their values."""
    import mcli

    columns = {
        "NAME": lambda secret: secret.name,
        "TYPE": lambda secret: str(secret.secret_type),
        "AGE": lambda secret: age(secret.created_at) if secret.created_at else "",
    }
    show(output, mcli.get_secrets(secret_types=as_list(types)), columns, _facts, lambda secret: secret.name)


def _facts(secret: Secret) -> dict[str, Any]:
    return {
        "name": secret.name,
        "secret_type": str(secret.secret_type),
        "created_at": secret.created_at and secret.created_at.isoformat(),
        "id": secret.id,
    }


@click.command("secrets")
@click.argument("names", nargs=-1, required=True, metavar="SECRET...", shell_complete=secret_names)
@click.option("-y", "--force", is_flag=True, help="Do not ask.")
def delete_secrets(names: tuple[str, ...], force: bool) -> None:
    """Delete secrets."""
    import mcli

    if confirm(f"Delete {words(len(names), 'secret')}?", names, is_forced=force):
        mcli.delete_secrets(list(names))
        click.echo(f"Deleted {words(len(names), 'secret')}.", err=True)


@click.command("secret")
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.argument("pair", required=False, metavar="[KEY=VALUE]")
@click.option("--name", help="Name of the secret.")
@click.option("--mount-path", help="Where its file is in runs, for kinds that are one file.")
@click.option("--mount-directory", help="Where its files are in runs, for s3 and oci.")
@click.option("--value-from", type=_FILE, help="Value from a file.")
@click.option("--no-input", is_flag=True, help="Ask nothing; what is missing is an error.")
def create_secret(
    kind: str,
    pair: str | None,
    name: str | None,
    value_from: Path | None,
    no_input: bool,
    **mounts: str | None,
) -> None:
    """Create a secret of a KIND. What is not given is asked for, values without an echo."""
    import mcli

    asked = _KINDS[kind]
    values: dict[str, Any] = {key: value for key, value in mounts.items() if value is not None}
    if pair is not None:
        if kind != "env" or "=" not in pair:
            raise click.UsageError("KEY=VALUE is for secrets of the kind env.")
        values["key"], _, values["value"] = pair.partition("=")
    if value_from is not None:
        field = (asked.hidden or asked.files)[0]
        values[field] = value_from.read_text("utf-8")
    missing = [field for field in (*asked.shown, *asked.hidden, *asked.files) if field not in values]
    if no_input and (missing or not name):
        raise click.UsageError(f"Missing: {', '.join([*missing, *([] if name else ['--name'])])}.")
    name = name or click.prompt("Name", default=values.get("key", kind).lower().replace("_", "-"), err=True)
    values |= {field: _ask(asked, field) for field in missing}
    made = mcli.create_secret(getattr(mcli, asked.of)(name=name, **values))
    click.echo(made.name)


def _ask(kind: _Kind, field: str) -> str:
    label = field.replace("_", " ").capitalize()
    if field not in kind.files:
        answer: str = click.prompt(label, hide_input=field in kind.hidden, err=True)
        return answer
    path: Path = click.prompt(f"{label}, a file", type=_FILE, err=True)
    return path.expanduser().read_text("utf-8")
