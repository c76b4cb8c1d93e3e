"""Another import path of listing clusters."""

from mcli.clusters import get_cluster, get_clusters

__all__ = ["get_cluster", "get_clusters"]
