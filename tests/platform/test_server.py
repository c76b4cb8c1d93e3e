"""The platform over HTTP: what it accepts, how it answers, whom it keeps out."""

import json
import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, get_introspection_query, validate_schema

from mcli.platform.scheduling.cluster import virtual
from mcli.platform.serving.api import schema_text
from mcli.platform.serving.failures import error_to_wire
from mcli.platform.serving.resolvers import Resolvers
from mcli.platform.serving.server import LARGEST_BODY
from mcli.platform.state.vault import Vault
from tests.platform.caller import CREATE, PAGE, Caller

ME = "{ getUsers(getUsersData: {}) { email } }"


def test_schema_is_valid() -> None:
    """The schema file holds a schema without errors."""
    assert [] == validate_schema(build_schema(schema_text()))


def test_every_field_is_resolved(tmp_path: Path) -> None:
    """Every query and mutation of the schema has a resolver."""
    schema, resolvers = build_schema(schema_text()), Resolvers(virtual(1, 8), Vault(tmp_path / "key"))
    assert schema.query_type
    assert schema.mutation_type
    assert set(schema.query_type.fields) == set(resolvers.queries)
    assert set(schema.mutation_type.fields) == set(resolvers.mutations)


def test_introspection(caller: Caller) -> None:
    """The schema can be asked for."""
    answer = caller.post(get_introspection_query(), {}).json()
    assert "Query" == answer["data"]["__schema"]["queryType"]["name"]


def test_get_is_refused(caller: Caller) -> None:
    """Only POST is answered, and the answer says so in the form of all errors."""
    answer = caller.http.get(caller.endpoint)
    assert (405, "POST") == (answer.status_code, answer.headers["allow"])
    assert 405 == answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("key", ["", "wrong", "Bearer wrong", "é"])
def test_wrong_key(caller: Caller, key: str) -> None:
    """A missing or wrong key is an error 401, also by its code."""
    answer = httpx.post(caller.endpoint, json={"query": ME}, headers={b"Authorization": key.encode()})
    assert (401, 401) == (answer.status_code, answer.json()["errors"][0]["extensions"]["code"])


def test_key_may_have_a_scheme(caller: Caller) -> None:
    """A key is accepted bare and as `Bearer`."""
    headers = {"Authorization": f"Bearer {caller.key}"}
    assert "data" in httpx.post(caller.endpoint, json={"query": ME}, headers=headers).json()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://evil.example:localhost"}, 403),
        ({"Origin": "http://localhost@evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_web_pages_are_kept_out(caller: Caller, headers: dict[str, str], status: int) -> None:
    """What a page of another host can send is refused, even with the right key."""
    answer = caller.post(ME, {}, **headers)
    assert (status, status) == (answer.status_code, answer.json()["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_names(caller: Caller, host: str) -> None:
    """The machine may be called by each of its own names."""
    assert "data" in caller.post(ME, {}, Host=f"{host}:1234", Origin=f"http://{host}:9").json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"query": 1}',
        b'{"query": "{a}", "variables": []}',
        b'{"query": "{a}", "extensions": 1}',
        b"\xff",
    ],
)
def test_malformed_request(caller: Caller, body: bytes) -> None:
    """What is no GraphQL request is an error 400 in JSON."""
    answer = caller.http.post(caller.endpoint, content=body, headers={"Content-Type": "application/json"})
    assert 400 == answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{", {}),
        ("{ nothing }", {}),
        (PAGE, {}),
        (PAGE, {"getRunsPaginatedData": {"filters": {"status": {"in": ["BOGUS"]}}}}),
        (PAGE, {"getRunsPaginatedData": {"filters": {"createdAt": {"gte": "yesterday"}}}}),
        (
            '{ getRunsPaginated(getRunsPaginatedData: {filters: {createdAt: {gte: "yesterday"}}}) { cursor } }',
            {},
        ),
        (PAGE, {"getRunsPaginatedData": {"cursor": "bogus"}}),
        (PAGE, {"getRunsPaginatedData": {"limit": 0}}),
        ("query A { __typename } query B { __typename }", {}),
        ('subscription { watchRunStatus(watchRunStatusInput: {name: "a"}) }', {}),
    ],
)
def test_bad_document_or_variables(caller: Caller, document: str, variables: dict[str, Any]) -> None:
    """What the schema does not allow is an error 400."""
    assert 400 == caller.error(document, **variables)[0]


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (" ".join(f"a{number}: __typename" for number in range(101)), "at most 100 fields"),
        (" ".join(f"a{number}: __typename" for number in range(20_000)), "characters|tokens"),
        ("__typename " * 4_000, "tokens"),
        ("a" * 200_000, "characters"),
        ("a{" * 1_990 + "a" + "}" * 1_990, "deeply"),
        (
            "...A } fragment A on Query { ...B ...B } fragment B on Query {" + "__typename " * 101,
            "100 fields",
        ),
    ],
    ids=["calls", "aliases", "tokens", "characters", "depth", "fragments"],
)
def test_documents_are_bounded(caller: Caller, selection: str, reason: str) -> None:
    """What would keep the platform from its other work is refused, with the reason."""
    code, message = caller.error(f"{{ {selection} }}")
    assert 400 == code
    assert re.search(reason, message)


def test_error_of_a_field_has_its_path(caller: Caller) -> None:
    """An error in a field says in which, by the name that the answer has for it."""
    document = """{ good: getUsers(getUsersData: {}) { email }
        bad: getFinetuneEvents(getFinetuneEventsData: {name: "nobody"}) { eventType } }"""
    answer = caller.post(document, {}).json()
    assert [["bad"]] == [error["path"] for error in answer["errors"]]


@pytest.mark.parametrize("head", ["", "Authorization: wrong\r\n"])
def test_no_body_is_read_without_a_key(caller: Caller, head: str) -> None:
    """Somebody without a key is answered 401 before any of the body has come."""
    with socket.create_connection(("127.0.0.1", httpx.URL(caller.endpoint).port or 0), timeout=20) as client:
        client.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + head.encode()
            + b"Content-Length: 60000000\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 401 ")


def test_body_over_the_limit_is_refused_at_once(caller: Caller) -> None:
    """A body that says that it is too large is answered 413 before any of it has come."""
    with socket.create_connection(("127.0.0.1", httpx.URL(caller.endpoint).port or 0), timeout=20) as client:
        client.sendall(
            f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: {caller.key}\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_body_of_unknown_length_is_bounded(caller: Caller) -> None:
    """A body whose length is not said is refused one byte over the limit, and read up to it."""
    part = b" " * (1 << 20)
    headers = {"Content-Type": "application/json"}
    codes = [
        caller.http.post(caller.endpoint, content=iter([part] * 64 + [b" "] * more), headers=headers)
        for more in (0, 1)
    ]
    assert [400, 413] == [answer.status_code for answer in codes]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        (
            "application/graphql-response+json; charset=utf-8, application/json; q=0.9",
            "application/graphql-response+json",
        ),
        ("application/json, application/graphql-response+json; q=0.5", "application/json"),
        ("application/graphql-response+json; q=0", "application/json"),
    ],
)
def test_media_type_of_the_answer(caller: Caller, accept: str, kind: str) -> None:
    """GraphQL's own media type is used for those who ask for it, plain JSON for all others."""
    answer = caller.post(ME, {}, Accept=accept)
    assert (200, f"{kind}; charset=utf-8") == (answer.status_code, answer.headers["content-type"])


@pytest.mark.parametrize(("document", "status"), [("{", 400), ("{ nothing }", 400), (ME, 200)])
def test_status_with_the_media_type_of_graphql(caller: Caller, document: str, status: int) -> None:
    """With GraphQL's media type a request that was not executed has a status of its own."""
    answer = caller.post(document, {}, Accept="application/graphql-response+json")
    assert status == answer.status_code


def test_full_disk_is_told() -> None:
    """An error of a disk that takes no more says so, and what to do; SQLite is asked for its own error."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as full:
            db.executescript("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));")
    error = error_to_wire(full.value)
    assert 507 == error["extensions"]["code"]
    assert "disk is full" in error["message"]


def test_other_paths(caller: Caller) -> None:
    """There is nothing but /graphql."""
    assert 404 == caller.http.post(caller.endpoint.removesuffix("/graphql"), json={}).status_code


def test_nan_in_metadata_is_kept_as_text(caller: Caller) -> None:
    """A bare NaN, which clients send though it is no JSON, becomes a text, so that all answers are JSON."""
    run_input = {
        "runName": "n",
        "image": "i",
        "command": "c",
        "compute": {"gpus": 0},
        "metadata": {"x": [float("nan")]},
    }
    body = json.dumps({"query": CREATE, "variables": {"createRunData": {"runInput": run_input}}})
    headers = {"Content-Type": "application/json"}
    (run,) = caller.http.post(caller.endpoint, content=body, headers=headers).json()["data"]["createRun"]
    assert {"x": ["NaN"]} == run["details"]["metadata"]


def test_support_of_idempotency_is_declared(caller: Caller) -> None:
    """Every response says that idempotency keys are heeded."""
    answers = [caller.post(ME, {}), caller.http.get(caller.endpoint), caller.http.post(caller.endpoint)]
    assert ["true"] * 3 == [answer.headers["accept-idempotency-key"] for answer in answers]


def create(caller: Caller, name: str, key: str) -> httpx.Response:
    run_input = {"runName": name, "image": "i", "command": "true", "compute": {"gpus": 0}}
    return caller.post(CREATE, {"createRunData": {"runInput": run_input}}, **{"Idempotency-Key": key})


def test_same_key_takes_effect_once(caller: Caller) -> None:
    """A mutation that is sent again with its key gives the same answer, and creates nothing."""
    first, second = (create(caller, "once", "key-1").json() for _ in range(2))
    assert first == second
    name = first["data"]["createRun"][0]["name"]
    names = [run["name"] for run in caller.page()["runs"] if run["name"].startswith("once-")]
    assert [name] == names


def test_same_key_with_another_request(caller: Caller) -> None:
    """A key that was used for another request is an error 422."""
    create(caller, "first", "key-2")
    assert 422 == create(caller, "other", "key-2").json()["errors"][0]["extensions"]["code"]


def test_refused_request_may_come_again(caller: Caller) -> None:
    """A refusal is not remembered: nothing has taken effect."""
    assert 400 == create(caller, "Bad Name", "key-3").json()["errors"][0]["extensions"]["code"]
    assert 400 == create(caller, "Bad Name", "key-3").json()["errors"][0]["extensions"]["code"]


def test_answers_survive_a_large_request(caller: Caller) -> None:
    """A request of several megabytes is read."""
    metadata = {f"key-{number}": "x" * 90_000 for number in range(50)}
    assert metadata == caller.run(caller.create("true", metadata=metadata))["details"]["metadata"]
