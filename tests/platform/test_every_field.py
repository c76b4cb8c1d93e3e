"""Every field of the schema, asked for where there is something to tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import GraphQLFieldMap, GraphQLObjectType, build_schema, get_named_type, is_object_type

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.serving.api import schema_text
from tests.platform.caller import Caller
from tests.platform.test_operations_raw import OPERATIONS, SECRET, named

SCHEMA = build_schema(schema_text())
UNKNOWN_HERE = {
    "Cluster.reservationType",
    "ClusterNode.upTime",
    "ClusterUtilization.activeDeploymentsByUser",
    "ClusterUtilization.queuedDeploymentsByUser",
}
"""What a machine of one's own does not have: reservations, deployments, and a record of when it was up."""
BELOW_UNKNOWN = ("DeploymentUtilization.", "NodeUpTime.")


def fields_of(kind: str) -> GraphQLFieldMap:
    found = SCHEMA.get_type(kind)
    assert isinstance(found, GraphQLObjectType)
    fields: GraphQLFieldMap = found.fields
    return fields


def everything(kind: str) -> str:
    """Select all fields of a type, and of the types below it."""
    types = {name: get_named_type(field.type) for name, field in fields_of(kind).items()}
    return " ".join(
        f"{name} {{ {everything(of.name)} }}" if is_object_type(of) else name for name, of in types.items()
    )


def told(kind: str, value: dict[str, Any]) -> Iterator[str]:
    """Name the fields that have a value somewhere in an answer."""
    for name, field in fields_of(kind).items():
        inner, of = value[name], get_named_type(field.type)
        if inner is not None and inner != []:
            yield f"{kind}.{name}"
        for each in inner if isinstance(inner, list) else [inner]:
            if each is not None and is_object_type(of):
                yield from told(of.name, each)


def ask(caller: Caller, field: str, data: dict[str, Any]) -> set[str]:
    """Ask for everything below a field with one argument, and name what is told."""
    kind = "Query" if field in fields_of("Query") else "Mutation"
    ((argument, of),) = fields_of(kind)[field].args.items()
    answer = get_named_type(fields_of(kind)[field].type).name
    selection = f"{field}({argument}: $data) {{ {everything(answer)} }}"
    value = caller.send(f"{kind.lower()} Q($data: {of.type}) {{ {selection} }}", data=data)
    return {name for each in (value if isinstance(value, list) else [value]) for name in told(answer, each)}


def busy(caller: Caller) -> str:
    """Keep the platform busy, and name a run that failed."""
    failed = caller.finish("exit 1", scheduling={"maxDuration": 1, "maxRetries": 0})["name"]
    active = caller.create("sleep 600", compute={"gpus": 16}, scheduling={"maxDuration": 1})
    caller.wait(active, "RUNNING")
    caller.wait(caller.create("true", compute={"gpus": 8}), "QUEUED")
    caller.send(OPERATIONS["CreateSecret"].document, createSecretData={"envVarSecret": SECRET})
    return str(failed)


def tuned(caller: Caller, folder: Path) -> str:
    """Start a finetuning run that says everything, with a time limit, and wait for its end."""
    for name in ("train", "eval"):
        (folder / f"{name}.jsonl").write_text('{"prompt": "a", "response": "b"}\n' * 4)
    config = {
        "model": "mosaicml/mpt-7b",
        "taskType": "INSTRUCTION_FINETUNE",
        "trainDataPath": str(folder / "train.jsonl"),
        "evalDataPath": str(folder / "eval.jsonl"),
        "saveFolder": str(folder / "out"),
        "evalPrompts": ["Who?"],
        "customWeightsPath": "s3://bucket/weights",
        "trainingDuration": "2ba",
        "learningRate": 5e-7,
        "contextLength": 512,
        "dataPrepConfig": {"a": 1},
        "disableCredentialsCheck": True,
    }
    (run,) = caller.send(OPERATIONS["CreateFinetune"].document, createFinetuneData={"config": config})
    limit = named("getRunsData", run["name"]) | {"updateRunData": {"maxDurationSeconds": 3600}}
    caller.send(OPERATIONS["UpdateRun"].document, **limit)
    caller.statuses(run["name"])
    return str(run["name"])


def test_every_field_is_told(tmp_path: Path) -> None:
    """Each field has a value where there is one to tell; those that never have are listed here."""
    with Platform(cluster=virtual(2, 8, "a100_80gb"), grace=1) as platform:
        caller = Caller(platform)
        failed = busy(caller)
        _, tune = tuned(caller, tmp_path), tuned(caller, tmp_path)
        asked: dict[str, dict[str, Any]] = {
            "getSecrets": {},
            "getClusters": {},
            "getRuns": {"filters": {"name": {"in": [failed]}}},
            "getRunsPaginated": {"limit": 1},
            "getFinetunesPaginated": {"limit": 1},
            "getFinetuneEvents": {"name": tune},
            "getUsers": {},
            "createRunEvent": {"runName": failed, "eventType": "STARTED", "eventData": {"a": 1}},
        }
        found = {name for field, data in asked.items() for name in ask(caller, field, data)}
        caller.close()
    objects = [name for name, kind in SCHEMA.type_map.items() if is_object_type(kind) and name[0] != "_"]
    known = {f"{kind}.{name}" for kind in objects for name in fields_of(kind)}
    not_asked = ("Query.", "Mutation.", "Subscription.", "LogChunk.", *BELOW_UNKNOWN)
    assert UNKNOWN_HERE == {name for name in known - found if not name.startswith(not_asked)}
