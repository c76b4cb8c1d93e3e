"""The command that says what a change of the service's schema means for us."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from graphql import build_schema, introspection_from_schema

from codegen.refresh import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ZOO = Path(__file__).parent / "awkward"
SCHEMA = (ZOO / "zoo.graphql").read_text("utf-8")
WITHOUT_LIVES = SCHEMA.replace("  lives: Int!\n", "")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of another API's sources, whose key is in the environment."""
    shutil.copytree(ZOO, tmp_path, dirs_exist_ok=True)
    settings = (tmp_path / "zoo.toml").read_text("utf-8")
    (tmp_path / "zoo.toml").write_text(f'api_key = "ZOO_KEY"\n{settings}', "utf-8")
    monkeypatch.setenv("ZOO_KEY", "key")
    return tmp_path


def refresh(zoo: Path, source: object, *options: str) -> int:
    return main([str(source), "--config", str(zoo / "zoo.toml"), *options])


def introspection(text: str) -> dict[str, Any]:
    return {"data": introspection_from_schema(build_schema(text))}


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


def test_an_endpoint_whose_schema_breaks_an_operation(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command sends the key as it is, tells the change with its places and the operation, and ends with 1."""
    with endpoint(introspection(WITHOUT_LIVES)) as server:
        assert (1, ["key"]) == (refresh(zoo, server.url), server.keys)
    told = capsys.readouterr().out
    assert (
        "breaking  BREAKS FIELD_REMOVED: Cat.lives was removed.\n    operations/pets.graphql:3 (fragment CatFields)"
        in told
    )
    assert (
        "operations/pets.graphql:3:3: in fragment CatFields: Cannot query field 'lives' on type 'Cat'."
        in told
    )
    assert told.endswith("1 breaking, 0 dangerous, 0 safe; something of ours breaks.\n")


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_file_of_an_introspection(zoo: Path, wrapped: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A `.json` file holds an answer, or its data alone."""
    answer = introspection(SCHEMA)
    (zoo / "new.json").write_text(json.dumps(answer if wrapped else answer["data"]))
    assert (0, "Nothing has changed.\n") == (refresh(zoo, zoo / "new.json"), capsys.readouterr().out)


def test_a_file_of_the_schema_language(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A `.graphql` file is compared as it is."""
    (zoo / "new.graphql").write_text(WITHOUT_LIVES)
    assert (1, True) == (refresh(zoo, zoo / "new.graphql"), "Cat.lives" in capsys.readouterr().out)


def test_a_report_for_machines(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` tells the same as data."""
    (zoo / "new.graphql").write_text(WITHOUT_LIVES)
    refresh(zoo, zoo / "new.graphql", "--json")
    report = json.loads(capsys.readouterr().out)
    (change,) = report["changes"]
    assert (True, "breaking", "FIELD_REMOVED", "Cat.lives", True) == (
        report["breaks"],
        *(change[key] for key in ("level", "kind", "at", "breaks")),
    )
    assert ["operations/pets.graphql:3", "operations/pets.graphql:26"] == [
        f"{use['file']}:{use['line']}" for use in change["uses"]
    ][:2]


def test_a_report_for_the_changelog(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--markdown` gives a heading for each level, and a line for each change."""
    (zoo / "new.graphql").write_text(WITHOUT_LIVES.replace("  NO\n", "  NO\n  MAYBE\n"))
    refresh(zoo, zoo / "new.graphql", "--markdown")
    told = capsys.readouterr().out
    assert told.startswith(
        "### Breaking\n\n- Cat.lives was removed. (**breaks ours** at `operations/pets.graphql:3`"
    )
    assert "### Dangerous\n\n- OpenEnum.MAYBE was added. (touches ours at " in told


def test_the_same_schema_is_taken_without_changing_a_byte(zoo: Path) -> None:
    """`--write` of what is there already leaves the file alone."""
    with endpoint(introspection(SCHEMA)) as server:
        assert 0 == refresh(zoo, server.url, "--write")
    assert SCHEMA == (zoo / "zoo.graphql").read_text("utf-8")


def test_a_small_change_is_taken_in_a_few_lines(zoo: Path) -> None:
    """`--write` of a new enum value and a new description touches no other line."""
    new = SCHEMA.replace("  NO\n", "  NO\n  MAYBE\n").replace('"All pets."', '"Every pet."')
    with endpoint(introspection(new)) as server:
        assert 0 == refresh(zoo, server.url, "--write")
    assert new == (zoo / "zoo.graphql").read_text("utf-8")


BROKEN: dict[str, object] = {
    "refused": {"errors": [{"message": "introspection is off"}]},
    "empty": {},
    "a list": [],
    "null": {"data": {"__schema": None}},
    "no types": {"data": {"__schema": {"queryType": {"name": "Query"}, "types": [], "directives": []}}},
    "no query": {"data": {"__schema": {"types": [], "directives": []}}},
    "a type cut short": {"data": {"__schema": {"queryType": {"name": "Q"}, "types": [{"name": "Q"}]}}},
    "a field cut short": {
        "data": {
            "__schema": {
                "queryType": {"name": "Q"},
                "directives": [],
                "types": [{"kind": "OBJECT", "name": "Q", "interfaces": [], "fields": [{"name": "x"}]}],
            }
        }
    },
    "types are null": {"data": {"__schema": {"queryType": {"name": "Query"}, "types": None}}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_endpoint_that_does_not_tell_its_schema(
    zoo: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a schema there is one line that names the endpoint, and status 2."""
    with endpoint(BROKEN[name]) as server:
        status = refresh(zoo, server.url)
    told = capsys.readouterr()
    assert (2, "", 1, True) == (
        status,
        told.out,
        told.err.count("\n"),
        told.err.startswith(f"refresh: {server.url} "),
    )


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, '{"data": {"__schema": 1}}', "\x00"])
@pytest.mark.parametrize("ending", ["json", "graphql"])
def test_a_file_that_holds_no_schema(
    zoo: Path, text: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is an error with its name, and status 2."""
    (zoo / f"new.{ending}").write_text(text)
    assert (2, "") == (refresh(zoo, zoo / f"new.{ending}"), (told := capsys.readouterr()).out)
    assert f"new.{ending}" in told.err


@pytest.mark.parametrize(
    "source", ["nowhere.graphql", "nowhere.json", "http://127.0.0.1:9/graphql", "http://[", "ftp://x"]
)
def test_a_source_that_is_not_there(zoo: Path, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file or endpoint is one line that names it, and status 2."""
    assert (2, True) == (refresh(zoo, source), source in capsys.readouterr().err)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_cannot_be_sent(
    zoo: Path, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable is named, and neither the key nor a traceback is shown."""
    monkeypatch.setenv("ZOO_KEY", key)
    assert 2 == refresh(zoo, "http://127.0.0.1:9/graphql")
    assert "refresh: ZOO_KEY must be printable ASCII, without a line break\n" == capsys.readouterr().err
