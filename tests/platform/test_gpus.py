"""The GPUs of this machine, as runs are given them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import this_machine
from mcli.platform.scheduling.gpus import parse_gpus, select_gpus
from tests.platform.caller import Caller

if TYPE_CHECKING:
    from pathlib import Path

A100, DISPLAY = "NVIDIA A100-SXM4-80GB, 81920", "NVIDIA DGX Display, 4096"


def table(*cards: str) -> str:
    """Return what nvidia-smi says of cards."""
    return "".join(f"{index}, GPU-{index:04}, {card}\n" for index, card in enumerate(cards))


def selected(text: str, visible: str | None = None) -> list[str]:
    return [gpu.cuda_id for gpu in select_gpus(parse_gpus(text), visible)]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of what `nvidia-smi` answers on this machine."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer'}; exit 15\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "answer"


@pytest.mark.parametrize(
    ("card", "gpu_type"),
    [
        ("NVIDIA H100 80GB HBM3, 81559", "h100_80gb"),
        ("Tesla V100-SXM2-16GB, 16384", "v100_16gb"),
        ("Tesla T4, 15360", "t4"),
        ("NVIDIA GeForce RTX 3080, 10240", "3080"),
        ("NVIDIA GB10, [N/A]", "gb10"),
    ],
)
def test_gpus_get_the_names_of_the_platform(card: str, gpu_type: str) -> None:
    """What nvidia-smi calls a card is turned into the platform's name of its type."""
    assert [gpu_type] == [gpu.type for gpu in parse_gpus(table(card))]


@pytest.mark.parametrize("first", [A100, DISPLAY])
def test_a_display_card_is_given_to_nobody(first: str) -> None:
    """Cards of the most capable kind keep their own numbers, whatever stands between or before them."""
    text = table(first, A100, A100, DISPLAY, A100)
    assert [number for number, card in enumerate(text.splitlines()) if "A100" in card] == list(
        map(int, selected(text))
    )


def test_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the card that runs are not given, and the line that describes no card."""
    with caplog.at_level(logging.WARNING):
        selected(table(A100, DISPLAY) + "Unable to determine the device handle for GPU1: GPU is lost.\n")
    assert ["GPU is lost", "DGX Display"] == [
        word
        for record in caplog.records
        for word in ("GPU is lost", "DGX Display")
        if word in record.getMessage()
    ]


@pytest.mark.parametrize(
    "broken", ["1, [Unknown Error], [Unknown Error], [Unknown Error]", "GPU is lost", ""]
)
def test_a_lost_card_costs_one_card(broken: str) -> None:
    """Without one card the others go by their UUIDs, because CUDA numbers only what works."""
    lines = table(A100, A100, A100).splitlines()
    lines[1] = broken
    assert ["GPU-0000", "GPU-0002"] == selected("\n".join(lines))


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", ["2", "0"]),
        (" 1 ", ["1"]),
        ("GPU-0001,GPU-0002", ["1", "2"]),
        ("0,7,1", ["0"]),
        ("1,1,0", ["1"]),
        ("-1", []),
        ("", []),
        ("GPU-", []),
    ],
)
def test_what_the_user_hides_is_given_to_nobody(visible: str, expected: list[str]) -> None:
    """The user's own CUDA_VISIBLE_DEVICES limits what runs are given, read as CUDA reads it."""
    assert expected == selected(table(A100, A100, A100), visible)


def test_a_machine_without_cards_has_none() -> None:
    """An answer without cards is no GPU, and no error."""
    assert [] == selected("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")


def test_this_machine_has_its_cards(say: Path) -> None:
    """The cluster of this machine counts the cards that runs are given, and knows their names."""
    say.write_text(table(A100, DISPLAY, A100))
    cluster = this_machine()
    assert ("a100_80gb", 2) == (cluster.instances[0].name, cluster.instances[0].gpus_per_node)
    assert "2" == cluster.nodes[0].cuda_devices([1])


def test_a_run_sees_its_cards_by_their_own_numbers(say: Path) -> None:
    """Two runs on a machine with a display between its cards see one card each, and not the display."""
    say.write_text(table(A100, DISPLAY, A100))
    with Platform(grace=1) as platform:
        caller = Caller(platform)
        command = "echo $CUDA_DEVICE_ORDER $CUDA_VISIBLE_DEVICES; sleep 60"
        names = [caller.create(command, compute={"gpus": 1}) for _ in range(2)]
        for name in names:
            caller.wait_for_log(name, b"\n")
        assert {b"PCI_BUS_ID 0\n", b"PCI_BUS_ID 2\n"} == {caller.logs(name) for name in names}
        caller.close()
