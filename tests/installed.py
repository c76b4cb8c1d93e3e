"""Use the distribution as it was installed: `nox -s build` runs this where there is nothing but the wheel.

It is no test of pytest's, because pytest and the source tree must not be there.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import mcli
from mcli.testing import local_platform

IN_PACKAGES = {"mcli": ["py.typed", "__init__.pyi", "platform/mapi.graphql"], "mcli_mapi": ["py.typed"]}
"""Files that are no modules, and that the wheel must bring."""
COMMANDS = [["-m", "mcli.platform", "--version"], ["-m", "mcli.cli", "version"]]


def main() -> None:
    """Fail if something is missing, does not run, or comes from somewhere else."""
    assert Path(mcli.__file__).is_relative_to(sys.prefix), f"{mcli.__file__} is not what was installed"
    for package, names in IN_PACKAGES.items():
        missing = [name for name in names if not resources.files(package).joinpath(name).is_file()]
        assert not missing, f"{package} lacks {missing}"
    for command in COMMANDS:
        told = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout
        assert metadata.version("mcli-sdk") in told, f"{command} printed {told!r}"
    with local_platform():
        run = mcli.create_run(
            mcli.RunConfig(name="installed", image="bash", command="echo hi", compute={"gpus": 0})
        )
        assert "hi\n" in mcli.follow_run_logs(run)
        run = mcli.wait_for_run_status(run, "COMPLETED", timeout=60)
    print(f"mcli-sdk {mcli.__version__} is whole: {run.name} {run.status}")


if __name__ == "__main__":
    main()
