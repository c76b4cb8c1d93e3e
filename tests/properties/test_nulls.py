"""Which nulls of an answer a call bears: each place of a complete answer is null once, alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from mcli.exceptions import MAPIException
from tests.fake import SCHEMA, Fake, Reply, connected
from tests.fake.leaves import example
from tests.properties.calls import CALLS
from tests.properties.test_adapters import usual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake.requests import Request

fake = Fake()

FATAL = {
    "Cluster.allowedInstances",
    "Cluster.allowedSubmissionTypes",
    "Cluster.provider",
    "Cluster.utilization",
    "ClusterUtilization.activeDeploymentsByUser",
    "ClusterUtilization.activeRunsByUser",
    "ClusterUtilization.instanceUtils",
    "ClusterUtilization.queuedDeploymentsByUser",
    "ClusterUtilization.queuedRunsByUser",
    "DeploymentUtilization.createdAt",
    "Finetune.createdAt",
    "Finetune.updatedAt",
    "FinetuneDetails.formattedFinetuningEvents",
    "FinetuneDetails.model",
    "FinetuneDetails.saveFolder",
    "FinetuneDetails.trainDataPath",
    "FinetunesPage.finetunes",
    "FormattedRunEvent.eventTime",
    "Instance.nodes",
    "InstanceUtilization.instance",
    "Run.createdAt",
    "Run.resumptions",
    "Run.updatedAt",
    "RunDetails.formattedRunEvents",
    "RunDetails.lifecycle",
    "RunDetails.nodes",
    "RunLifecycle.startTime",
    "RunUtilization.createdAt",
    "RunUtilization.scheduling",
    "RunsPage.runs",
    "Secret.type",
    "User.organizations",
}
"""The nulls that fail the whole answer in official clients too, by measurement; besides these, the answer itself.

`FinetuneDetails.experimentTracker` is too, there: it is JSON, of which null is a value, and we read it.
"""


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    with connected(fake):
        yield


def places(
    of: GraphQLObjectType, value: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each place of an answer, with where the schema defines it."""
    for name, below in value.items():
        yield f"{of.name}.{name}", (*path, name)
        kind = get_named_type(of.fields[name].type)
        if isinstance(kind, GraphQLObjectType):
            items = enumerate(below) if isinstance(below, list) else [(None, below)]
            for at, item in items:
                yield from places(kind, item, (*path, name) if at is None else (*path, name, at))


def complete(name: str) -> dict[str, Any]:
    """Return an answer to a call in which every list of objects has one item."""
    answers: list[dict[str, Any]] = []

    def reply(request: Request) -> Reply:
        answers.append(example(SCHEMA, request, usual))
        return Reply.of({"data": answers[-1]})

    fake.result(CALLS[name](), reply)
    return answers[-1]


def root_of(answer: dict[str, Any]) -> GraphQLObjectType:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type)
    return next(root for root in roots if root is not None and root.fields.keys() >= answer.keys())


def bears_null(name: str, answer: dict[str, Any], path: tuple[Any, ...]) -> bool:
    changed = copy.deepcopy(answer)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = None
    try:
        assert isinstance(repr(fake.result(CALLS[name](), lambda _: Reply.of({"data": changed}))), str)
    except MAPIException:
        return False
    return True


@pytest.mark.filterwarnings("ignore:Unknown submission type")
@pytest.mark.parametrize("name", CALLS)
def test_a_null_fails_an_answer_only_where_official_clients_fail(name: str) -> None:
    """A null anywhere else is None or the documented default in the value that a call returns."""
    answer = complete(name)
    root = root_of(answer)
    found = {(field, path) for field, path in places(root, answer) if not field.startswith(f"{root.name}.")}
    failed = {field for field, path in found if not bears_null(name, answer, path)}
    assert {field for field, _ in found if field in FATAL} == failed
