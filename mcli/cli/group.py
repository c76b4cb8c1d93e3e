"""Groups of commands whose modules are imported when one of them is used."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Group"]

_SHORT = {
    "c": "config",
    "cluster": "clusters",
    "finetuning-run": "finetuning-runs",
    "ft": "finetuning-runs",
    "g": "get",
    "log": "logs",
    "r": "run",
    "run": "runs",
    "secret": "secrets",
    "utilization": "util",
}
"""What people type for a command. A command's own name goes first: `run` launches, `get run` lists."""


class Group(click.Group):
    """A group that knows its commands by name only, with the short forms that people know by heart.

    Args:
        lazy: Where each command is, as `module:object` below `mcli.cli`, and its line of help.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy: Mapping[str, tuple[str, str]] = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self._spelt_out(ctx, cmd_name)
        if name not in self.lazy:
            return super().get_command(ctx, name)
        module, _, attribute = self.lazy[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"mcli.cli.{module}"), attribute)
        return command

    def _spelt_out(self, ctx: click.Context, name: str) -> str:
        known = self.list_commands(ctx)
        if name in known:
            return name
        short = _SHORT.get(name, name)
        singular = {plural: one for one, plural in _SHORT.items() if one in known}
        return short if short in known else singular.get(short, singular.get(name, name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = self.list_commands(ctx)
            near = difflib.get_close_matches(args[0], known, 1) or difflib.get_close_matches(
                args[0], _SHORT, 1
            )
            if not near or near[0] in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        # click's own imports each command for its line of help
        own = {name: command.get_short_help_str() for name, command in self.commands.items()}
        rows = [(name, text) for name, (_, text) in self.lazy.items()] + list(own.items())
        with formatter.section("Commands"):
            formatter.write_dl(rows)
