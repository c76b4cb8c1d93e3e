"""The command that makes the generated package of MAPI."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.codegen.conftest import ROOT, edit, run

if TYPE_CHECKING:
    from pathlib import Path


def package_of(project: Path) -> dict[str, bytes]:
    paths = (project / "generated").rglob("*")
    return {str(path.relative_to(project)): path.read_bytes() for path in paths if path.is_file()}


def test_the_committed_package_is_what_its_sources_give() -> None:
    """The check passes on the tree as it is committed, also with another hash seed and from another folder."""
    done = subprocess.run(
        [sys.executable, "-m", "codegen", "--check"],
        cwd=ROOT.parent,
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_generating_again_changes_nothing(project: Path) -> None:
    """The same sources give the same bytes, and nothing else is left in the folder."""
    before = package_of(project)
    assert run(project).returncode == 0
    assert before == package_of(project)


def test_an_edited_file_is_found(project: Path) -> None:
    """The check fails and shows the line that somebody changed in the generated package."""
    edit(project / "generated" / "mcli_mapi" / "enums.py", '"QUEUED"', '"WAITING"')
    done = run(project, "--check")
    assert done.returncode == 1
    assert "generated/mcli_mapi/enums.py (committed)" in done.stdout
    assert '-    QUEUED = "WAITING"' in done.stdout
    assert "enums.py" in done.stderr


def test_a_changed_operation_is_found(project: Path) -> None:
    """The check fails and names what a change of an operation would generate."""
    edit(project / "codegen" / "operations" / "runs.graphql", "  maxRetries\n", "")
    done = run(project, "--check")
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
    assert run(project, "--check").returncode == 1
    assert before == package_of(project)


def test_a_module_that_nothing_gives_any_more_is_removed(project: Path) -> None:
    """A stale file is found by the check and is gone after generating."""
    stale = project / "generated" / "mcli_mapi" / "get_deployments.py"
    stale.write_text("")
    assert "get_deployments.py" in run(project, "--check").stderr
    assert run(project).returncode == 0
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
    done = run(project)
    assert done.returncode == 1
    assert message in done.stderr
    assert before == package_of(project)


def test_a_new_value_of_an_enum_reaches_the_package(project: Path) -> None:
    """A change of the schema is in the package after generating, and then the check passes."""
    edit(project / "schema" / "mapi.graphql", "  QUEUED\n", "  QUEUED\n  DREAMING\n")
    assert run(project).returncode == 0
    assert 'DREAMING = "DREAMING"' in (project / "generated" / "mcli_mapi" / "enums.py").read_text("utf-8")
    assert run(project, "--check").returncode == 0
