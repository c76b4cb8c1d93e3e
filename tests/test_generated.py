"""What we send, and the package that is generated for it."""

import ast
import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import mcli_mapi
import mcli_mapi.operations
import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    OperationDefinitionNode,
    build_schema,
    parse,
    print_ast,
    validate,
)
from mcli_mapi import base_model
from mcli_mapi.base_client import ResultT
from mcli_mapi.enums import RunStatus
from mcli_mapi.fragments import DetailedRunFields, RunFields
from pydantic import ValidationError

ROOT = Path(__file__).parent.parent
SCHEMA = (ROOT / "schema" / "mapi.graphql").read_text("utf-8")

RUN: dict[str, object] = {
    "id": "1",
    "name": "bert-x1",
    "status": "RUNNING",
    "createdAt": "2024-06-04T00:35:56.000Z",
    "updatedAt": "2024-06-04T00:35:56.000Z",
    "reason": None,
    "createdByEmail": "a@example.com",
    "priority": "auto",
    "preemptible": False,
    "retryOnSystemFailure": False,
    "isDeleted": False,
    "runType": "TRAINING",
    "resumptions": [],
}

# What travels, as the contract has it: kind, root field, and the type of each variable.
OPERATIONS = {
    "CreateSecret": ("mutation", "createSecret", {"createSecretData": "CreateSecretInput!"}),
    "GetSecrets": ("query", "getSecrets", {"getSecretsData": "GetSecretsInput!"}),
    "DeleteSecrets": ("mutation", "deleteSecrets", {"getSecretsData": "GetSecretsInput!"}),
    "GetClusters": ("query", "getClusters", {"getClustersData": "GetClustersInput!"}),
    "GetClustersWithUtilization": ("query", "getClusters", {"getClustersData": "GetClustersInput!"}),
    "CreateRun": ("mutation", "createRun", {"createRunData": "CreateRunInput!"}),
    "CreateInteractiveRun": (
        "mutation",
        "createInteractiveRun",
        {"createRunData": "CreateInteractiveRunInput!"},
    ),
    "GetRunsPaginated": ("query", "getRunsPaginated", {"getRunsPaginatedData": "GetRunsPaginatedInput!"}),
    "GetRunsPaginatedWithDetails": (
        "query",
        "getRunsPaginated",
        {"getRunsPaginatedData": "GetRunsPaginatedInput!"},
    ),
    "DeleteRuns": ("mutation", "deleteRuns", {"getRunsData": "GetRunsInput!"}),
    "StartRuns": ("mutation", "startRuns", {"getRunsData": "GetRunsInput!"}),
    "StopRuns": ("mutation", "stopRuns", {"getRunsData": "GetRunsInput!", "stopRunsData": "StopRunsInput"}),
    "UpdateRun": (
        "mutation",
        "updateRun",
        {"getRunsData": "GetRunsInput!", "updateRunData": "UpdateRunInput!"},
    ),
    "UpdateRunMetadata": (
        "mutation",
        "updateRunMetadata",
        {"getRunsData": "GetRunsInput!", "updateRunMetadataData": "UpdateRunMetadataInput!"},
    ),
    "WatchRunStatus": ("subscription", "watchRunStatus", {"watchRunStatusInput": "WatchRunStatusInput!"}),
    "GetRunLogs": ("subscription", "getRunLogsV2", {"getRunLogsInput": "GetRunLogsInput!"}),
    "CreateRunEvent": ("mutation", "createRunEvent", {"createRunEventData": "CreateRunEventInput!"}),
    "GetRunDebugInfo": ("query", "getRuns", {"getRunsData": "GetRunsInput!"}),
    "CreateFinetune": ("mutation", "createFinetune", {"createFinetuneData": "CreateFinetuneInput!"}),
    "GetFinetunesPaginated": (
        "query",
        "getFinetunesPaginated",
        {"getFinetunesPaginatedData": "GetFinetunesPaginatedInput!"},
    ),
    "GetFinetunesPaginatedWithDetails": (
        "query",
        "getFinetunesPaginated",
        {"getFinetunesPaginatedData": "GetFinetunesPaginatedInput!"},
    ),
    "StopFinetunes": (
        "mutation",
        "stopFinetunes",
        {"getFinetunesData": "GetFinetunesInput!", "stopFinetunesData": "StopFinetunesInput"},
    ),
    "DeleteFinetunes": ("mutation", "deleteFinetunes", {"getFinetunesData": "GetFinetunesInput!"}),
    "GetFinetuneEvents": (
        "query",
        "getFinetuneEvents",
        {"getFinetuneEventsData": "GetFinetuneEventsInput!"},
    ),
    "CreatePretrain": ("mutation", "createPretrain", {"createPretrainData": "CreatePretrainInput!"}),
    "GetAllUsers": ("query", "getAllUsers", {"getAllUsersData": "GetUsersInput!"}),
    "GetUsers": ("query", "getUsers", {"getUsersData": "GetUsersInput!"}),
}


def documents() -> dict[str, DocumentNode]:
    """Return the generated documents by the name of their operation."""
    texts = [getattr(mcli_mapi.operations, name) for name in mcli_mapi.operations.__all__]
    return {operation_of(parse(text)).name.value: parse(text) for text in texts}  # type: ignore[union-attr]


def operation_of(document: DocumentNode) -> OperationDefinitionNode:
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return operation


def test_every_operation_of_the_contract_is_sent_and_no_other() -> None:
    """There is one document for each operation of the contract."""
    assert OPERATIONS.keys() == documents().keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_the_one_of_the_contract(name: str) -> None:
    """An operation has the kind, the root field and the variables that the wire fixes."""
    operation = operation_of(documents()[name])
    (root,) = operation.selection_set.selections
    assert isinstance(root, FieldNode)
    variables = {node.variable.name.value: print_ast(node.type) for node in operation.variable_definitions}
    assert OPERATIONS[name] == (operation.operation.value, root.name.value, variables)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_argument_of_a_root_field_is_the_variable_of_its_name(name: str) -> None:
    """Each argument of a root field takes the variable that is called like it."""
    (root,) = operation_of(documents()[name]).selection_set.selections
    assert isinstance(root, FieldNode)
    expected = {variable: f"${variable}" for variable in OPERATIONS[name][2]}
    assert expected == {argument.name.value: print_ast(argument.value) for argument in root.arguments}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_document_is_valid_by_itself(name: str) -> None:
    """A document has all the fragments that it uses, and none besides."""
    assert validate(build_schema(SCHEMA), documents()[name]) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_document_asks_the_service_for_nothing_that_it_lacks(name: str) -> None:
    """What is sent is valid by the contract: the platform here may be newer than the service, never the other way."""
    contract = build_schema((ROOT / "tests" / "data" / "contract.graphql").read_text("utf-8"))
    assert validate(contract, documents()[name]) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_document_begins_with_the_kind_of_its_operation(name: str) -> None:
    """The first word of a document tells a query, a mutation and a subscription apart."""
    constants = (getattr(mcli_mapi.operations, constant) for constant in mcli_mapi.operations.__all__)
    (text,) = (text for text in constants if f" {name}(" in text)
    assert OPERATIONS[name][0] == text.split()[0]


@pytest.mark.parametrize("name", OPERATIONS)
def test_wire_names_stay_on_the_wire(name: str) -> None:
    """No document has an alias, a directive or `__typename`, so that answers look as MAPI gives them."""
    text = print_ast(documents()[name])
    assert ("@" in text, "__typename" in text) == (False, False)
    aliases = [node.alias for node in walk(documents()[name]) if isinstance(node, FieldNode)]
    assert {None} == set(aliases)


def walk(document: DocumentNode) -> Iterator[object]:
    todo: list[object] = list(document.definitions)
    while todo:
        node = todo.pop()
        yield node
        todo += getattr(getattr(node, "selection_set", None), "selections", ())


@pytest.mark.parametrize(
    ("fragment", "base"),
    [("DetailedRunFields", "RunFields"), ("DetailedFinetuneFields", "FinetuneFields")],
)
def test_details_come_with_everything_else(fragment: str, base: str) -> None:
    """A detailed object has all that the plain one has, so one adapter reads both."""
    assert issubclass(getattr(mcli_mapi, fragment), getattr(mcli_mapi, base))


def test_secret_values_are_never_selected() -> None:
    """No operation asks for the value of a secret."""
    nodes = (node for document in documents().values() for node in walk(document))
    assert "value" not in {node.name.value for node in nodes if isinstance(node, FieldNode)}


def test_generated_code_imports_nothing_of_ours() -> None:
    """The package stands on the standard library and pydantic alone."""
    imported: set[str] = set()
    for path in (ROOT / "generated" / "mcli_mapi").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).split(".")[0])
    assert {"pydantic", "pydantic_core"} == imported - sys.stdlib_module_names


def test_every_generated_file_says_that_it_is_generated() -> None:
    """A reader who opens any file learns in its first line how it is made."""
    first_lines = {path.read_text("utf-8").split("\n")[0] for path in (ROOT / "generated").rglob("*.py")}
    assert {
        "# Generated by `python -m codegen` from schema/mapi.graphql and codegen/operations/. Do not edit."
    } == first_lines


def test_importing_the_package_loads_no_module_of_it() -> None:
    """`import mcli_mapi` costs next to nothing: neither its modules nor pydantic are loaded."""
    script = "import mcli_mapi, sys; print(*(m for m in sys.modules if m.startswith(('mcli', 'pydantic'))))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mcli_mapi"]


def test_every_public_name_can_be_imported() -> None:
    """Each name that the package lists is found when it is asked for."""
    assert [name for name in mcli_mapi.__all__ if not hasattr(mcli_mapi, name)] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that the package does not have is told by its name."""
    with pytest.raises(AttributeError, match="RunFeilds"):
        _ = mcli_mapi.RunFeilds  # type: ignore[attr-defined]  # the point of the test


class Recorder:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    async def execute(
        self, result: type[ResultT], document: str, operation: str, variables: Mapping[str, object]
    ) -> ResultT:
        self.calls.append((result, document, operation, variables))
        return result.model_construct()

    async def subscribe(
        self, result: type[ResultT], document: str, operation: str, variables: Mapping[str, object]
    ) -> AsyncIterator[ResultT]:
        self.calls.append((result, document, operation, variables))
        yield result.model_construct()


def test_a_method_hands_everything_to_the_transport() -> None:
    """A query or mutation is one call: result type, document, name, variables under their wire names."""
    recorder, names = Recorder(), mcli_mapi.GetRunsInput()
    asyncio.run(mcli_mapi.Mapi(recorder).stop_runs(names))
    variables = {"getRunsData": names, "stopRunsData": base_model.UNSET}
    assert [(mcli_mapi.StopRuns, mcli_mapi.STOP_RUNS_GQL, "StopRuns", variables)] == recorder.calls


def test_a_subscription_hands_everything_to_the_transport() -> None:
    """A subscription gives back the transport's own iterator."""
    recorder, run = Recorder(), mcli_mapi.WatchRunStatusInput(name="bert-x1")

    async def first() -> object:
        return await anext(aiter(mcli_mapi.Mapi(recorder).watch_run_status(run)))

    assert isinstance(asyncio.run(first()), mcli_mapi.WatchRunStatus)
    variables = {"watchRunStatusInput": run}
    expected = (mcli_mapi.WatchRunStatus, mcli_mapi.WATCH_RUN_STATUS_GQL, "WatchRunStatus", variables)
    assert [expected] == recorder.calls


def test_an_enum_keeps_a_value_that_it_does_not_know() -> None:
    """A newer server's value is kept as it was sent."""
    secret = mcli_mapi.SecretFields.model_validate_json(
        '{"name": "a", "type": "VAULT", "metadata": {}, "createdAt": "2024-06-04T00:35:56.000Z"}'
    )
    assert (secret.type_, secret.type_.is_known) == ("VAULT", False)


@pytest.mark.parametrize("value", ["RUNNING", "HIBERNATING"])
def test_an_enum_member_survives_a_copy(value: str) -> None:
    """Known and unknown members are equal to their copies, pickled or not, and to their text."""
    status = RunStatus(value)
    copies = [copy.copy(status), copy.deepcopy(status), pickle.loads(pickle.dumps(status)), value]
    assert [status] * 4 == copies
    assert {hash(status)} == {hash(other) for other in copies}


def test_an_unknown_value_does_not_grow_the_enum() -> None:
    """What a server sends is not remembered in the class."""
    RunStatus("HIBERNATING")
    assert "HIBERNATING" not in RunStatus.__members__
    assert "HIBERNATING" not in [member.value for member in RunStatus]


def test_an_enum_takes_no_number() -> None:
    """Openness is for texts; anything else is still an error."""
    with pytest.raises(ValueError, match="7"):
        RunStatus(7)  # type: ignore[arg-type]  # the point of the test


def test_an_input_refuses_a_field_that_the_schema_does_not_have() -> None:
    """A typo in a variable is an error, not silently dropped."""
    with pytest.raises(ValidationError, match="imagge"):
        mcli_mapi.RunInput.model_validate({"imagge": "a/b:c"})


def test_an_answer_may_have_fields_that_we_do_not_know() -> None:
    """A newer server may send more than we asked for."""
    assert RunFields.model_validate_json(json.dumps(RUN | {"colour": "blue"})).name == "bert-x1"


def test_unset_and_null_differ() -> None:
    """A field that was not given is not sent, and one that was given as None is sent as null."""
    page = mcli_mapi.GetRunsPaginatedInput(limit=None)
    assert base_model.wire_variables({"data": page}) == {"data": {"limit": None}}


def test_a_variable_that_was_not_given_is_not_sent() -> None:
    """An optional variable is left out, unless it is given as None."""
    assert base_model.wire_variables({"a": base_model.UNSET, "b": None}) == {"b": None}


def test_inputs_travel_under_their_wire_names() -> None:
    """Names that camelCase alone does not give are right too."""
    secret = mcli_mapi.CreateSecretInput(
        git_ssh_secret=mcli_mapi.MountedSecretInput(
            name="key", metadata=mcli_mapi.MountPathMetadataInput(mount_path="/secrets/key"), value="v"
        )
    )
    expected = {"gitSSHSecret": {"name": "key", "metadata": {"mountPath": "/secrets/key"}, "value": "v"}}
    assert {"data": expected} == base_model.wire_variables({"data": secret})


def test_a_time_filter_sends_text_as_the_user_wrote_it() -> None:
    """A text is not read and written anew, and a datetime becomes ISO 8601."""
    time = datetime(2024, 6, 5, tzinfo=timezone(timedelta(hours=2)))
    span = mcli_mapi.DateTimeFilter(gte="2024-06-04", lt=time)
    expected = {"gte": "2024-06-04", "lt": "2024-06-05T00:00:00+02:00"}
    assert {"span": expected} == base_model.wire_variables({"span": span})


def test_a_number_that_json_lacks_is_sent_as_text() -> None:
    """NaN and the infinities inside metadata keep their names at any depth."""
    metadata = mcli_mapi.UpdateRunMetadataInput(metadata={"loss": [float("nan"), float("-inf")]})
    expected = {"metadata": {"loss": ["NaN", "-Infinity"]}}
    assert {"data": expected} == base_model.wire_variables({"data": metadata})


def test_an_input_does_not_show_its_values() -> None:
    """Neither the text of an input nor the error about it has a secret in it."""
    value = mcli_mapi.DatabricksSecretValueInput(host="h", token="hunter2")
    assert repr(value) == "DatabricksSecretValueInput('host', 'token')"
    with pytest.raises(ValidationError) as caught:
        mcli_mapi.DatabricksSecretValueInput.model_validate({"host": "h", "token": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-06-04T00:35:56.123Z", datetime(2024, 6, 4, 0, 35, 56, 123000, UTC)),
        ("2024-06-04T00:35:56Z", datetime(2024, 6, 4, 0, 35, 56, tzinfo=UTC)),
        ("2024-06-04T00:35:56.123456+00:00", datetime(2024, 6, 4, 0, 35, 56, 123456, UTC)),
        ("2024-06-04T00:35:56.1234567Z", datetime(2024, 6, 4, 0, 35, 56, 123456, UTC)),
        ("2024-06-04T02:35:56+02:00", datetime(2024, 6, 4, 0, 35, 56, tzinfo=UTC)),
        ("2024-06-04T00:35:56.123", datetime(2024, 6, 4, 0, 35, 56, 123000)),
    ],
)
def test_times_are_read_in_every_form(text: str, time: datetime) -> None:
    """Any fraction and any offset is read, and a time without an offset stays naive."""
    assert time == RunFields.model_validate_json(json.dumps(RUN | {"createdAt": text})).created_at


def test_a_time_that_was_read_can_be_pickled() -> None:
    """A value that holds a time of an answer can go to another process."""
    time = RunFields.model_validate_json(json.dumps(RUN)).created_at
    assert time == pickle.loads(pickle.dumps(time))


@pytest.mark.parametrize("details", [{}, {"metadata": {"loss": 1}}, None])
def test_details_may_be_less_than_we_ask_for(details: object) -> None:
    """Stand-ins of MAPI answer a mutation with fewer details, or none."""
    run = DetailedRunFields.model_validate_json(json.dumps(RUN | {"details": details}))
    assert (run.details.lifecycle if run.details else []) == []


def test_an_answer_without_a_required_field_names_it() -> None:
    """A malformed run is an error that says where it is malformed."""
    answer = {"getRunsPaginated": {"cursor": None, "hasNextPage": False, "runs": [RUN, {"id": "2"}]}}
    with pytest.raises(ValidationError) as caught:
        mcli_mapi.GetRunsPaginated.model_validate_json(json.dumps(answer))
    assert ("getRunsPaginated", "runs", 1, "name") in [error["loc"] for error in caught.value.errors()]
