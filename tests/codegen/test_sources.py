"""What is said of sources that have mistakes, or that use what is deprecated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen.__main__ import main
from tests.codegen.conftest import edit

ZOO = Path(__file__).parent / "awkward"


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Return a copy of another API's sources, without a package."""
    return shutil.copytree(ZOO, tmp_path / "zoo")


def generate(zoo: Path, *options: str) -> int:
    return main(["--config", str(zoo / "zoo.toml"), *options])


def test_all_mistakes_are_told_at_once(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its file, line, column and operation, the line and a suggestion, where there is one."""
    edit(zoo / "operations" / "pets.graphql", "  lives\n  kind", "  live\n  kind")
    edit(zoo / "operations" / "names.graphql", "create(Input: $Input)", "create(Imput: $Input)")
    assert 1 == generate(zoo)
    told = capsys.readouterr().err
    where = "operations/pets.graphql:3:3: in fragment CatFields:"
    what = "Cannot query field 'live' on type 'Cat'. Did you mean 'lives'?"
    assert f"{where} {what}\n2 |   name\n3 |   live\n  |   ^\n4 |   kind\n" in told
    assert "operations/names.graphql:34:10: in mutation Input: Unknown argument 'Imput'" in told
    assert told.endswith("codegen: everything is left as it was.\n")


@pytest.mark.parametrize(
    ("path", "old", "new", "place"),
    [
        ("zoo.graphql", "type Query {", "type Query {{", "zoo.graphql:80:13: Syntax Error"),
        ("zoo.graphql", "scalar Money", "scalar Monney", "Unknown type 'Money'. Did you mean 'Monney' or"),
        (
            "zoo.graphql",
            "implements Animal {\n  name: String!",
            "implements Animal {\n  nom: String!",
            "Animal.name",
        ),
        ("operations/pets.graphql", "query Nearest", "query", "pets.graphql:18:1: in query without a name"),
        (
            "operations/pets.graphql",
            "query Nearest",
            "query Pets",
            "There can be only one operation named 'Pets'",
        ),
        ("operations/pets.graphql", "  ...CatFields", "  ...DogFields", "Unknown fragment 'DogFields'"),
        (
            "zoo.toml",
            '"Dog.tricks"',
            '"Dog.trick"',
            "zoo.toml:20: the schema does not have 'Dog.trick'. Did you mean",
        ),
        ("zoo.toml", "decimal.Decimal", "nowhere.Decimal", "the package does not work (ModuleNotFoundError"),
        ("zoo.toml", 'client = "Zoo"', "client = Zoo", "zoo.toml cannot be read"),
        ("zoo.toml", 'client = "Zoo"', 'cleint = "Zoo"', "cleint"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    zoo: Path, path: str, old: str, new: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in any source is told where it is, and nothing is made."""
    edit(zoo / path, old, new)
    assert (1, False) == (generate(zoo), (zoo / "generated" / "zoo_api").exists())
    assert place in capsys.readouterr().err


def test_what_is_deprecated_is_listed_with_its_places(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields, arguments, inputs and enum values have a line each, with reason and places, and do not fail."""
    assert 0 == generate(zoo)
    lines = [line.partition(" at ")[0] for line in capsys.readouterr().err.splitlines()]
    names = ("Colour.GREEN", "Animal.age", "Query.pets(old:)", "Query.old", "PetInput.nick")
    assert [f"codegen: deprecated: {name}" for name in names] == lines


def test_what_is_deprecated_can_fail(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--fail-on-deprecated` makes and checks all the same, and ends with 1."""
    assert (1, 1) == (generate(zoo, "--fail-on-deprecated"), generate(zoo, "--check", "--fail-on-deprecated"))
    told = capsys.readouterr().err
    assert "Animal.age at operations/pets.graphql:34 (query Animals): Animals do not tell." in told
