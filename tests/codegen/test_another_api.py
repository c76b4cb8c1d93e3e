"""Another API than MAPI, with everything that is awkward: its client talks to a server made of the same schema."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    graphql_sync,
    parse,
    subscribe,
)
from pydantic import ValidationError

from codegen.__main__ import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

ZOO = Path(__file__).parent / "awkward"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the other API, with its package."""
    folder = tmp_path_factory.mktemp("zoo")
    shutil.copytree(ZOO, folder, dirs_exist_ok=True)
    assert main(["--config", str(folder / "zoo.toml")]) == 0
    return folder


@pytest.fixture(scope="module")
def zoo(folder: Path) -> Iterator[Any]:
    """Import the generated package."""
    sys.path.insert(0, str(folder / "generated"))
    try:
        yield importlib.import_module("zoo_api")
    finally:
        sys.path.remove(str(folder / "generated"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "zoo_api"]:
            del sys.modules[name]


class Server:
    """Answers what a schema allows with what a test gives, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.schema: GraphQLSchema = build_schema((ZOO / "zoo.graphql").read_text("utf-8"))
        self.answers = answers
        self.variables: dict[str, Any] = {}
        for kind in self.schema.type_map.values():
            if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
                kind.resolve_type = lambda value, *_: value["__typename"]

    def resolve(self, source: Any, info: Any, /, **_: Any) -> Any:
        return source.get(info.field_name)

    async def execute(
        self, result: Any, document: str, operation: str, variables: Mapping[str, object]
    ) -> Any:
        self.variables = json.loads(json.dumps(_base(result).wire_variables(variables)))
        done = graphql_sync(
            self.schema,
            document,
            self.answers,
            variable_values=self.variables,
            operation_name=operation,
            field_resolver=self.resolve,
        )
        assert done.errors is None
        return result.model_validate_json(json.dumps(done.data))

    async def subscribe(
        self, result: Any, document: str, operation: str, variables: Mapping[str, object]
    ) -> AsyncIterator[Any]:
        async def events(*_: Any, **__: Any) -> AsyncIterator[Any]:
            for event in self.answers["events"]:
                yield event

        text: DocumentNode = parse(document)
        source: Any = await subscribe(
            self.schema,
            text,
            variable_values=_base(result).wire_variables(variables),
            operation_name=operation,
            subscribe_field_resolver=events,
        )
        async for done in source:
            yield result.model_validate_json(json.dumps(done.data))


def _base(result: Any) -> Any:
    return importlib.import_module(f"{result.__module__.partition('.')[0]}.base_model")


def answered(zoo: Any, method: str, *arguments: Any, server: Server, **named: Any) -> Any:
    return asyncio.run(getattr(zoo.Zoo(server), method)(*arguments, **named))


CAT = {"__typename": "Cat", "name": "Tom", "lives": 9, "kind": "mro", "age": 3}
DOG = {"__typename": "Dog", "name": "Rex", "tricks": ["sit"], "price": "1.50", "age": 4}


def test_members_of_a_union_have_their_own_types(zoo: Any) -> None:
    """Each member is the class that its type name says, with its own fields."""
    cat, dog = answered(zoo, "pets", server=Server(pets=[CAT, DOG])).pets
    assert ("PetsPetsCat", 9, "mro") == (type(cat).__name__, cat.lives, cat.kind)
    assert ("PetsPetsDog", ["sit"], Decimal("1.50")) == (type(dog).__name__, dog.tricks, dog.price)


def test_a_member_that_is_not_known_says_its_type(zoo: Any) -> None:
    """A newer server's member of a union does not fail the answer."""
    answer = {"pets": [{"__typename": "Bird", "wings": 2}, CAT], "again": None}
    bird, cat = zoo.Pets.model_validate(answer).pets
    assert ("UnknownMember", "Bird", "Tom") == (type(bird).__name__, bird.typename__, cat.name)


def test_a_member_that_is_malformed_is_an_error(zoo: Any) -> None:
    """Openness is for types that are not known; a cat without lives is still wrong."""
    with pytest.raises(ValidationError, match="lives"):
        zoo.Pets.model_validate({"pets": [{"__typename": "Cat", "name": "Tom", "kind": "RED"}]})


def test_a_union_of_one_is_open_too(zoo: Any) -> None:
    """A union with a single member bears another one."""
    answer = zoo.Nearest.model_validate({"nearest": None, "lonely": {"__typename": "Fish"}})
    assert "Fish" == answer.lonely.typename__


def test_a_field_that_is_selected_twice_is_one_field(zoo: Any) -> None:
    """What an interface and a fragment both ask for is read once."""
    assert ["typename__", "name", "age", "lives"] == list(zoo.AnimalsAnimalsCat.model_fields)


@pytest.mark.parametrize("name", ["Fish", "Whale"])
def test_another_type_of_an_interface_has_the_interface_s_fields(zoo: Any, name: str) -> None:
    """A type without a fragment, known to the schema or not, is read by the fields of the interface."""
    answer = {"animals": [{"__typename": name, "name": "Wanda", "age": 1}, DOG]}
    other, dog = zoo.Animals.model_validate(answer).animals
    assert (name, "Wanda", 1, ["sit"]) == (other.typename__, other.name, other.age, dog.tricks)


def test_an_interface_without_fragments_is_open(zoo: Any) -> None:
    """A field of an interface, of which only its own fields are asked, bears any type."""
    assert "Whale" == zoo.Born.model_validate({"born": {"__typename": "Whale", "name": "W"}}).born.typename__


def test_members_in_nested_lists_are_told_apart(zoo: Any) -> None:
    """Lists of lists, with nulls, keep their shape."""
    nested = answered(zoo, "nested", [["1"], ["2"]], server=Server(nested=[[CAT, None], None])).nested
    assert [["NestedNestedCat", "NoneType"], None] == [
        None if row is None else [type(each).__name__ for each in row] for row in nested
    ]


def test_awkward_names_arrive_under_their_wire_names(zoo: Any) -> None:
    """What shadows a keyword, a method or another field in Python is read all the same."""
    wire = {
        "Result": "r",
        "_id": "i",
        "_1": 1,
        "user_id": 2,
        "userId": 3,
        "from": "f",
        "self": "s",
        "URL": "u",
    }
    wire |= {"datetime": "2024-06-04T00:35:56Z", "model_config": "m", "copy": "c", "json": [1], "none": 7}
    result = answered(zoo, "result_operation", server=Server(result=wire)).result
    names = ["result", "id", "field_1", "user_id", "user_id_", "from_", "self_", "url"]
    assert ["r", "i", 1, 2, 3, "f", "s", "u"] == [getattr(result, name) for name in names]
    assert (datetime(2024, 6, 4, 0, 35, 56, tzinfo=UTC), "m", "c", [1], 7) == (
        result.datetime_,
        result.model_config_,
        result.copy_,
        result.json_,
        result.renamed,
    )


def test_awkward_names_are_sent_under_their_wire_names(zoo: Any) -> None:
    """Variables and fields of inputs travel as the schema has them."""
    server = Server(result={"none": 1})
    given = zoo.Input_(class_="c", input=zoo.Input_(open=zoo.OpenEnum_.YES))
    answered(zoo, "result_operation", 1, given, "k", zoo.BaseModel_(x=2.0), server=server)
    expected = {
        "self": 1,
        "Input": {"class": "c", "Input": {"open": "YES"}},
        "class": "k",
        "base_model": {"x": 2.0},
    }
    assert expected == server.variables


def test_inputs_in_a_list_are_sent(zoo: Any) -> None:
    """Inputs, times and decimal numbers inside a list travel as JSON, and only what was given."""
    server = Server(keep=[CAT])
    time = datetime(2024, 6, 4, tzinfo=UTC)
    pet = zoo.PetInput(
        name="Tom", from_="x", price=Decimal("1.5"), born=time, colour=zoo.Colour.mro_, user_id_=3
    )
    answered(zoo, "keep", [pet], server=server)
    expected = {
        "name": "Tom",
        "from": "x",
        "price": "1.5",
        "born": "2024-06-04T00:00:00Z",
        "colour": "mro",
        "userId": 3,
    }
    assert {"pets": [expected]} == server.variables


def test_a_time_by_itself_is_sent(zoo: Any) -> None:
    """A variable that is a custom scalar travels as JSON."""
    server = Server(str="ok")
    answered(zoo, "client_operation", datetime(2024, 6, 4, tzinfo=UTC), server=server)
    assert {"datetime": "2024-06-04T00:00:00Z"} == server.variables


def test_variables_that_differ_by_their_letters_are_both_sent(zoo: Any) -> None:
    """`userId` and `user_id` are two arguments of one call."""
    server = Server(pets=[])
    answered(zoo, "open_enum_operation", 1, 2, server=server)
    assert {"userId": 1, "user_id": 2} == server.variables


@pytest.mark.parametrize("given", [{}, {"id": "1", "name": "x"}, {"id": None}, {"id": "1", "name": None}])
def test_an_input_that_is_one_of_several_has_exactly_one(zoo: Any, given: dict[str, Any]) -> None:
    """None, two, or a null are refused before anything is sent."""
    with pytest.raises(ValidationError, match="exactly one field must be given"):
        zoo.Which(**given)


def test_one_of_several_is_sent(zoo: Any) -> None:
    """The one that was given travels alone."""
    server = Server(animal=CAT)
    assert "Tom" == answered(zoo, "animal_by", zoo.Which(name="Tom"), server=server).animal.name
    assert {"by": {"name": "Tom"}} == server.variables


def test_a_default_of_the_schema_is_left_to_the_server(zoo: Any) -> None:
    """A field of an input with a default need not be given, and is not sent then."""
    assert {} == zoo.BaseModel_().model_dump(exclude_unset=True)


def test_a_subscription_is_iterated(zoo: Any) -> None:
    """A subscription of the other API delivers what its server sends."""

    async def numbers() -> list[int]:
        server = Server(events=[{"count": 1}, {"count": 2}])
        return [each.count async for each in zoo.Zoo(server).count(2)]

    assert [1, 2] == asyncio.run(numbers())


def test_a_null_is_read_by_the_settings_of_that_api(zoo: Any) -> None:
    """Its own table says what bears null: a dog's name does, a cat's does not, tricks may lack."""
    dog = zoo.Pets.model_validate({"pets": [{"__typename": "Dog", "name": None}]}).pets[0]
    assert ("", []) == (dog.name, dog.tricks)
    with pytest.raises(ValidationError, match="name"):
        zoo.Pets.model_validate({"pets": [CAT | {"name": None}]})


def test_enum_members_with_taken_names_work(zoo: Any) -> None:
    """A value that is a method's or Python's own name gets an underscore, and keeps its value."""
    members = {member.name: member.value for member in zoo.Colour}
    expected = ["mro", "_x_", "_order_", "name", "value", "title", "None", "class", "RED", "GREEN"]
    assert expected == list(members.values())
    assert {"mro_", "_x__", "_order__", "None_", "class_", "title_"} <= members.keys()


def test_what_is_deprecated_says_so_in_its_docstring(folder: Path) -> None:
    """Fields, inputs, enum values and operations tell why not to use them any more."""
    package = folder / "generated" / "zoo_api"
    texts = {
        name: (package / f"{name}.py").read_text("utf-8")
        for name in ("animals", "input_types", "enums", "client")
    }
    found = {name: text.count("Deprecated: ") for name, text in texts.items()}
    assert {"animals": 3, "input_types": 1, "enums": 1, "client": 1} == found


def test_every_operation_keeps_its_name_on_the_wire(folder: Path) -> None:
    """The manifest lists operations by the names that travel."""
    listed = json.loads((folder / "generated" / "operations.json").read_text("utf-8"))["operations"]
    names = {each["name"]: each["result"] for each in listed}
    assert ("ResultOperation", "InputOperation", "TransportOperation") == (
        names["Result"],
        names["Input"],
        names["transport"],
    )
