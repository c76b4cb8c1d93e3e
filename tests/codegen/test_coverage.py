"""The report on how much of a schema is in use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from codegen.coverage import main

ZOO = Path(__file__).parent / "awkward"


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Return the report on another API whose code reads lives and tricks alone."""
    shutil.copytree(ZOO, tmp_path, dirs_exist_ok=True)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "reader.py").write_text(
        'def f(cat, dog): return cat.lives, getattr(dog, "tricks")\n'
    )
    settings = (tmp_path / "zoo.toml").read_text("utf-8")
    (tmp_path / "zoo.toml").write_text(f'readers = ["code"]\n{settings}', "utf-8")
    assert main(["--json", "--config", str(tmp_path / "zoo.toml")]) == 0
    found: dict[str, list[str]] = json.loads(capsys.readouterr().out)
    return found


def test_a_field_that_no_operation_asks_for(report: dict[str, list[str]]) -> None:
    """Fields that are not selected are told, and those that are selected are not."""
    assert {"Cat.age", "Fish.name"} <= set(report["never_selected"])
    assert not {"Cat.lives", "Animal.age"} & set(report["never_selected"])


def test_a_field_that_is_selected_and_never_read(report: dict[str, list[str]]) -> None:
    """A field that no code mentions is told; an attribute or a text with its name is a mention."""
    assert {"Dog.price", "Animal.age"} <= set(report["never_read"])
    assert not {"Cat.lives", "Dog.tricks"} & set(report["never_read"])


def test_an_argument_that_is_never_sent(report: dict[str, list[str]]) -> None:
    """Arguments without a variable are told; those of our operations are not."""
    assert not {"Query.pets(first:)", "PetInput.nick", "Which"} & set(report["never_sent"])
    assert [] == report["never_sent"]


def test_the_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the report on MAPI is a few lists, each with its length."""
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "fields are selected (" in told.splitlines()[0]
    assert "Never selected: " in told
