"""Which objects a command is about: the filters that get, stop and delete share, and how lists are printed."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcli.cli import console
from mcli.cli.complete import run_names

if TYPE_CHECKING:
    from mcli import Run

__all__ = ["as_list", "chosen", "confirm", "filters", "output", "show", "words"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_FILTERS = (
    click.argument("names", nargs=-1, metavar="[RUN]...", shell_complete=run_names),
    click.option("-c", "--cluster", "-p", "--platform", "cluster_names", help="On these clusters: a,b."),
    click.option("--before", help="Created before this date or time."),
    click.option("--after", help="Created at or after this date or time."),
    click.option("-t", "--gpu-type", "gpu_types", help="With GPUs of these types: a,b."),
    click.option("-n", "--gpu-num", "gpu_nums", help="With so many GPUs: 1,8."),
    click.option("-s", "--status", "statuses", help="In these statuses: failed,pending."),
    click.option("-u", "--user", "user_emails", help="Of these users, by e-mail."),
    click.option("-m", "--metadata", "metadata", help="With this key in their metadata, or KEY=VALUE."),
    click.option("-l", "--latest", is_flag=True, help="The latest run only."),
)
_LISTS = ("cluster_names", "gpu_types", "statuses", "user_emails")
_GLOB = frozenset("*?[")


def filters(command: F) -> F:
    """Give a command the options that choose runs."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def output(command: F) -> F:
    """Give a command `-o/--output`: a table for people, names or JSON for programs."""
    kinds = click.Choice(["table", "name", "json"])
    return click.option("-o", "--output", type=kinds, default="table", show_default=True)(command)


def as_list(text: str | None) -> list[str] | None:
    """Return the parts of `a,b`, or None where nothing was given.

    >>> as_list("a, b,"), as_list(None)
    (['a', 'b'], None)
    """
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def chosen(
    names: Sequence[str], *, limit: int | None = None, latest: bool = False, **options: Any
) -> list[Run]:
    """Return the runs that a command is about, the latest first.

    Args:
        names: Their names, or patterns with `*`, `?` and `[…]`; none for all of them.
        limit: How many at the most.
        latest: Whether only the latest one is meant.
        options: The other options of `filters`, and more arguments of `mcli.get_runs`.

    Raises:
        MAPIException: A name is of no run.
    """
    import mcli

    key = options.pop("metadata", None)
    wanted: dict[str, Any] = {name: as_list(options.pop(name, None)) for name in _LISTS}
    if numbers := as_list(options.pop("gpu_nums", None)):
        wanted["gpu_nums"] = _numbers(numbers)
    patterns = [name for name in names if _GLOB & set(name)]
    exact = list(names) if names and not patterns else None
    limit = 1 if latest else limit
    if limit is not None and not (patterns or key):  # else the limit counts what is kept
        options["limit"] = limit
    pages: Any = mcli.get_runs(exact, include_details=key is not None, **wanted, **options)
    found = _kept(pages if exact else pages.iter_all(), names if patterns else (), key, limit)
    _require(exact, found, is_filtered=any(wanted.values()) or key is not None)
    return found


def _kept(runs: Iterable[Run], patterns: Sequence[str], key: str | None, limit: int | None) -> list[Run]:
    name, _, value = (key or "").partition("=")
    found: list[Run] = []
    for run in runs:
        if limit is not None and len(found) >= limit:
            break
        told = run.metadata or {}
        if key and (name not in told or (value and str(told[name]) != value)):
            continue
        if not patterns or any(fnmatch.fnmatchcase(run.name, pattern) for pattern in patterns):
            found.append(run)
    return found


def _require(names: list[str] | None, found: list[Run], *, is_filtered: bool) -> None:
    missing = set(names or ()) - {run.name for run in found}
    if missing and not is_filtered:
        raise click.ClickException(
            f"There is no run {', '.join(sorted(missing))}. `mcli get runs` lists yours."
        )


def _numbers(texts: list[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise click.BadParameter(
            f"must be whole numbers: 1,8; not {','.join(texts)}", param_hint="--gpu-num"
        ) from None


def show(
    kind: str,
    rows: Sequence[T],
    columns: Mapping[str, Callable[[T], str]],
    facts: Callable[[T], dict[str, Any]],
    name_of: Callable[[T], str],
) -> None:
    """Print objects as a command's `-o` says: `table`, `name` (one a line) or `json` (one array).

    Args:
        kind: What `-o` says.
        rows: The objects.
        columns: What each column of the table shows, by its title.
        facts: The object as JSON.
        name_of: The object's name.
    """
    if kind == "json":
        click.echo(json.dumps([facts(row) for row in rows], indent=2, default=str))
    elif kind == "name":
        for row in rows:
            click.echo(name_of(row))
    elif rows:
        cells = [[make(row) for make in columns.values()] for row in rows]
        titles = list(columns)
        at = titles.index("STATUS") if "STATUS" in titles else -1
        console.table(titles, cells, console.status_colour(at))
    else:
        click.echo("Nothing found.", err=True)


def words(count: int, noun: str) -> str:
    """Return a number of things in words.

    >>> words(1, "run"), words(2, "run")
    ('1 run', '2 runs')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def confirm(question: str, names: Sequence[str], *, is_forced: bool) -> bool:
    """Ask before something is destroyed. Where nobody can be asked, only `-y` goes on.

    Raises:
        click.UsageError: There is no terminal, and `-y` was not given.
    """
    if is_forced:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"{question} There is nobody to ask here: give -y to go on.")
    for name in names:
        click.echo(f"  {name}", err=True)
    return click.confirm(question, err=True)
