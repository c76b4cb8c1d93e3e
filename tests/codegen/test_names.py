"""The doors of `mcli`, which are written from its table of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.codegen.conftest import edit, run

if TYPE_CHECKING:
    from pathlib import Path

VERB = '''
@query
def get_organization(*, timeout: float | None = 10, future: Literal[False] = False) -> Coroutine[Any, Any, User]:
    """Read your organization."""
    return _read(mapi())
'''


@pytest.fixture
def with_a_verb(project: Path) -> Path:
    """Return a copy of the project with one verb more: its function, and one line in the table."""
    users = project / "mcli" / "users.py"
    users.write_text(users.read_text("utf-8") + VERB, "utf-8")
    edit(project / "mcli" / "__init__.py", '"get_current_user",', '"get_current_user", "get_organization",')
    assert run(project).returncode == 0
    return project


def doors(project: Path, name: str) -> list[str]:
    paths = sorted((project / "mcli").rglob("*.py*"))
    written = [path for path in paths if path.read_bytes().startswith(b"# Written by `python -m codegen`")]
    return [str(path.relative_to(project)) for path in written if name in path.read_text("utf-8")]


def test_a_verb_needs_one_line_in_the_table(with_a_verb: Path) -> None:
    """What is listed once is in both stubs and in the modules that give every name of its module on."""
    assert ["mcli/__init__.pyi", "mcli/aio.pyi", "mcli/sdk.py"] == doors(with_a_verb, "get_organization")


def test_the_form_for_asyncio_has_the_whole_signature(with_a_verb: Path) -> None:
    """A call stands in the stub of `mcli.aio` as a coroutine function with its result."""
    line = (
        "async def get_organization(*, timeout: float | None = 10, future: Literal[False] = False) -> User:"
    )
    assert line in (with_a_verb / "mcli" / "aio.pyi").read_text("utf-8").splitlines()


def test_a_module_of_a_listed_noun_gives_its_new_verbs_on(project: Path) -> None:
    """A path that names a whole module has each public name of it."""
    runs = project / "mcli" / "runs.py"
    runs.write_text(runs.read_text("utf-8") + VERB, "utf-8")
    edit(project / "mcli" / "__init__.py", '"get_run",', '"get_run",\n        "get_organization",')
    assert run(project).returncode == 0
    assert "mcli/api/runs/__init__.py" in doors(project, "get_organization")


def test_a_door_that_was_edited_is_found(project: Path) -> None:
    """The check fails and shows the line that somebody changed."""
    edit(project / "mcli" / "sdk.py", "import RunStatus", "import RunStatus as Status")
    done = run(project, "--check")
    assert (1, True) == (done.returncode, "-from mcli.status import RunStatus as Status" in done.stdout)
    assert done.stderr.startswith("codegen: not up to date: mcli/sdk.py. ")


def test_a_path_that_is_no_longer_listed_is_removed(project: Path) -> None:
    """A module that was written once and that nothing asks for is found, and gone after generating."""
    edit(project / "codegen" / "paths.toml", '"utils.utils_run_status" = ["status"]\n', "")
    path = project / "mcli" / "utils" / "utils_run_status.py"
    assert "mcli/utils/utils_run_status.py" in run(project, "--check").stderr
    assert (0, False) == (run(project).returncode, path.exists())


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("mcli/__init__.py", '"RunStatus",', '"RunStatuses",', "mcli.status does not define RunStatuses"),
        ("mcli/__init__.py", '"status": (', '"statuses": (', "there is no module mcli.statuses"),
        ("mcli/__init__.py", '"User",', '"User", "Run",', "lists Run under more than one module"),
        ("mcli/__init__.py", '"get_run",', '"get_run", "read_run",', "no function read_run"),
        ("codegen/paths.toml", '["status"]', '["status.Status"]', "mcli.status does not define Status"),
        ("codegen/paths.toml", '["status"]', '["state"]', "'state', a module without"),
    ],
)
def test_a_mistake_in_a_table_is_told(project: Path, path: str, old: str, new: str, message: str) -> None:
    """A name that is nowhere, twice, or no call is one line, and nothing is written."""
    edit(project / path, old, new)
    done = run(project)
    assert (1, 2) == (done.returncode, done.stderr.count("\n"))
    assert message in done.stderr
