"""Environments of packages: what a run installs, and what it leaves as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from mcli.platform import Platform
from mcli.platform.execution.namespace import problem
from mcli.platform.execution.packages import Base, examine, make_environment, variables
from tests.platform.caller import Caller

if TYPE_CHECKING:
    from pathlib import Path

namespaces = pytest.mark.skipif(problem() is not None, reason=f"no namespaces here: {problem()}")
LOOK = "python -c 'import trinket; print(trinket.__version__)'"


def wheel(folder: Path, version: str) -> Path:
    """Make a wheel of a package with one module and one program."""
    path, info = folder / f"trinket-{version}-py3-none-any.whl", f"trinket-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("trinket.py", f"__version__ = {version!r}\ndef main():\n    print(__version__)\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: trinket\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntrinket = trinket:main\n")
        file.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in file.namelist()))
    return path


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a user's environment that has trinket 1.0."""
    folder = tmp_path_factory.mktemp("user's own") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", "--no-index", wheel(folder.parent, "1.0")], check=True
    )
    return folder


@pytest.fixture(scope="module")
def base(user: Path) -> Base:
    return examine(str(user / "bin" / "python"))


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of an environment by its path."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def shell(environment: Path, base: Base, command: str) -> str:
    """Run a command in an environment of packages, and return what it prints."""
    if not environment.exists():
        make_environment(environment, base)
    path = os.pathsep.join([str(base.scripts[0]), os.environ["PATH"]])
    surroundings = {
        "HOME": str(environment.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_NO_INDEX": "1",
        "UV_OFFLINE": "1",
    }
    done = subprocess.run(
        ["bash", "-ec", command],
        env={**surroundings, **variables(environment, path)},
        cwd=environment.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


INSTALLERS = ["pip", "pip3", "python -m pip", "python3 -m pip", "uv pip"]


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_run_has_packages_of_its_own(installer: str, user: Path, base: Base, tmp_path: Path) -> None:
    """Whatever installs, the run sees the new version, and the user's environment stays byte for byte."""
    if shutil.which(installer.partition(" ")[0]) is None:
        pytest.skip(f"{installer} is not installed")
    before = content(user)
    said = shell(
        tmp_path / "env", base, f"{installer} install --quiet {wheel(tmp_path, '2.0')}; {LOOK}; trinket"
    )
    assert ("2.0\n2.0\n", before) == (said, content(user))


@pytest.mark.parametrize("installer", ["pip", "python -m pip"])
def test_uninstalling_leaves_the_package_of_the_user(
    installer: str, user: Path, base: Base, tmp_path: Path
) -> None:
    """`pip uninstall` removes what the run has installed, and beneath it the user's own version is seen again."""
    before = content(user)
    steps = f"{installer} install --quiet {wheel(tmp_path, '2.0')}; {installer} uninstall --yes --quiet trinket; {LOOK}"
    again = f"{installer} uninstall --yes --quiet trinket; {LOOK}"
    said = [shell(tmp_path / "env", base, command) for command in (steps, again)]
    assert (["1.0\n", "1.0\n"], before) == (said, content(user))


def test_a_project_can_be_installed_for_editing(user: Path, base: Base, tmp_path: Path) -> None:
    """`pip install -e` makes a project importable from its folder, for the run only."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "trinket.py").write_text("__version__ = 'edited'\n")
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    before = content(user)
    said = shell(tmp_path / "env", base, f"pip install --quiet -e {project}; cd /; {LOOK}")
    assert ("edited\n", before) == (said, content(user))


BACKEND = """
import pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = build_editable(folder)
    with zipfile.ZipFile(pathlib.Path(folder, name)) as made:
        kept = {each: made.read(each) for each in made.namelist() if not each.endswith(".pth")}
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as file:
        for each, text in {**kept, "trinket.py": pathlib.Path("trinket.py").read_bytes()}.items():
            file.writestr(each, text)
    return name

def build_editable(folder, config_settings=None, metadata_directory=None):
    info, name = "trinket-3.0.dist-info", "trinket-3.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as file:
        file.writestr("trinket.pth", str(pathlib.Path.cwd()))
        file.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: trinket\\nVersion: 3.0\\n")
        file.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(info + "/RECORD", "".join(f"{each},,\\n" for each in file.namelist()))
    return name
"""


def test_programs_of_the_base_see_what_the_run_has_installed(base: Base, tmp_path: Path) -> None:
    """A program that the user has installed runs by the run's interpreter, so with the run's packages."""
    (tmp_path / "side").mkdir()
    new = wheel(tmp_path, "2.0").rename(tmp_path / "side" / "trinket-2.0-py3-none-any.whl")
    lean = f"rm env/bin/trinket; pip install --quiet --target env/lib/python*/site-packages {new}"
    assert ("1.0\n", "2.0\n") == (
        shell(tmp_path / "env", base, "trinket"),
        shell(tmp_path / "env", base, f"cp env/bin/trinket kept; {lean}; cp kept env/bin/trinket; trinket"),
    )


def test_a_base_without_pip_lends_it(tmp_path: Path) -> None:
    """Where the base has no pip, the one that comes with Python installs into the run's environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = examine(str(tmp_path / "bare" / "bin" / "python"))
    assert "2.0\n" == shell(tmp_path / "env", bare, f"pip install --quiet {wheel(tmp_path, '2.0')}; {LOOK}")


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    """A base that does not exist or does not work is an error that names it."""
    with pytest.raises(OSError, match="/bin/false does not work as a Python"):
        examine("/bin/false")
    with pytest.raises(OSError, match="nothing"):
        examine(str(tmp_path / "nothing"))


def test_a_platform_does_not_start_on_what_is_no_python() -> None:
    """A wrong `--python` is told at the start, not by each run."""
    with pytest.raises(OSError, match="/bin/false"), Platform(python="/bin/false"):
        pass


@namespaces
def test_an_interpreter_called_by_its_path_changes_nothing(user: Path, base: Base, tmp_path: Path) -> None:
    """In a run, the user's environment is read-only, also for the user's own pip."""
    command = f"""export TMPDIR=$PWD; pip uninstall --yes trinket
        "{user}/bin/pip" uninstall --yes trinket || echo refused
        rm "{user}/pyvenv.cfg" || echo refused; {LOOK}"""
    before = content(user)
    with Platform(python=str(user / "bin" / "python"), grace=1) as platform:
        caller = Caller(platform)
        log = caller.logs(caller.finish(command)["name"]).decode()
        caller.close()
    assert (["refused", "refused", "1.0"], before) == (
        [line for line in log.splitlines() if line in {"refused", "1.0"}],
        content(user),
    )


@pytest.mark.parametrize("real", [pytest.param(True, marks=namespaces), False], ids=["namespace", "none"])
def test_the_environment_of_the_user_is_the_same_afterwards(real: bool, user: Path, tmp_path: Path) -> None:
    """A run that installs, uninstalls and imports, by integration and command, leaves every byte as it was."""
    before, new = content(user), wheel(tmp_path, "2.0")
    pip = {"type": "pip_packages", "params": {"packages": ["--no-index", str(new)]}}
    command = f"{LOOK}; pip uninstall --yes --quiet trinket; {LOOK}; python -c 'import json, pip'"
    with Platform(python=str(user / "bin" / "python"), grace=1, namespaces=real) as platform:
        caller = Caller(platform)
        log = caller.logs(caller.finish(command, integrations=[pip])["name"]).decode()
        caller.close()
    assert (["2.0", "1.0"], before) == (log.splitlines()[-2:], content(user))
