"""The GPUs of this machine, as `nvidia-smi` tells them."""

from __future__ import annotations

import logging
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Gpu", "parse_gpus", "select_gpus", "usable_gpus"]

log: logging.Logger = logging.getLogger(__name__)

_QUERY = "index,uuid,name,memory.total"
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Gpu:
    """One card."""

    index: int
    """Its number in the order of PCI addresses, which CUDA shares with `CUDA_DEVICE_ORDER=PCI_BUS_ID`."""
    uuid: str
    name: str
    mebibytes: int
    cuda_id: str = ""
    """What `CUDA_VISIBLE_DEVICES` calls it."""

    @property
    def type(self) -> str:
        """The platform's name of its kind.

        >>> Gpu(0, "GPU-1", "NVIDIA A100-SXM4-80GB", 81920).type, Gpu(0, "GPU-1", "NVIDIA GeForce RTX 3090", 24576).type
        ('a100_80gb', '3090')
        """
        words = self.name.lower().replace("-", " ").split()
        model = next((word for word in words if any(letter.isdigit() for letter in word)), "gpu")
        if model[0].isdigit():
            return model  # consumer cards go by their number alone
        gigabytes = round(self.mebibytes / 1024)
        return model if model in {"t4", "k80"} or not gigabytes else f"{model}_{gigabytes}gb"


def usable_gpus(visible: str | None) -> list[Gpu]:
    """Return the cards of this machine that runs are given; `visible` is the user's own `CUDA_VISIBLE_DEVICES`."""
    # a card that fell off the bus fails the command as a whole, which still tells of the others
    query = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]  # MiB
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except FileNotFoundError:
        return []
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("No GPUs are used: nvidia-smi fails (%s).", error)
        return []
    return select_gpus(parse_gpus(answer.stdout), visible)


def parse_gpus(table: str) -> list[Gpu]:
    """Read the lines of nvidia-smi; what is no description of a card that works is left out, and the log says so.

    >>> parse_gpus("1, GPU-ab, Tesla T4, 15360\\nUnable to determine the device handle for GPU0: GPU is lost.\\n")
    [Gpu(index=1, uuid='GPU-ab', name='Tesla T4', mebibytes=15360, cuda_id='')]
    """
    found = []
    for line in filter(None, map(str.strip, table.splitlines())):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4 and fields[0].isdecimal() and (memory := _mebibytes(fields[3])) is not None:
            found.append(Gpu(int(fields[0]), fields[1], fields[2], memory))
        else:
            log.warning("A GPU is left out: nvidia-smi says %r.", line)
    return found


def _mebibytes(text: str) -> int | None:
    """Read a size; 0 for cards that share the machine's memory, None for those that do not answer."""
    if text in {"[N/A]", "[Not Supported]"}:
        return 0
    return int(text) if text.isdecimal() else None


def select_gpus(gpus: Sequence[Gpu], visible: str | None) -> list[Gpu]:
    """Return the cards of one kind, the most capable one, among those that the user wants to be visible.

    Mixed cards cannot be one instance: what a run gets would depend on chance. Most capable is the kind whose cards
    have the most memory, among equals the one of which there are more. A card goes by its index, or by its UUID where
    the numbers have gaps, since CUDA counts only cards that work.
    """
    has_gaps = [gpu.index for gpu in gpus] != list(range(len(gpus)))
    wanted = gpus if visible is None else _visible(gpus, visible)
    counts = Counter(gpu.type for gpu in wanted)
    best = max(wanted, key=lambda gpu: (gpu.mebibytes, counts[gpu.type]), default=None)
    kind = best.type if best else None
    for gpu in wanted:
        if gpu.type != kind:
            log.warning("GPU %d (%s) is left out: it is not of the kind %s.", gpu.index, gpu.name, kind)
    kept = [gpu for gpu in wanted if gpu.type == kind]
    return [_named(gpu, gpu.uuid if has_gaps else str(gpu.index)) for gpu in kept]


def _named(gpu: Gpu, cuda_id: str) -> Gpu:
    return Gpu(gpu.index, gpu.uuid, gpu.name, gpu.mebibytes, cuda_id)


def _visible(gpus: Iterable[Gpu], visible: str) -> list[Gpu]:
    """Read `CUDA_VISIBLE_DEVICES` as CUDA does: indices or beginnings of UUIDs; what is unknown hides all after it."""
    chosen: list[Gpu] = []
    for word in map(str.strip, visible.split(",")):
        found = [gpu for gpu in gpus if _is_meant(gpu, word)]
        if len(found) != 1 or found[0] in chosen:
            break
        chosen += found
    return chosen


def _is_meant(gpu: Gpu, word: str) -> bool:
    return str(gpu.index) == word or (word.startswith("GPU-") and gpu.uuid.startswith(word))
