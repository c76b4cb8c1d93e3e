# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.clusters import get_cluster, get_clusters

__all__ = ["get_cluster", "get_clusters"]
