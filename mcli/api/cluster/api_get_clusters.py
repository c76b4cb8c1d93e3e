"""Another import path of `get_cluster` and `get_clusters`."""

from mcli.clusters import get_cluster, get_clusters

__all__ = ["get_cluster", "get_clusters"]
