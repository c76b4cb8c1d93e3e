"""Every operation of the wire contract, sent as the official client sends it, and answered so that it can be read."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from tests.platform.caller import LOGS, NEW, OLD, STATUS, Caller, Socket

# What that client selects

ATTEMPT = "clusterName cpus gpuType gpus nodes executionIndex startTime endTime status"
CHANGED = f"""
id name createdByEmail status createdAt updatedAt reason priority maxRetries preemptible retryOnSystemFailure isDeleted
runType resumptions {{ {ATTEMPT} }}
"""
CREATED = f"{CHANGED} details {{ originalRunInput metadata lastExecutionId }}"
LISTED = f"{CHANGED} maxDurationSeconds resumptions {{ estimatedEndTime reason }}"
DETAILED = f"""
{LISTED} details {{ image originalRunInput metadata lastExecutionId
  lifecycle {{ executionIndex status startTime endTime reason }} nodes {{ rank name status reason }}
  formattedRunEvents {{ resumptionIndex eventType eventTime eventMessage }} }}
"""
MACHINE = """
name gpuType gpusPerNode cpus memory storage gpuNums numNodes
nodes { name isAlive isSchedulable upTime { endDate startDate } }
"""
CLUSTER = "id name provider allowedSubmissionTypes isMultiTenant reservationType schedulerEnabled"
MACHINES = f"{CLUSTER} allowFractional allowMultinode allowedInstances {{ {MACHINE} }}"
USE = """
id createdAt userName runName instance gpuNum gpuType scheduling { priority retryOnSystemFailure preemptible }
"""
DEPLOYMENT = "id createdAt userName deploymentName instance gpuNum"
UTILIZATION = f"""
{CLUSTER} utilization {{
  instanceUtils {{ instance {{ {MACHINE} }} clusterId gpusUsed gpusAvailable gpusTotal }}
  activeRunsByUser {{ {USE} estimatedEndTime maxDurationSeconds startTime }}
  queuedRunsByUser {{ {USE} reason }}
  activeDeploymentsByUser {{ {DEPLOYMENT} }} queuedDeploymentsByUser {{ {DEPLOYMENT} }} }}
"""
DEBUG = """
id name createdAt executionsStatusUpdates { id executionIndex
  containerStatusUpdates { nodeRank containerName status reachedAt reason }
  podStatusUpdates { nodeRank nodeName status reachedAt reason } }
"""
TUNED = "id name status createdById createdByEmail createdAt updatedAt startedAt completedAt reason isDeleted"
TUNING = """
model taskType trainDataPath saveFolder evalDataPath evalPrompts trainingDuration learningRate contextLength
experimentTracker customWeightsPath
"""
TUNED_DETAILED = f"""
{TUNED} estimatedEndTime details {{ {TUNING} formattedFinetuningEvents {{ eventType eventTime eventMessage }} }}
"""
USER = "id name email organizations { id name isDatabricksInternal }"

# What it sends

RUN_INPUT = {
    "integrations": [],
    "envVariables": [],
    "parameters": {},
    "image": "b/c:d",
    "runName": "a",
    "cpus": 0,
    "command": "echo hi",
    "scheduling": {},
    "compute": {"gpus": 0},
    "metadata": {},
    "dependentDeployment": {},
    "parentName": None,
}
SECRET = {"name": "token", "metadata": {"key": "TOKEN"}, "value": "not-a-real-value"}
FINETUNE = {
    "model": "mosaicml/mpt-7b",
    "trainDataPath": "/nothing/here.jsonl",
    "saveFolder": "s3://bucket/out",
    "experimentTracker": {"wandb": {"project": "p", "entity": "e"}},
}
PRETRAIN = {
    "model": "databricks/dbrx-9b",
    "trainData": {"web": {"path": "s3://bucket/web", "proportion": 1.0}},
    "saveFolder": "s3://bucket/out",
    "parameters": {},
    "eval": {},
    "compute": {"gpus": 0},
}
PAGE = {"filters": {}, "includeDeleted": False, "limit": None}


class Client(Caller):
    """A caller with the headers of the official client, and the objects that its operations are about."""

    ended: str
    """A run that failed, twice."""
    tuned: str
    """A finetuning run that failed its check."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.http.headers = httpx.Headers(HEADERS | {"Authorization": self.key})
        self.ended = self.finish("exit 3", scheduling={"maxRetries": 1})["name"]
        self.tuned = self.finetune()

    def ask(self, operation: str, **variables: Any) -> Any:
        return self.send(OPERATIONS[operation].document, **variables)

    def running(self) -> str:
        return self.create("sleep 600", scheduling={"maxDuration": 1.5})

    def finetune(self) -> str:
        return str(self.ask("CreateFinetune", createFinetuneData={"config": FINETUNE})[0]["name"])

    def without_secret(self) -> dict[str, Any]:
        if self.ask("GetSecrets", getSecretsData={"filters": {}}):
            self.ask("DeleteSecrets", **named("getSecretsData", "token"))
        return {"envVarSecret": SECRET}

    def secret(self) -> str:
        self.ask("CreateSecret", createSecretData=self.without_secret())
        return "token"


HEADERS = {
    "Content-Type": "application/json",
    "x-mosaicml-client": "mcli",
    "x-mosaicml-client-version": "0.6.30",
    "Accept": "*/*",
    "User-Agent": "python-requests/2.31.0",
}


class Operation(NamedTuple):
    """One document of the contract, and what it is sent with."""

    document: str
    variables: Callable[[Client], dict[str, Any]]


def operation(
    title: str, field: str, selection: str, variables: Callable[[Client], dict[str, Any]]
) -> Operation:
    """Give the operation of a field whose arguments each are one variable of the same name."""
    name, _, declared = field.rstrip(")").partition("(")
    parameters = re.sub(r"(\w+): ", r"$\1: ", declared)
    arguments = re.sub(r"(\w+): [\w!]+", r"\1: $\1", declared)
    return Operation(f"{title}({parameters}) {{ {name}({arguments}) {{ {selection} }} }}", variables)


def named(argument: str, *names: str, **more: Any) -> dict[str, Any]:
    return {argument: {"filters": {"name": {"in": list(names)}}, **more}}


RUNS, STOP = "getRunsData: GetRunsInput!", "stopRunsData: StopRunsInput"
TUNES, STOP_TUNES = "getFinetunesData: GetFinetunesInput!", "stopFinetunesData: StopFinetunesInput"
RUNS_PAGE = "getRunsPaginated(getRunsPaginatedData: GetRunsPaginatedInput!)"
TUNES_PAGE = "getFinetunesPaginated(getFinetunesPaginatedData: GetFinetunesPaginatedInput!)"
SECRETS = "getSecretsData: GetSecretsInput!"
METADATA = f"updateRunMetadata({RUNS}, updateRunMetadataData: UpdateRunMetadataInput!)"
OPERATIONS = {
    "CreateSecret": operation(
        "mutation CreateSecret",
        "createSecret(createSecretData: CreateSecretInput!)",
        "name type metadata createdAt",
        lambda client: {"createSecretData": client.without_secret()},
    ),
    "GetSecrets": operation(
        "query GetSecrets",
        f"getSecrets({SECRETS})",
        "id name type metadata createdAt",
        lambda client: named("getSecretsData", client.secret()),
    ),
    "DeleteSecrets": operation(
        "mutation DeleteSecrets",
        f"deleteSecrets({SECRETS})",
        "name type metadata createdAt",
        lambda client: named("getSecretsData", client.secret()),
    ),
    "GetClusters": operation(
        "query GetClusters",
        "getClusters(getClustersData: GetClustersInput!)",
        MACHINES,
        lambda client: {"getClustersData": {"filters": {}, "includeAll": False}},
    ),
    "GetClusters with utilization": operation(
        "query GetClusters",
        "getClusters(getClustersData: GetClustersInput!)",
        UTILIZATION,
        lambda client: {"getClustersData": {"filters": {}, "includeAll": True, "entity": {"userIds": []}}},
    ),
    "CreateRun": operation(
        "mutation CreateRun",
        "createRun(createRunData: CreateRunInput!)",
        f"{CREATED} resumptions {{ estimatedEndTime }}",
        lambda client: {"createRunData": {"runInput": RUN_INPUT}},
    ),
    "CreateInteractiveRun": operation(
        "mutation CreateInteractiveRun",
        "createInteractiveRun(createRunData: CreateInteractiveRunInput!)",
        CREATED,
        lambda client: {"createRunData": {"runInput": RUN_INPUT, "seconds": None}},
    ),
    "GetRunsPaginated": operation(
        "query GetRunsPaginated",
        RUNS_PAGE,
        f"cursor hasNextPage runs {{ {LISTED} }}",
        lambda client: {"getRunsPaginatedData": PAGE},
    ),
    "GetRunsPaginated with details": operation(
        "query GetRunsPaginated",
        RUNS_PAGE,
        f"cursor hasNextPage runs {{ {DETAILED} }}",
        lambda client: named("getRunsPaginatedData", client.ended, limit=1),
    ),
    "DeleteRuns": operation(
        "mutation DeleteRuns",
        f"deleteRuns({RUNS})",
        f"{CHANGED} resumptions {{ estimatedEndTime }}",
        lambda client: named("getRunsData", client.running()),
    ),
    "StartRuns": operation(
        "mutation StartRuns",
        f"startRuns({RUNS})",
        CHANGED,
        lambda client: named("getRunsData", client.finish("true")["name"]),
    ),
    "StopRuns": operation(
        "mutation StopRuns",
        f"stopRuns({RUNS}, {STOP})",
        CHANGED,
        lambda client: named("getRunsData", client.running()),
    ),
    "StopRuns with a reason": operation(
        "mutation StopRuns",
        f"stopRuns({RUNS}, {STOP})",
        CHANGED,
        lambda client: named("getRunsData", client.running()) | {"stopRunsData": {"reason": "enough"}},
    ),
    "UpdateRun": operation(
        "mutation UpdateRun",
        f"updateRun({RUNS}, updateRunData: UpdateRunInput!)",
        CHANGED,
        lambda client: named("getRunsData", client.ended) | {"updateRunData": {"maxDurationSeconds": 5400}},
    ),
    "UpdateRun with nothing": operation(
        "mutation UpdateRun",
        f"updateRun({RUNS}, updateRunData: UpdateRunInput!)",
        CHANGED,
        lambda client: named("getRunsData", client.ended) | {"updateRunData": {}},
    ),
    "UpdateRunMetadata": operation(
        "mutation UpdateRunMetadata",
        METADATA,
        f"{CHANGED} details {{ metadata }}",
        lambda client: (
            named("getRunsData", client.ended) | {"updateRunMetadataData": {"metadata": {"loss": 0.5}}}
        ),
    ),
    "CreateRunEvent": operation(
        "mutation CreateRunEvent",
        "createRunEvent(createRunEventData: CreateRunEventInput!)",
        "id runId executionId eventType eventData updatedAt",
        lambda client: {
            "createRunEventData": {"runName": client.ended, "eventType": "STARTED", "eventData": {"a": [1]}}
        },
    ),
    "GetRunDebugInfo": operation(
        "query GetRunDebugInfo",
        f"getRuns({RUNS})",
        DEBUG,
        lambda client: named("getRunsData", client.ended, includeDeleted=True),
    ),
    "CreateFinetune": operation(
        "mutation CreateFinetune",
        "createFinetune(createFinetuneData: CreateFinetuneInput!)",
        f"{TUNED} details {{ {TUNING} dataPrepConfig }}",
        lambda client: {"createFinetuneData": {"config": FINETUNE}},
    ),
    "GetFinetunesPaginated": operation(
        "query GetFinetunesPaginated",
        TUNES_PAGE,
        f"cursor hasNextPage finetunes {{ {TUNED_DETAILED} }}",
        lambda client: {"getFinetunesPaginatedData": PAGE},
    ),
    "StopFinetunes": operation(
        "mutation StopFinetunes",
        f"stopFinetunes({TUNES}, {STOP_TUNES})",
        TUNED,
        lambda client: (
            named("getFinetunesData", client.finetune()) | {"stopFinetunesData": {"reason": "enough"}}
        ),
    ),
    "DeleteFinetunes": operation(
        "mutation DeleteFinetunes",
        f"deleteFinetunes({TUNES})",
        TUNED,
        lambda client: named("getFinetunesData", client.finetune()),
    ),
    "GetFinetuneEvents": operation(
        "query GetFinetuneEvents",
        "getFinetuneEvents(getFinetuneEventsData: GetFinetuneEventsInput!)",
        "eventType eventTime eventMessage",
        lambda client: {"getFinetuneEventsData": {"name": client.tuned}},
    ),
    "CreatePretrain": operation(
        "mutation CreatePretrain",
        "createPretrain(createPretrainData: CreatePretrainInput!)",
        CREATED,
        lambda client: {"createPretrainData": PRETRAIN},
    ),
    "GetAllUsers": operation(
        "query GetAllUsers",
        "getAllUsers(getAllUsersData: GetUsersInput!)",
        USER,
        lambda client: {"getAllUsersData": {"filters": {}, "entity": {"organizationIds": "local"}}},
    ),
    "GetUsers": operation(
        "query GetUsers",
        "getUsers(getUsersData: GetUsersInput!)",
        USER,
        lambda client: {"getUsersData": {"filters": {}}},
    ),
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The official client, on a platform with a run that failed twice and a finetuning run."""
    with Platform(cluster=virtual(2, 8, "a100_80gb"), grace=1) as platform:
        client = Client(platform)
        yield client
        client.close()


# How it is answered

NEVER_NULL = {
    *("createdAt", "updatedAt", "reachedAt", "eventTime", "eventType", "name", "type"),
    *("resumptions", "lifecycle", "nodes", "formattedRunEvents", "formattedFinetuningEvents"),
    *("integrations", "params", "envVariables", "compute", "scheduling", "dependentDeployment"),
    *("provider", "allowedSubmissionTypes", "allowedInstances", "utilization", "instanceUtils", "instance"),
    *("activeRunsByUser", "queuedRunsByUser", "activeDeploymentsByUser", "queuedDeploymentsByUser"),
    *("executionsStatusUpdates", "containerStatusUpdates", "podStatusUpdates", "organizations"),
    *("model", "trainDataPath", "saveFolder", "experimentTracker", "wandb", "metadata"),
}
"""Keys whose null breaks that client."""
TIMES = {"startTime", "endTime", "estimatedEndTime", "startedAt", "completedAt", "createdAt", "updatedAt"}


def leaves(value: Any, path: Sequence[str] = ()) -> Iterator[tuple[Sequence[str], Any]]:
    """Walk through an answer: each value with the keys that lead there."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, [*path, key])
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)


def objects(field: str, value: Any) -> Any:
    """Give the objects of an answer: the list, or for a page the one list in it."""
    if field.endswith("Paginated"):
        assert {"cursor", "hasNextPage"} < value.keys()
        (value,) = (value[key] for key in value if key not in {"cursor", "hasNextPage"})
    return value


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_answered(name: str, client: Client) -> None:
    """The answer is a list that is not empty, or a page with one; it holds no null that cannot be read."""
    response = client.post(OPERATIONS[name].document, OPERATIONS[name].variables(client))
    assert (200, ["data"]) == (response.status_code, list(response.json())), response.text
    ((field, value),) = response.json()["data"].items()
    assert isinstance(objects(field, value), list)
    assert objects(field, value)
    assert [] == [path for path, leaf in leaves(value) if path and path[-1] in NEVER_NULL and leaf is None]


@pytest.mark.parametrize("name", [each for each in OPERATIONS if "createdAt" in OPERATIONS[each].document])
def test_times_have_the_form_that_all_read(name: str, client: Client) -> None:
    """Every time in an answer is `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    value = client.send(OPERATIONS[name].document, **OPERATIONS[name].variables(client))
    times = [leaf for path, leaf in leaves(value) if path and path[-1] in TIMES and leaf is not None]
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    assert times == [text for text in times if form.fullmatch(text)] != []


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_wrong_key_is_refused(name: str, client: Client) -> None:
    """Whatever is asked for, a wrong key is one error with a message and the code 401, an integer."""
    variables = OPERATIONS[name].variables(client)
    answer = client.post(OPERATIONS[name].document, variables, Authorization="wrong").json()
    (error,) = answer["errors"]
    assert (str, {"code": 401}) == (type(error["message"]), error["extensions"])


NAMED = [
    name
    for name in OPERATIONS
    if "Data: Get" in OPERATIONS[name].document and "mutation" in OPERATIONS[name].document
]


@pytest.mark.parametrize("name", [*NAMED, "GetFinetuneEvents", "CreateRunEvent"])
def test_an_unknown_name_is_told(name: str, client: Client) -> None:
    """A change of what is not there is one error 404 that names it: that client cannot read an empty list here."""
    variables = json.dumps(OPERATIONS[name].variables(client))
    unknown = re.sub(r'("in": \[|"name": |"runName": )"[^"]+"', r'\1"no-such-name"', variables)
    code, message = client.error(OPERATIONS[name].document, **json.loads(unknown))
    assert (404, True) == (code, "'no-such-name'" in message)


def test_text_may_be_escaped(client: Client) -> None:
    """A body of ASCII, its other characters as `\\u` escapes, means the same text."""
    body = {"query": OPERATIONS["CreateRun"].document, "variables": {}}
    body["variables"] = {"createRunData": {"runInput": RUN_INPUT | {"metadata": {"é": "😀"}}}}
    answer = client.http.post(client.endpoint, content=json.dumps(body).encode("ascii")).json()
    assert {"é": "😀"} == answer["data"]["createRun"][0]["details"]["metadata"]


def test_input_comes_back_as_it_was_sent(client: Client) -> None:
    """`originalRunInput` has what was sent, without the nulls, and nothing else."""
    (run,) = client.ask("CreateRun", createRunData={"runInput": RUN_INPUT})
    expected = {key: value for key, value in RUN_INPUT.items() if value is not None}
    assert expected == run["details"]["originalRunInput"]


def test_a_token_file_is_a_key(client: Client) -> None:
    """The key is taken with the scheme that goes before a token."""
    answer = client.post(
        OPERATIONS["GetUsers"].document,
        {"getUsersData": {"filters": {}}},
        Authorization=f"Bearer {client.key}",
    )
    assert "errors" not in answer.json()


# Filters

FILTERS: dict[str, dict[str, tuple[Any, Any]]] = {
    "GetFinetunesPaginated": {
        "name": ({"in": ["{tuned}"]}, {"in": ["{ended}"]}),
        "status": ({"in": ["FAILED"]}, {"in": ["RUNNING", "UNKNOWN"]}),
        "createdAt": ({"gte": "2020-01-01"}, {"lt": "2020-01-01T00:00:00+02:00"}),
    },
    "GetRunDebugInfo": {
        "name": ({"in": ["{ended}"]}, {"in": ["no-such-run"]}),
        "status": ({"in": ["FAILED"]}, {"in": ["UNKNOWN"]}),
        "createdAt": ({"gte": "2020-01-01"}, {"lt": "2020-01-01"}),
        "endedAt": ({"gte": "2020-01-01", "lt": "2100-01-01"}, {"lt": "2020-01-01"}),
        "clusterName": ({"in": ["other", "local"]}, {"in": ["other"]}),
        "gpuType": ({"in": ["None"]}, {"in": ["t4"]}),
        "gpuNum": ({"in": [0, 1]}, {"in": [3]}),
        "runType": ({"in": ["TRAINING"]}, {"in": ["HERO_RUN"]}),
    },
    "GetClusters": {
        "name": ({"in": ["local"]}, {"in": ["other"]}),
        "allowedSubmissionTypes": ({"has": "FINETUNING"}, {"has": "INFERENCE"}),
    },
    "GetSecrets": {
        "name": ({"in": ["token"]}, {"in": ["other"]}),
        "type": ({"in": ["ENV_VAR", "S3"]}, {"in": ["S3"]}),
    },
    "GetUsers": {
        "id": ({"in": ["{user}"]}, {"in": ["other"]}),
        "email": ({"in": ["{email}"]}, {"in": ["other@example.com"]}),
    },
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in FILTERS for key in FILTERS[name]])
def test_a_filter_is_heeded(name: str, key: str, client: Client) -> None:
    """Each filter that an operation has lets through what matches, and nothing else."""
    client.secret()
    (me,) = client.ask("GetUsers", getUsersData={})
    known = {"tuned": client.tuned, "ended": client.ended, "user": me["id"], "email": me["email"]}
    ((argument, _),) = OPERATIONS[name].variables(client).items()
    found = []
    for wanted in FILTERS[name][key]:
        filled = re.sub(r"{(\w+)}", lambda place: known[place[1]], json.dumps(wanted))
        answer = client.post(OPERATIONS[name].document, {argument: {"filters": {key: json.loads(filled)}}})
        ((field, value),) = answer.json()["data"].items()
        found.append(bool(objects(field, value)))
    assert [True, False] == found


def test_pages_of_finetunes_stay_right(client: Client) -> None:
    """Pages follow each other without gap or overlap, though finetuning runs are created meanwhile."""
    whole = [
        each["name"]
        for each in client.ask("GetFinetunesPaginated", getFinetunesPaginatedData=PAGE)["finetunes"]
    ]
    seen, cursor, more = [], None, True
    while more:
        page = client.ask("GetFinetunesPaginated", getFinetunesPaginatedData={"limit": 2, "cursor": cursor})
        seen += [each["name"] for each in page["finetunes"]]
        cursor, more = page["cursor"], page["hasNextPage"]
        client.finetune()
    assert whole == seen


# Subscriptions


def subscribed(client: Client, protocols: Sequence[Subprotocol], document: str, variables: Any) -> list[Any]:
    """Subscribe as the official client does, and give what comes until the end."""
    url = client.endpoint.replace("http", "ws", 1)
    with connect(url, subprotocols=protocols) as connection:
        socket = Socket(connection)
        payload = {key: HEADERS[key] for key in HEADERS if key not in {"Accept", "User-Agent"}}
        socket.say(type="connection_init", payload={"Authorization": client.key, **payload})
        assert {"type": "connection_ack"} == socket.hear()
        socket.subscribe(document, variables)
        return list(socket.results())


OFFERS = pytest.mark.parametrize("protocols", [[NEW], [OLD], [OLD, NEW]], ids=["new", "old", "both"])


@OFFERS
def test_a_status_is_a_text(protocols: list[Subprotocol], client: Client) -> None:
    """`watchRunStatus` gives texts, the present one at once, and ends after a terminal one."""
    assert ["FAILED"] == subscribed(
        client, protocols, STATUS, {"watchRunStatusInput": {"name": client.ended}}
    )


@OFFERS
@pytest.mark.parametrize(
    "wanted",
    [
        {"follow": False, "failed": False, "offset": 0},
        {"follow": True, "offset": 0},
        {"follow": True, "offset": 0, "nodeRank": 0, "attemptIndex": 0, "containerName": "MAIN"},
    ],
)
def test_a_log_is_base64(protocols: list[Subprotocol], wanted: dict[str, Any], client: Client) -> None:
    """`getRunLogsV2` gives pieces in base64, each with the position after it, and ends with the run."""
    name = client.finish("printf 'Grüße\\n'")["name"]
    pieces = subscribed(client, protocols, LOGS, {"getRunLogsInput": {"name": name, **wanted}})
    log = b"".join(base64.b64decode(piece["chunk"]) for piece in pieces)
    assert (True, len(log)) == (log.endswith("Grüße\n".encode()), pieces[-1]["endOffset"])
