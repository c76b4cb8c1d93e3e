"""Commands about clusters."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mcli._words import age
from mcli.cli import console
from mcli.cli.choose import output, show
from mcli.cli.complete import cluster_names

if TYPE_CHECKING:
    from mcli import ClusterDetails

__all__ = ["describe_cluster", "get_clusters", "util"]


@click.command("clusters")
@output
def get_clusters(output: str) -> None:
    """List the clusters that runs can go to."""
    import mcli

    columns = {
        "NAME": lambda cluster: cluster.name,
        "PROVIDER": lambda cluster: cluster.provider,
        "GPUS": _gpus,
        "NODES": _nodes,
    }
    show(output, mcli.get_clusters(), columns, asdict, lambda cluster: cluster.name)


@click.command("cluster")
@click.argument("name", metavar="CLUSTER", shell_complete=cluster_names)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def describe_cluster(name: str, output: str) -> None:
    """Show a cluster's instances and nodes."""
    import mcli

    cluster = mcli.get_cluster(name, include_utilization=False)
    if output == "json":
        click.echo(json.dumps(asdict(cluster), indent=2, default=str))
        return
    click.echo(f"{console.paint(cluster.name)}  {cluster.provider}\n")
    head = ("INSTANCE", "GPU TYPE", "GPUS A NODE", "NODES", "CPUS", "MEMORY", "REQUESTS")
    rows = [
        (
            each.name,
            each.gpu_type or "none",
            str(each.gpus),
            str(each.nodes),
            str(each.cpus or ""),
            each.memory or "",
            ", ".join(map(str, each.gpu_nums)),
        )
        for each in cluster.cluster_instances
    ]
    console.table(head, rows)


@click.command()
@click.argument("names", nargs=-1, metavar="[CLUSTER]...", shell_complete=cluster_names)
@click.option("--hide-users", is_flag=True, help="Do not show whose runs they are.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def util(names: tuple[str, ...], hide_users: bool, output: str) -> None:
    """Tell how much of the clusters is used, and by which runs."""
    import mcli

    found = mcli.get_clusters(list(names) or None, include_utilization=True)
    if output == "json":
        click.echo(json.dumps([asdict(cluster) for cluster in found], indent=2, default=str))
        return
    for cluster in found:
        _use(cluster, hide_users=hide_users)


def _use(cluster: ClusterDetails, *, hide_users: bool) -> None:
    click.echo(console.paint(cluster.name))
    used = cluster.utilization
    if used is None:
        click.echo("  not told")
        return
    for each in used.cluster_instance_utils:
        click.echo(f"  {each.instance.name}: {each.gpus_used} of {each.gpus_total} GPUs used")
    rows = [
        (
            run.name,
            state,
            "" if hide_users else run.user,
            str(run.gpus),
            age(run.created_at),
            run.reason or "",
        )
        for state, runs in (("active", used.active_runs_by_user), ("queued", used.queued_runs_by_user))
        for run in runs
    ]
    if rows:
        console.table(("RUN", "STATE", "USER", "GPUS", "AGE", "REASON"), rows)


def _gpus(cluster: ClusterDetails) -> str:
    with_gpus = [each for each in cluster.cluster_instances if each.gpus]
    return ", ".join(f"{each.gpus * each.nodes}x {each.gpu_type}" for each in with_gpus) or "none"


def _nodes(cluster: ClusterDetails) -> str:
    """Return how many nodes there are: one may be in several instances, with its GPUs and without."""
    named = {node.name for each in cluster.cluster_instances for node in each.node_details}
    return str(len(named) or max((each.nodes for each in cluster.cluster_instances), default=0))
