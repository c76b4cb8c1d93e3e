"""Commands about this machine's configuration and its user."""

from __future__ import annotations

import click

from mcli.cli import console

__all__ = ["config", "describe_me", "init", "set_api_key", "set_feature", "unset_feature", "version"]


@click.command()
def version() -> None:
    """Print the version."""
    from mcli._version import __version__

    click.echo(__version__)


@click.command("api-key")
@click.argument("key", required=False)
@click.option("-y", "--force", is_flag=True, help="Do not ask before another key is replaced.")
def set_api_key(key: str | None, force: bool) -> None:
    """Set the API key of this machine. Without KEY it is asked for, and not shown."""
    _set_key(key, force)


@click.command()
@click.option("--no-input", is_flag=True, help="Ask nothing.")
def init(no_input: bool) -> None:
    """Set up this machine: ask for the API key and keep it."""
    if no_input:
        raise click.UsageError("Without input there is no key: `mcli set api-key KEY` sets one.")
    _set_key(None, is_forced=False)


def _set_key(key: str | None, is_forced: bool) -> None:
    import mcli

    known = mcli.MCLIConfig.load_config().api_key
    if known and not is_forced and not click.confirm("Replace the API key that is there?", err=True):
        return
    mcli.set_api_key(key or click.prompt("API key", hide_input=True, err=True))
    click.echo("The API key is set.", err=True)


@click.command()
def config() -> None:
    """Show the configuration of this machine; of the key only whether it is there."""
    import mcli
    from mcli.config import config_path, endpoint, mode

    found = mcli.MCLIConfig.load_config()
    rows = {
        "File": str(config_path()),
        "Mode": mode().name,
        "Endpoint": endpoint(),
        "API key": "set" if found.api_key else "not set",
        "Features": ", ".join(f"{name}={value}" for name, value in found.feature_flags.items()),
    }
    for label, value in rows.items():
        if value:
            click.echo(f"{label:<9} {value}")


@click.command("feature")
@click.argument("name")
def set_feature(name: str) -> None:
    """Switch a feature flag on."""
    _flag(name, is_on=True)


@click.command("feature")
@click.argument("name")
def unset_feature(name: str) -> None:
    """Take a feature flag away."""
    _flag(name, is_on=False)


def _flag(name: str, *, is_on: bool) -> None:
    import mcli

    known = [flag.name for flag in mcli.FeatureFlag]
    if name.upper() not in known:
        raise click.BadParameter(f"must be one of {', '.join(known)}, not {name!r}", param_hint="NAME")
    found = mcli.MCLIConfig.load_config()
    flags = {key: value for key, value in found.feature_flags.items() if key != name.upper()}
    found.feature_flags = {**flags, name.upper(): True} if is_on else flags
    found.save_config()


@click.command("me")
def describe_me() -> None:
    """Show the user whose API key is used."""
    import mcli

    user = mcli.get_current_user()
    click.echo(f"{console.paint(user.name)}  {user.email}")
    for organization in user.organizations:
        click.echo(f"  Organization  {organization.name}")
