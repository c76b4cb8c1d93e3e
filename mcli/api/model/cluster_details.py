"""Another import path of clusters and their parts."""

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
