"""Clusters: what there is to run on, and who uses it. `timeout` and `future`: see `mcli.runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mcli_mapi import enums
from mcli_mapi.input_types import (
    ClusterFilters,
    GetClustersInput,
    StringFilter,
    SubmissionTypeListFilter,
)

from mcli._arguments import flag, member, name_of, names_of
from mcli._core.operations import query
from mcli._core.paging import the_one
from mcli._core.transport import mapi
from mcli.cluster_details import ClusterDetails, cluster_of
from mcli.enums import SubmissionType
from mcli.pages import ObjectList

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from mcli_mapi.client import Mapi
    from mcli_mapi.fragments import ClusterFields

    from mcli._arguments import Named

__all__ = ["get_cluster", "get_clusters"]


@query
def get_cluster(
    cluster: str | Named,
    *,
    include_utilization: bool = True,
    include_all: bool = False,
    timeout: float | None = 10,
    future: Literal[False] = False,
) -> Coroutine[Any, Any, ClusterDetails]:
    """Read one cluster.

    Args:
        cluster: A `ClusterDetails`, or the name of a cluster.
        include_utilization: Whether to fetch who uses the cluster too.
        include_all: Whether to find clusters too that you may see but not use.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.

    Returns:
        The cluster.

    Raises:
        MAPIException: There is no such cluster (404), or the platform could not be asked.

    >>> import mcli
    >>> cluster = mcli.get_cluster(mcli.get_clusters()[0])
    >>> cluster.utilization.cluster_instance_utils[0].gpus_used
    0
    """
    name = name_of(cluster, "cluster")
    request = _request([name], None, include_all=include_all)
    found = _read(mapi(), request, flag("include_utilization", include_utilization))
    return the_one(
        found, (404, f"Cluster {name!r} not found", "get_clusters() lists those that you may use.")
    )


@query
def get_clusters(
    clusters: Iterable[str | Named] | None = None,
    *,
    include_utilization: bool = False,
    include_all: bool = False,
    timeout: float | None = 10,
    future: Literal[False] = False,
    submission_type_filter: str | SubmissionType | None = None,
) -> Coroutine[Any, Any, ObjectList[ClusterDetails]]:
    """List the clusters that you may use.

    Args:
        clusters: Only these, as `ClusterDetails` objects or names; an empty list selects nothing.
        include_utilization: Whether to fetch who uses the clusters too.
        include_all: Whether to list clusters too that you may see but not use.
        timeout: Seconds to wait at most; see `mcli.runs`.
        future: Whether to return a future at once; see `mcli.runs`.
        submission_type_filter: Only clusters that may be used for this, e.g. `TRAINING` or `FINETUNING`.

    Returns:
        The clusters.

    Raises:
        ValueError: The text names no submission type.
        MAPIException: The platform could not be asked.

    >>> import mcli
    >>> mcli.get_clusters(submission_type_filter="inference")
    []
    """
    names = None if clusters is None else names_of(clusters, "cluster")
    kind = submission_type_filter
    use = None if kind is None else member(SubmissionType, kind, "submission_type_filter")
    request = _request(names, use, include_all=include_all)
    return _listed(mapi(), names, request, flag("include_utilization", include_utilization))


def _request(names: list[str] | None, use: SubmissionType | None, *, include_all: bool) -> GetClustersInput:
    filters = ClusterFilters()
    if names is not None:
        filters.name = StringFilter(in_=names)
    if use is not None:
        filters.allowed_submission_types = SubmissionTypeListFilter(has=enums.SubmissionType(use.name))
    return GetClustersInput(filters=filters, include_all=flag("include_all", include_all))


async def _listed(
    client: Mapi, names: list[str] | None, request: GetClustersInput, utilization: bool
) -> ObjectList[ClusterDetails]:
    if names is not None and not names:
        return ObjectList([], ClusterDetails)  # on the wire an empty list of names selects every cluster
    return await _read(client, request, utilization)


async def _read(client: Mapi, request: GetClustersInput, utilization: bool) -> ObjectList[ClusterDetails]:
    found: Sequence[ClusterFields]
    if utilization:
        found = (await client.get_clusters_with_utilization(request)).get_clusters
    else:
        found = (await client.get_clusters(request)).get_clusters
    return ObjectList([cluster_of(each) for each in found], ClusterDetails)
