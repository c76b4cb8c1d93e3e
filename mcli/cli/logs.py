"""`mcli logs`, and what `mcli run --follow` does after the launch."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from mcli._words import span
from mcli.cli import console
from mcli.cli.complete import run_names
from mcli.cli.runs import latest

if TYPE_CHECKING:
    from mcli import Run

__all__ = ["follow", "logs"]

_SECONDS_PER_DRAWING = 0.25


@click.command()
@click.argument("name", required=False, metavar="[RUN]", shell_complete=run_names)
@click.option(
    "-f", "--follow/--no-follow", "is_followed", default=False, help="Go on until the run has ended."
)
@click.option("-t", "--tail", type=click.IntRange(0), help="Only so many lines at the end.")
@click.option("--resumption", type=click.IntRange(0), help="Of this resumption, from 0; default: the latest.")
@click.option("--prev", is_flag=True, help="Of the resumption before the latest.")
@click.option("--node-rank", "--node", "--rank", "node_rank", type=click.IntRange(0), help="Of this node.")
@click.option(
    "--local-gpu-rank", "--gpu", "local_gpu_rank", type=click.IntRange(0), help="Of this GPU of the node."
)
@click.option("--global-gpu-rank", type=click.IntRange(0), help="Of this GPU of the whole run.")
@click.option("-c", "--container", help="Of this container.")
@click.option("--failed", is_flag=True, help="Of the first node that failed.")
def logs(
    name: str | None, is_followed: bool, tail: int | None, prev: bool, failed: bool, **options: Any
) -> None:
    """Print the log of a run; of the latest without RUN.

    With --follow the exit status is 0 if the run completed, else 1.
    """
    import mcli

    run = mcli.get_run(name or latest())
    if prev:
        options["resumption"] = _previous(run)
    given = {key: value for key, value in options.items() if value is not None}
    if is_followed and not failed:
        raise click.exceptions.Exit(follow(run, tail=tail, **given))
    lines: Any = mcli.get_run_logs(run, failed=failed, **given)
    for line in lines if tail is None else deque(lines, tail):
        sys.stdout.write(line)


def _previous(run: Run) -> int:
    if len(run.resumptions) < 2:
        raise click.ClickException(f"{run.name} has one resumption only.")
    return len(run.resumptions) - 2


def follow(run: Run, *, tail: int | None = None, **options: Any) -> int:
    """Print the log as it grows, above a line that tells where the run is. Return 0 if the run completed, else 1."""
    line = console.LiveLine()
    try:
        ended = asyncio.run(_follow(run, line, tail, options))
    except KeyboardInterrupt:
        line.close()
        click.echo(
            f"\n{run.name} goes on. Follow it again: mcli logs {run.name} -f    Stop it: mcli stop run {run.name}",
            err=True,
        )
        return 130
    finally:
        line.close()
    reason = f" ({console.plain(ended.reason)})" if ended.reason else ""
    click.echo(f"{ended.name}: {ended.status.name.capitalize()}{reason}", err=True)
    return 0 if ended.status.name == "COMPLETED" else 1


async def _follow(run: Run, line: console.LiveLine, tail: int | None, options: dict[str, Any]) -> Run:
    """Do the three things at once: print the log, watch the statuses, count the seconds."""
    from mcli import aio

    now, since = run, time.monotonic()

    async def watch() -> None:
        nonlocal now, since
        async for seen in aio.watch_run_status(run, timeout=None):
            now, since = seen, time.monotonic()

    async def draw() -> None:
        while True:
            waited = span(time.monotonic() - since)
            line.show(f"{now.status.name.capitalize()} {waited}  {now.name}  {now.reason or ''}")
            await asyncio.sleep(_SECONDS_PER_DRAWING)

    if tail is not None:
        so_far = await aio.get_run_logs(run, **options) if run.started_at else ""
        options["tail"] = len("".join(deque(so_far.splitlines(keepends=True), tail)))
    async with asyncio.TaskGroup() as tasks:
        watching, drawing = tasks.create_task(watch()), tasks.create_task(draw())
        async for text in aio.follow_run_logs(run, timeout=None, **options):
            line.print(text)
        await watching
        drawing.cancel()
    return await aio.get_run(run)
