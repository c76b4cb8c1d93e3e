"""The commands that make the generated package, and that compare its schema with a live one."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from graphql import build_schema, introspection_from_schema, parse

from codegen.refresh import compare
from tests.codegen.conftest import ROOT, edit, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = (ROOT / "schema" / "mapi.graphql").read_text("utf-8")


def package_of(project: Path) -> dict[str, bytes]:
    paths = (project / "generated").rglob("*")
    return {str(path.relative_to(project)): path.read_bytes() for path in paths if path.is_file()}


def test_the_committed_package_is_what_its_sources_give(project: Path) -> None:
    """The check passes on the tree as it is committed, also with another hash seed."""
    done = run(project, "codegen", "--check", PYTHONHASHSEED="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_generating_again_changes_nothing(project: Path) -> None:
    """The same sources give the same bytes, and nothing else is left in the folder."""
    before = package_of(project)
    assert run(project, "codegen").returncode == 0
    assert before == package_of(project)


def test_an_edited_file_is_found(project: Path) -> None:
    """The check fails and shows the line that somebody changed in the generated package."""
    edit(project / "generated" / "mcli_mapi" / "enums.py", '"QUEUED"', '"WAITING"')
    done = run(project, "codegen", "--check")
    assert done.returncode == 1
    assert "generated/mcli_mapi/enums.py (committed)" in done.stdout
    assert '-    QUEUED = "WAITING"' in done.stdout
    assert "enums.py" in done.stderr


def test_a_changed_operation_is_found(project: Path) -> None:
    """The check fails and names what a change of an operation would generate."""
    edit(project / "codegen" / "operations" / "runs.graphql", "  maxRetries\n", "")
    done = run(project, "codegen", "--check")
    assert done.returncode == 1
    assert "-    max_retries: int | None = None" in done.stdout
    assert done.stderr.startswith(
        "codegen: not up to date: generated/mcli_mapi/fragments.py, generated/mcli_mapi/operations.py, "
        "generated/operations.json. "
    )


def test_the_check_writes_nothing(project: Path) -> None:
    """A package that is not up to date stays as it is."""
    edit(project / "schema" / "mapi.graphql", "  QUEUED\n", "  QUEUED\n  DREAMING\n")
    before = package_of(project)
    assert run(project, "codegen", "--check").returncode == 1
    assert before == package_of(project)


def test_a_module_that_nothing_gives_any_more_is_removed(project: Path) -> None:
    """A stale file is found by the check and is gone after generating."""
    stale = project / "generated" / "mcli_mapi" / "get_deployments.py"
    stale.write_text("")
    assert "get_deployments.py" in run(project, "codegen", "--check").stderr
    assert run(project, "codegen").returncode == 0
    assert not stale.exists()


MISTAKES = [
    (
        "codegen/operations/users.graphql",
        "  email\n",
        "  mail\n",
        "users.graphql:6:3: in fragment UserFields: Cannot query field 'mail' on type 'User'. Did you mean 'email'?",
    ),
    (
        "codegen/operations/users.graphql",
        "  email\n",
        "  {\n",
        "users.graphql:14:16: Syntax Error: Expected Name",
    ),
    ("schema/mapi.graphql", "type Mutation {", "type Mutation {{", "mapi.graphql:151:16: Syntax Error"),
    ("schema/mapi.graphql", "scalar JSON", "scalar JSONObject", "mapi.graphql:930:12: Unknown type 'JSON'."),
    (
        "codegen/mapi.toml",
        '"Run.details"',
        '"Run.detials"',
        "does not have 'Run.detials'. Did you mean 'Run.details'",
    ),
    ("codegen/mapi.toml", 'schema = "../schema/mapi.graphql"\n', "", "mapi.toml must say schema"),
    ("codegen/mapi.toml", "mapi.graphql", "mopi.graphql", "mopi.graphql cannot be read"),
]


@pytest.mark.parametrize(("path", "old", "new", "message"), MISTAKES)
def test_a_failed_run_leaves_the_old_package(
    project: Path, path: str, old: str, new: str, message: str
) -> None:
    """A mistake in a source is named, and the package stays whole."""
    before = package_of(project)
    edit(project / path, old, new)
    done = run(project, "codegen")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert before == package_of(project)


def test_a_new_value_of_an_enum_reaches_the_package(project: Path) -> None:
    """A change of the schema is in the package after generating, and then the check passes."""
    edit(project / "schema" / "mapi.graphql", "  QUEUED\n", "  QUEUED\n  DREAMING\n")
    assert run(project, "codegen").returncode == 0
    assert 'DREAMING = "DREAMING"' in (project / "generated" / "mcli_mapi" / "enums.py").read_text("utf-8")
    assert run(project, "codegen", "--check").returncode == 0


OURS = parse("query GetUsers($data: GetUsersInput!) { getUsers(getUsersData: $data) { email } }")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("  email: String!\n", "", "breaking  OURS  FIELD_REMOVED: User.email was removed."),
        (
            "  isDatabricksInternal: Boolean!\n",
            "",
            "breaking        FIELD_REMOVED: Organization.isDatabricksInternal was removed.",
        ),
        (
            "input UserFilters {\n",
            "input UserFilters {\n  team: String\n",
            "dangerous OURS  OPTIONAL_INPUT_FIELD_ADDED",
        ),
        ("  QUEUED\n", "  QUEUED\n  DREAMING\n", "dangerous       VALUE_ADDED_TO_ENUM"),
    ],
)
def test_a_change_is_marked_if_it_touches_our_operations(old: str, new: str, change: str) -> None:
    """Breaking and dangerous changes are told, with a mark at those of the fields and inputs that we use."""
    assert old in SCHEMA
    report = compare(build_schema(SCHEMA), build_schema(SCHEMA.replace(old, new)), OURS)
    assert [line.startswith(change) for line in report.changes] == [True]


def test_an_operation_that_is_no_longer_valid_is_told() -> None:
    """A field of ours that has gone makes the operation invalid."""
    new = build_schema(SCHEMA.replace("  email: String!\n", ""))
    report = compare(build_schema(SCHEMA), new, OURS)
    assert report.invalid == ["invalid   OURS  Cannot query field 'email' on type 'User'."]


def test_the_same_schema_has_nothing_to_report() -> None:
    """A schema does not differ from itself."""
    schema = build_schema(SCHEMA)
    assert str(compare(schema, schema, OURS)) == "Nothing that matters has changed."


class Endpoint(HTTPServer):
    """Answers every request alike and keeps what authorized them."""

    def __init__(self, answer: object) -> None:
        super().__init__(("127.0.0.1", 0), EndpointHandler)
        self.answer = json.dumps(answer).encode()
        self.keys: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/graphql"


class EndpointHandler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: object) -> None:
        """Say nothing: the test's own output is the report."""


@contextmanager
def endpoint(answer: object) -> Iterator[Endpoint]:
    with Endpoint(answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_refresh_fails_when_the_live_schema_breaks_an_operation(project: Path) -> None:
    """The command sends the key as it is, tells the change and the operation, and ends with 1."""
    live = build_schema(SCHEMA.replace("  email: String!\n", ""))
    with endpoint({"data": introspection_from_schema(live)}) as server:
        done = run(project, "codegen.refresh", server.url, MOSAICML_API_KEY="key")
        assert server.keys == ["key"]
    assert (done.returncode, done.stderr) == (1, "")
    assert "breaking  OURS  FIELD_REMOVED: User.email was removed." in done.stdout
    assert "invalid   OURS  Cannot query field 'email' on type 'User'." in done.stdout


def test_refresh_can_take_the_new_schema(project: Path) -> None:
    """With `--write` the live schema replaces ours, and the package can be generated from it."""
    live = build_schema(SCHEMA.replace("  QUEUED\n", "  QUEUED\n  DREAMING\n"))
    with endpoint({"data": introspection_from_schema(live)}) as server:
        done = run(project, "codegen.refresh", server.url, "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert "DREAMING" in (project / "schema" / "mapi.graphql").read_text("utf-8")
    assert run(project, "codegen").returncode == 0


@pytest.mark.parametrize("answer", [{"errors": [{"message": "introspection is off"}]}, {}, []])
def test_an_endpoint_that_does_not_tell_its_schema_is_an_error(project: Path, answer: object) -> None:
    """Without a schema there is one line that names the endpoint, and status 2."""
    with endpoint(answer) as server:
        done = run(project, "codegen.refresh", server.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"refresh: {server.url} ")
    assert done.stderr.count("\n") == 1
