"""Forty changes of a schema, and what `codegen --check` and `codegen.refresh` say of each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from graphql import build_schema, find_breaking_changes, lexicographic_sort_schema, print_schema

from codegen import refresh
from codegen.__main__ import main
from codegen.changes import changes
from codegen.merging import merged
from codegen.settings import load
from codegen.sources import read

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
root = "."
schema = "shop.graphql"
operations = "operations"
package = "generated/shop"
manifest = "generated/operations.json"
"""

SCHEMA = """# What a shop tells of itself.

directive @old(why: String) repeatable on FIELD_DEFINITION | OBJECT

type Query {
  "All wares."
  wares(first: Int = 10, kind: Kind): [Ware!]!  # at most 100
  search(by: Filter!): [Found!]!
  secret: String
}

type Mutation {
  buy(order: Order!): Ware
}

# Kinds come and go.
enum Kind {
  BOOK
  # nobody has these
  TAPE
}

enum State {
  NEW
  SOLD
}

interface Priced {
  price: Float!
  currency: String
}

"Something to buy."
type Ware implements Priced {
  id: ID!
  name: String!
  price: Float!
  currency: String
  state: State!
  weight: Int
}

type Shop {
  street: String
}

union Found = Ware | Shop

input Filter {
  text: String
  kind: Kind
}

input Order {
  ware: ID!
  count: Int = 1
}

input Unused {
  x: Int
}
"""

OPERATIONS = """
query Wares($first: Int, $kind: Kind) {
  wares(first: $first, kind: $kind) {
    id
    name
    price
    state
  }
}

query Search($by: Filter!) {
  search(by: $by) {
    ... on Ware {
      id
    }
  }
}

mutation Buy($order: Order!) {
  buy(order: $order) {
    id
  }
}
"""


class Case(NamedTuple):
    """A change, what the report says, its exit status, and whether the package is `same`, `stale` or `refused`."""

    old: str
    new: str
    says: str
    status: int
    package: str


CASES = {
    "a field of ours goes": Case(
        "  name: String!\n", "", "breaking BREAKS FIELD_REMOVED Ware.name", 1, "refused"
    ),
    "another field goes": Case("  weight: Int\n", "", "breaking - FIELD_REMOVED Ware.weight", 0, "same"),
    "a field comes": Case(
        "  weight: Int\n", "  weight: Int\n  size: Int\n", "safe - FIELD_ADDED Ware.size", 0, "same"
    ),
    "a field of ours is renamed": Case(
        "  name: String!\n", "  title: String!\n", "breaking BREAKS FIELD_REMOVED Ware.name", 1, "refused"
    ),
    "a field of ours has another type": Case(
        "  name: String!\n", "  name: Int!\n", "breaking BREAKS FIELD_CHANGED_KIND Ware.name", 1, "stale"
    ),
    "a field of ours may be null": Case(
        "  name: String!\n", "  name: String\n", "breaking BREAKS FIELD_CHANGED_KIND Ware.name", 1, "stale"
    ),
    "a field of ours is a list": Case(
        "  name: String!\n",
        "  name: [String!]!\n",
        "breaking BREAKS FIELD_CHANGED_KIND Ware.name",
        1,
        "stale",
    ),
    "another field is never null": Case(
        "  weight: Int\n", "  weight: Int!\n", "safe - TYPE_CHANGED Ware.weight", 0, "same"
    ),
    "another field has another type": Case(
        "  weight: Int\n", "  weight: Float\n", "breaking - FIELD_CHANGED_KIND Ware.weight", 0, "same"
    ),
    "a field of ours is deprecated": Case(
        "  name: String!\n",
        '  name: String! @deprecated(reason: "x")\n',
        "safe ours DEPRECATION_ADDED Ware.name",
        0,
        "stale",
    ),
    "another field is deprecated": Case(
        "  weight: Int\n", "  weight: Int @deprecated\n", "safe - DEPRECATION_ADDED Ware.weight", 0, "same"
    ),
    "a field is described": Case(
        "  name: String!\n",
        '  "N."\n  name: String!\n',
        "safe ours DESCRIPTION_CHANGED Ware.name",
        0,
        "stale",
    ),
    "a root field goes": Case(
        "  search(by: Filter!): [Found!]!\n", "", "breaking BREAKS FIELD_REMOVED Query.search", 1, "refused"
    ),
    "an argument of ours goes": Case(
        "(first: Int = 10, kind: Kind)",
        "(kind: Kind)",
        "breaking BREAKS ARG_REMOVED Query.wares(first:)",
        1,
        "refused",
    ),
    "an argument comes": Case(
        "kind: Kind):",
        "kind: Kind, old: Boolean):",
        "dangerous ours OPTIONAL_ARG_ADDED Query.wares(old:)",
        0,
        "same",
    ),
    "a required argument comes": Case(
        "kind: Kind):",
        "kind: Kind, old: Int!):",
        "breaking BREAKS REQUIRED_ARG_ADDED Query.wares(old:)",
        1,
        "refused",
    ),
    "an argument has another type": Case(
        "first: Int = 10",
        "first: String",
        "breaking BREAKS ARG_CHANGED_KIND Query.wares(first:)",
        1,
        "refused",
    ),
    "an argument is required": Case(
        "first: Int = 10", "first: Int!", "breaking BREAKS ARG_CHANGED_KIND Query.wares(first:)", 1, "refused"
    ),
    "an argument has another default": Case(
        "first: Int = 10",
        "first: Int = 20",
        "dangerous ours DEFAULT_VALUE_CHANGED Query.wares(first:)",
        0,
        "same",
    ),
    "an argument of ours is deprecated": Case(
        "first: Int = 10",
        "first: Int = 10 @deprecated",
        "safe ours DEPRECATION_ADDED Query.wares(first:)",
        0,
        "same",
    ),
    "a field of an input goes": Case(
        "  text: String\n", "", "breaking BREAKS FIELD_REMOVED Filter.text", 1, "stale"
    ),
    "a field of an input comes": Case(
        "  text: String\n",
        "  text: String\n  max: Int\n",
        "dangerous ours OPTIONAL_INPUT_FIELD_ADDED Filter.max",
        0,
        "stale",
    ),
    "a required field of an input comes": Case(
        "  text: String\n",
        "  text: String\n  max: Int!\n",
        "breaking BREAKS REQUIRED_INPUT_FIELD_ADDED Filter.max",
        1,
        "stale",
    ),
    "a required field with a default comes": Case(
        "  text: String\n",
        "  text: String\n  max: Int! = 3\n",
        "dangerous ours OPTIONAL_INPUT_FIELD_ADDED Filter.max",
        0,
        "stale",
    ),
    "a field of an input has another type": Case(
        "  text: String\n", "  text: Int\n", "breaking BREAKS FIELD_CHANGED_KIND Filter.text", 1, "stale"
    ),
    "a field of an input need not be given": Case(
        "  ware: ID!\n", "  ware: ID\n", "safe ours TYPE_CHANGED Order.ware", 0, "stale"
    ),
    "a field of an input is deprecated": Case(
        "  text: String\n",
        "  text: String @deprecated\n",
        "safe ours DEPRECATION_ADDED Filter.text",
        0,
        "stale",
    ),
    "another input changes": Case(
        "  x: Int\n", "  x: Int!\n", "breaking - FIELD_CHANGED_KIND Unused.x", 0, "stale"
    ),
    "another input goes": Case(
        "input Unused {\n  x: Int\n}\n", "", "breaking - TYPE_REMOVED Unused", 0, "stale"
    ),
    "an input takes one of several": Case(
        "input Filter {", "input Filter @oneOf {", "dangerous ours ONE_OF_CHANGED Filter", 0, "stale"
    ),
    "a value that we send goes": Case(
        "  BOOK\n", "", "breaking BREAKS VALUE_REMOVED_FROM_ENUM Kind.BOOK", 1, "stale"
    ),
    "a value that we read goes": Case(
        "  SOLD\n", "", "breaking ours VALUE_REMOVED_FROM_ENUM State.SOLD", 0, "stale"
    ),
    "a value comes": Case(
        "  SOLD\n", "  SOLD\n  LOST\n", "dangerous ours VALUE_ADDED_TO_ENUM State.LOST", 0, "stale"
    ),
    "a value is deprecated": Case(
        "  BOOK\n", "  BOOK @deprecated\n", "safe ours DEPRECATION_ADDED Kind.BOOK", 0, "stale"
    ),
    "an enum is a text": Case(
        "enum State {\n  NEW\n  SOLD\n}\n",
        "scalar State\n",
        "breaking BREAKS TYPE_CHANGED_KIND State",
        1,
        "stale",
    ),
    "a member of a union goes": Case(
        "Found = Ware | Shop", "Found = Ware", "breaking ours TYPE_REMOVED_FROM_UNION Found", 0, "stale"
    ),
    "a member of ours goes from a union": Case(
        "Found = Ware | Shop", "Found = Shop", "breaking ours TYPE_REMOVED_FROM_UNION Found", 1, "refused"
    ),
    "a member of a union comes": Case(
        "Ware | Shop\n",
        "Ware | Shop | Van\n\ntype Van {\n  id: ID\n}\n",
        "dangerous ours TYPE_ADDED_TO_UNION Found",
        0,
        "stale",
    ),
    "an interface goes": Case(
        "Ware implements Priced", "Ware", "breaking ours IMPLEMENTED_INTERFACE_REMOVED Ware", 0, "same"
    ),
    "a field of an interface comes": Case(
        '  currency: String\n}\n\n"Some',
        '  currency: String\n}\n\ninterface Sold {\n  state: State!\n}\n\n"Some',
        "safe - TYPE_ADDED Sold",
        0,
        "same",
    ),
    "a type is renamed": Case("Shop", "Store", "breaking - TYPE_REMOVED Shop", 0, "stale"),
    "a type comes": Case(
        "input Unused", "type New {\n  id: ID\n}\n\ninput Unused", "safe - TYPE_ADDED New", 0, "same"
    ),
    "a type is described": Case(
        '"Something to buy."', '"A thing."', "safe ours DESCRIPTION_CHANGED Ware", 0, "same"
    ),
    "a directive goes": Case(
        "directive @old(why: String) repeatable on FIELD_DEFINITION | OBJECT\n",
        "",
        "breaking - DIRECTIVE_REMOVED @old",
        0,
        "same",
    ),
    "a directive has one place less": Case(
        " | OBJECT", "", "breaking - DIRECTIVE_LOCATION_REMOVED @old", 0, "same"
    ),
    "a directive comes": Case(
        "type Query", "directive @new on OBJECT\n\ntype Query", "safe - DIRECTIVE_ADDED @new", 0, "same"
    ),
    "a directive is not repeated": Case(
        " repeatable", "", "breaking - DIRECTIVE_REPEATABLE_REMOVED @old", 0, "same"
    ),
    "a required argument of a directive comes": Case(
        "(why: String)",
        "(why: String, who: ID!)",
        "breaking - REQUIRED_DIRECTIVE_ARG_ADDED @old(who:)",
        0,
        "same",
    ),
}


def changed(case: Case) -> str:
    assert case.old in SCHEMA
    return SCHEMA.replace(case.old, case.new)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the shop's sources and the package that they give."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "operations").mkdir()
    (folder / "shop.toml").write_text(SETTINGS)
    (folder / "shop.graphql").write_text(SCHEMA)
    (folder / "operations" / "shop.graphql").write_text(OPERATIONS)
    assert main(["--config", str(folder / "shop.toml")]) == 0
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder to change."""
    return shutil.copytree(made, tmp_path / "shop")


@pytest.mark.parametrize("name", CASES)
def test_refresh_tells_the_change_and_whether_it_breaks_ours(
    name: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report has a line with level, mark, kind and place, and the exit status says whether ours breaks."""
    case = CASES[name]
    (tmp_path / "new.graphql").write_text(changed(case))
    status = refresh.main([str(tmp_path / "new.graphql"), "--config", str(made / "shop.toml")])
    operations = read(load(made / "shop.toml")).operations
    report = refresh.compare(build_schema(SCHEMA), build_schema(changed(case)), operations)
    said = {_told(each) for each in report.changes}
    assert (case.status, True) == (status, case.says in said)
    assert case.says.split()[2] in capsys.readouterr().out


def _told(each: refresh.Touched) -> str:
    mark = "BREAKS" if each.breaks else "ours" if each.uses else "-"
    return f"{each.change.level} {mark} {each.change.kind} {each.change.at}"


@pytest.mark.parametrize("name", CASES)
def test_the_check_says_what_becomes_of_the_package(
    name: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change of the schema leaves the package as it is, makes it stale, or is refused with its place."""
    case = CASES[name]
    (shop / "shop.graphql").write_text(changed(case))
    status = main(["--check", "--config", str(shop / "shop.toml")])
    told = capsys.readouterr().err
    verdict = "refused" if "left as it was" in told else "stale" if "not up to date" in told else "same"
    assert (case.package, case.package != "same") == (verdict, status == 1)


@pytest.mark.parametrize("name", CASES)
def test_breaking_changes_are_those_of_graphql_core(name: str) -> None:
    """What is told as breaking is what graphql-core's own finder tells, kind by kind."""
    old, new = build_schema(SCHEMA), build_schema(changed(CASES[name]))
    ours = sorted(change.kind for change in changes(old, new) if change.level == "breaking")
    assert sorted(change.type.name for change in find_breaking_changes(old, new)) == ours


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_taken_into_the_file_in_a_few_lines(name: str) -> None:
    """The merged text says what the new schema says, and keeps every comment of what is still there."""
    new = build_schema(changed(CASES[name]))
    text = merged(SCHEMA, new)
    assert print_schema(lexicographic_sort_schema(new)) == print_schema(
        lexicographic_sort_schema(build_schema(text))
    )
    lines = {line for line in SCHEMA.splitlines() if line.strip()}
    assert len(lines - {*text.splitlines()}) <= CASES[name].old.count("\n") + 5


def test_the_same_schema_changes_no_byte() -> None:
    """Taking a schema that says the same leaves comments, order and layout alone."""
    assert SCHEMA == merged(SCHEMA, lexicographic_sort_schema(build_schema(SCHEMA)))


def test_comments_stay_with_what_they_are_about() -> None:
    """A comment goes with the value that it stands above, and stays elsewhere."""
    text = merged(SCHEMA, build_schema(SCHEMA.replace("  TAPE\n", "")))
    assert SCHEMA.replace("  # nobody has these\n  TAPE\n", "") == text
