# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.cluster_details import (
    ClusterDetails,
    ClusterUtilization,
    DeploymentUtilization,
    Instance,
    InstanceNode,
    InstanceUtilization,
    RunUtilization,
)

__all__ = [
    "ClusterDetails",
    "ClusterUtilization",
    "DeploymentUtilization",
    "Instance",
    "InstanceNode",
    "InstanceUtilization",
    "RunUtilization",
]
