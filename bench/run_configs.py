"""Play the run configurations of public projects on a platform that has their clusters: `python -m bench.run_configs`.

Each file is submitted twice: as it is, and with a name and `gpus: 8` filled in where they are absent. Commands are
replaced by `true`, and nothing is executed. What is refused is printed with all that is wrong.
"""

from __future__ import annotations

import sys
import tomllib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import mcli
from mcli.platform.settings import Settings
from mcli.testing import local_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "run_configs"

SETTINGS = """
[[clusters]]
name = "r1z1"
aliases = ["r1z2", "r7z17", "r7z22p1", "r8z6", "vision-cluster", "YOUR_CLUSTER_NAME"]
nodes = 4

[[clusters]]
name = "r12z3"
aliases = ["r0z0", "r7z2"]
nodes = 16
gpu_type = "a100_40gb"

[[clusters]]
name = "r9z1"
aliases = ["r14z2", "r14z3", "r14z3p2", "r15z4", "r15z4p1", "r15z4p4", "prod-azure-eastus2-mlserv-0-7yzjpxp1"]
nodes = 128
gpu_type = "h100_80gb"
instance_names = ["oci.bm.gpu.h100.8", "azure.Standard_ND96isr_H100_v5"]

[[clusters]]
name = "a10"
nodes = 2
gpus_per_node = 2
gpu_type = "a10"
instance_names = ["oci.vm.gpu.a10.1", "oci.vm.gpu.a10.2"]
"""
"""A `platform.toml` with the clusters that the files name."""


@dataclass(frozen=True)
class Played:
    """What became of a file."""

    file: str
    asks: bool
    """Whether it has a name, and says how many GPUs or nodes it wants."""
    problem: str | None
    """Why it was refused as it is; None if it was accepted."""
    problem_when_filled: str | None
    """The same with a name and `gpus: 8` where they are absent."""


def play() -> list[Played]:
    """Submit all files."""
    settings = Settings.from_dict(tomllib.loads(SETTINGS))
    nodes = tuple(node_names())
    clusters = tuple(each.cluster() for each in named(settings, nodes).clusters)
    with local_platform(scripts={}, cluster=clusters), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [played(file) for file in sorted(FOLDER.glob("*.yaml"))]


def named(settings: Settings, nodes: tuple[str, ...]) -> Settings:
    """Give the nodes of the cluster with H100s the names that one of the files asks for."""
    plain = settings.to_dict()
    plain["clusters"][2]["node_names"] = list(nodes)
    return Settings.from_dict(plain)


def node_names() -> Iterator[str]:
    """Name the nodes that the files ask for."""
    for file in FOLDER.glob("*.yaml"):
        yield from (read(file).get("compute") or {}).get("node_names") or ()


def read(file: Path) -> dict[str, Any]:
    """Return the mapping that a file holds; nothing if it is not YAML."""
    try:
        return dict(yaml.safe_load(file.read_text("utf-8")) or {})
    except yaml.YAMLError:
        return {}


def played(file: Path) -> Played:
    """Submit one file as it is and filled in."""
    content = read(file)
    return Played(
        file.name,
        bool(content.get("name")) and any(each is not None for each in counts(content)),
        submit(file.read_text("utf-8")),
        submit(yaml.safe_dump(filled(content))) if content else "It is not YAML.",
    )


def counts(content: dict[str, Any]) -> list[object]:
    """Return what a configuration says of the number of GPUs or nodes, in every place for it."""
    compute = content.get("compute") or {}
    return [compute.get("gpus"), compute.get("nodes"), content.get("gpu_num"), content.get("gpus")]


def filled(content: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with a name and `gpus: 8` where they are absent."""
    compute = dict(content.get("compute") or {})
    if all(each is None for each in counts(content)):
        compute["gpus"] = 8
    name = content.get("name") or content.get("run_name") or "filled-in"
    return {**content, "name": name, "compute": compute}


def submit(text: str) -> str | None:
    """Submit a configuration with another command; returns why it was refused."""
    try:
        config = mcli.RunConfig.from_dict(yaml.safe_load(text))
        config.command = "true"
        mcli.stop_run(mcli.create_run(config))
    except (mcli.MAPIException, ValueError, yaml.YAMLError) as error:
        return str(error)
    return None


def main() -> int:
    """Print what was refused, and how many were not."""
    files = play()
    asking = [each for each in files if each.asks]
    for each in files:
        if each.problem_when_filled:
            print(f"{each.file}\n    {each.problem_when_filled}")
        if each.asks and each.problem:
            print(f"{each.file} AS IT IS\n    {each.problem}")
    as_they_are = sum(each.problem is None for each in asking)
    all_filled = sum(each.problem_when_filled is None for each in files)
    print(f"accepted as they are: {as_they_are} of {len(asking)} with a name and a number of GPUs")
    print(f"accepted with a name and gpus filled in: {all_filled} of {len(files)}")
    return 0 if as_they_are == len(asking) and all_filled >= 50 else 1


if __name__ == "__main__":
    sys.exit(main())
