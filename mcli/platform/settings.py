"""Settings of a platform: `platform.toml` in its data folder, which holds for every later start.

grace = 10.0
log_limit = 1073741824

[[clusters]]
name = "local"
aliases = ["r1z1"]
nodes = 2
gpus_per_node = 8
gpu_type = "a100_80gb"

[[clusters]]
name = "r9z1"
nodes = 1
gpu_type = "h100_80gb"
instance_names = ["oci.bm.gpu.h100.8"]

A run that names no cluster gets the first one that has what it asks for.
"""

from __future__ import annotations

import json
import math
import sys
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_type_hints

from mcli.platform.execution.containers import KINDS
from mcli.platform.execution.engine import GRACE
from mcli.platform.execution.log_limit import LOG_LIMIT
from mcli.platform.execution.slurm_script import SlurmSite
from mcli.platform.scheduling.cluster import Cluster, this_machine, virtual
from mcli.platform.scheduling.priorities import PRIORITIES
from mcli.platform.serving.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["OPTIONS", "ClusterSettings", "Settings", "SettingsError"]

_FILE = "platform.toml"
_HEADER = (
    "# Settings of the platform in this folder: edit this file, or use `python -m mcli.platform configure`.\n"
)
T = TypeVar("T")
_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    tuple: "a list of texts",
}


class SettingsError(RuntimeError):
    """A setting makes no sense."""


@dataclass(frozen=True)
class ClusterSettings:
    """What runs are scheduled on."""

    name: str = "local"
    aliases: tuple[str, ...] = ()
    """Further names that run configurations may call it by."""
    nodes: int = 0
    """Number of simulated nodes; 0 for this machine as it is."""
    gpus_per_node: int = 8
    """GPUs of each simulated node."""
    gpu_type: str = "a100_80gb"
    """Type of the simulated GPUs."""
    node_names: tuple[str, ...] = ()
    """Names of simulated nodes; those without one are `node-0`, `node-1` …"""
    instance_names: tuple[str, ...] = ()
    """What run configurations may call its machines with GPUs, besides their GPU type."""

    def cluster(self) -> Cluster:
        """Return the cluster: simulated, or this machine as it is now."""
        simulated = (self.nodes, self.gpus_per_node, self.gpu_type, self.node_names)
        found = virtual(*simulated) if self.nodes else this_machine()
        instances = tuple(
            replace(each, aliases=self.instance_names) if each.gpus_per_node else each
            for each in found.instances
        )
        return replace(found, id=self.name, name=self.name, aliases=self.aliases, instances=instances)


@dataclass(frozen=True)
class Settings:
    """What a platform is started with, but for its data folder."""

    port: int = 0
    """Port on 127.0.0.1; 0 for that of the last server of the folder, or else any free one."""
    grace: float = GRACE
    """Seconds that a stopped run has between SIGTERM and SIGKILL."""
    log_limit: int = LOG_LIMIT
    """Bytes of each log that are kept."""
    python: str = sys.executable
    """The Python whose packages runs find."""
    namespaces: bool = True
    """Whether `/workspace` and the other fixed folders are real for a run, where the machine allows it."""
    containers: str = "none"
    """What runs commands in their images: none, podman, docker, apptainer, or auto."""
    container_options: tuple[str, ...] = ()
    """Further options of its `run`."""
    bind: str = ""
    """Address for other machines to connect to, besides loopback."""
    endpoint: str = ""
    """URL by which other machines know the platform."""
    tls_cert: str = ""
    tls_key: str = ""
    """Files in PEM for the address; without them a pair is made."""
    plain_http: bool = False
    """Whether other machines may connect without encryption."""
    engine: str = "processes"
    """What executes runs: processes on this machine, or slurm."""
    shared: str = ""
    """Folder for the files of runs, which all nodes of Slurm see; empty for the data folder."""
    slurm_partitions: tuple[str, ...] = ()
    """Partitions for priorities, as `low=batch`."""
    slurm_preemptible_partition: str = ""
    slurm_options: tuple[str, ...] = ()
    """Further options of sbatch, as `--account=x`."""
    clusters: tuple[ClusterSettings, ...] = (ClusterSettings(),)

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise SettingsError(problem)

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Return the settings of a data folder: the defaults where its file says nothing.

        Raises:
            SettingsError: The file is not TOML, or a setting in it is unknown or makes no sense.
        """
        file = data_dir / _FILE
        try:
            return _read(cls, tomllib.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file} is not TOML: {error}") from None
        except SettingsError as error:
            raise SettingsError(f"{file}: {error}") from None

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` has written."""
        return _read(cls, plain)

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return these settings with others in their place, by the names of `OPTIONS`.

        Raises:
            SettingsError: They make no sense.
        """
        cluster = {name: value for name, value in given.items() if name in _OF_CLUSTER}
        if names := given.get("cluster_name"):
            cluster |= {"name": names[0], "aliases": tuple(names[1:])}
        own = {name: _as_stored(value) for name, value in given.items() if name in _OWN}
        return replace(self, **own, clusters=(replace(self.clusters[0], **cluster), *self.clusters[1:]))

    def options(self) -> dict[str, Any]:
        """Return the settings by the names of `OPTIONS`."""
        cluster = self.clusters[0]
        of_cluster = {name: getattr(cluster, name) for name in _OF_CLUSTER}
        names = [cluster.name, *cluster.aliases]
        return {name: getattr(self, name) for name in _OWN} | of_cluster | {"cluster_name": names}

    def slurm(self) -> SlurmSite:
        """Return what this site wants of Slurm's jobs."""
        pairs = dict(pair.split("=", 1) for pair in self.slurm_partitions)
        preemptible = self.slurm_preemptible_partition or None
        return SlurmSite(pairs, preemptible, self.slurm_options, self.python)

    def save(self, data_dir: Path) -> None:
        """Write what differs from the defaults to the file of a data folder."""
        file = data_dir / _FILE
        draft = file.with_suffix(".new")
        draft.write_text(_HEADER + "".join(f"{line}\n" for line in _lines(self)), encoding="utf-8")
        draft.replace(file)

    @property
    def outside(self) -> Outside:
        """How other machines reach the platform."""
        return Outside(self.bind, self.endpoint, self.tls_cert, self.tls_key, self.plain_http)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


_OF_CLUSTER = {"nodes", "gpus_per_node", "gpu_type"}
_OWN = {each.name for each in fields(Settings)} - {"clusters"}
OPTIONS = _OWN | _OF_CLUSTER | {"cluster_name"}
"""What the command line calls the settings; `cluster_name` is a list of the cluster's name and its aliases."""


def _read(kind: type[T], table: Mapping[str, Any]) -> T:
    hints = {each.name: get_type_hints(kind)[each.name] for each in fields(kind)}  # type: ignore[arg-type]
    values = {}
    for name, value in table.items():
        if name not in hints:
            close = get_close_matches(name, hints, 1)
            raise SettingsError(
                f"There is no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ".")
            )
        values[name] = _clusters(value) if name == "clusters" else _checked(name, hints[name], value)
    return kind(**values)


def _as_stored(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _clusters(value: object) -> tuple[ClusterSettings, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise SettingsError("clusters must be tables, each begun by [[clusters]].")
    return tuple(_read(ClusterSettings, each) for each in value)


def _checked(name: str, hint: Any, value: object) -> object:
    kind = next(each for each in _KINDS if hint is each or getattr(hint, "__origin__", None) is each)
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if type(value) is not kind:
        raise SettingsError(f"{name} must be {_KINDS[kind]}, not {value!r}.")
    return value


def _problems(settings: Settings) -> Iterator[str]:
    if not 0 <= settings.port <= 65535:
        yield f"port must be from 0 to 65535, not {settings.port}."
    if not 0 <= settings.grace < math.inf:
        yield f"grace must be a number of seconds, not {settings.grace}."
    if settings.containers not in {"none", "auto", *KINDS}:
        yield f"containers must be none, auto, {', '.join(KINDS)}, not {settings.containers!r}."
    yield from _problems_of_engine(settings)
    if settings.log_limit < 1:
        yield f"log_limit must be at least 1 byte, not {settings.log_limit}."
    names = [name for cluster in settings.clusters for name in {cluster.name, *cluster.aliases}]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        yield f"Each cluster must have names of its own; {doubled[0]!r} is there twice."
    try:
        settings.outside  # noqa: B018 - its parts are checked together
    except ValueError as error:
        yield str(error)
    for cluster in settings.clusters:
        if cluster.nodes < 0 or cluster.gpus_per_node < 0:
            yield "nodes and gpus_per_node must not be negative."
        if len(set(cluster.node_names)) != len(cluster.node_names) or len(cluster.node_names) > cluster.nodes:
            yield "node_names must differ, and must not be more than nodes."
        if not all((cluster.name, cluster.gpu_type, *cluster.aliases)):
            yield "A cluster's name, aliases and gpu_type must not be empty."


def _problems_of_engine(settings: Settings) -> Iterator[str]:
    if settings.engine not in {"processes", "slurm"}:
        yield f"engine must be processes or slurm, not {settings.engine!r}."
    for pair in settings.slurm_partitions:
        if pair.partition("=")[0] not in PRIORITIES or not pair.partition("=")[2]:
            yield f"slurm_partitions must be like low=NAME for {', '.join(PRIORITIES)}, not {pair!r}."


def _lines(settings: Settings) -> Iterator[str]:
    yield from _assignments(settings, Settings())
    for cluster in settings.clusters:
        yield "\n[[clusters]]"
        yield from _assignments(cluster, ClusterSettings(name=""))


def _assignments(given: Any, default: Any) -> Iterator[str]:
    for each in fields(given):
        value = getattr(given, each.name)
        if each.name != "clusters" and value != getattr(default, each.name):
            # JSON's texts, numbers, booleans and lists are TOML's too, but for one character
            text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            yield f"{each.name} = {text}"
