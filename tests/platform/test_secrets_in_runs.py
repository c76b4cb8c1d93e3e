"""Each kind of secret on its way: from the client to the platform, into a run, and nowhere else."""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mcli
from mcli import Secret
from mcli.platform import Platform

VALUE = "a-value-that-nobody-may-see"
SECRETS: list[Secret] = [
    mcli.MCLIEnvVarSecret("variable", key="MY_KEY", value=f"{VALUE}-variable"),
    mcli.HuggingFaceSecret("hub", token=f"{VALUE}-hub"),
    mcli.MCLIMountedSecret("a-file", value=f"{VALUE}-a-file"),
    mcli.MCLISSHSecret("ssh", value=f"{VALUE}-ssh"),
    mcli.MCLIGitSSHSecret("git", value=f"{VALUE}-git"),
    mcli.MCLISFTPSSHSecret("sftp", value=f"{VALUE}-sftp"),
    mcli.MCLIGCPSecret("gcp", value=f"{VALUE}-gcp"),
    mcli.MCLIS3Secret("s3", config=f"{VALUE}-s3-1", credentials=f"{VALUE}-s3-2", profile=f"{VALUE}-s3-3"),
    mcli.MCLIOCISecret("oci", config=f"{VALUE}-oci-1", key_file=f"{VALUE}-oci-2"),
    mcli.MCLIDatabricksSecret("databricks", host=f"https://{VALUE}-host", token=f"{VALUE}-databricks"),
    mcli.MCLIDockerRegistrySecret("registry", username="me", password=f"{VALUE}-registry"),
]
SEEN = {
    "MY_KEY": f"{VALUE}-variable",
    "HF_TOKEN": f"{VALUE}-hub",
    "HUGGING_FACE_HUB_TOKEN": f"{VALUE}-hub",
    "SECRET_PATH_A_FILE": f"file of {VALUE}-a-file",
    "SECRET_PATH_SSH": f"file of {VALUE}-ssh\n",
    "SECRET_PATH_GIT": f"file of {VALUE}-git\n",
    "SECRET_PATH_SFTP": f"file of {VALUE}-sftp\n",
    "COMPOSER_SFTP_KEY_FILE": f"file of {VALUE}-sftp\n",
    "SECRET_PATH_GCP": f"file of {VALUE}-gcp",
    "GOOGLE_APPLICATION_CREDENTIALS": f"file of {VALUE}-gcp",
    "AWS_CONFIG_FILE": f"file of {VALUE}-s3-1",
    "AWS_SHARED_CREDENTIALS_FILE": f"file of {VALUE}-s3-2",
    "AWS_PROFILE": f"{VALUE}-s3-3",
    "OCI_CONFIG_FILE": f"file of {VALUE}-oci-1",
    "OCI_CLI_CONFIG_FILE": f"file of {VALUE}-oci-1",
    "OCI_CLI_KEY_FILE": f"file of {VALUE}-oci-2",
    "DATABRICKS_HOST": f"https://{VALUE}-host",
    "DATABRICKS_TOKEN": f"{VALUE}-databricks",
}
"""What a run finds under each name: a value, or a file with one."""
FILES = {
    "/secrets/a-file/secret": f"{VALUE}-a-file",
    "/secrets/ssh/secret": f"{VALUE}-ssh\n",
    "/secrets/git/secret": f"{VALUE}-git\n",
    "/secrets/sftp/secret": f"{VALUE}-sftp\n",
    "/secrets/gcp/secret": f"{VALUE}-gcp",
    "/secrets/s3/config": f"{VALUE}-s3-1",
    "/secrets/s3/credentials": f"{VALUE}-s3-2",
    "/secrets/oci/config": f"{VALUE}-oci-1",
    "/secrets/oci/key_file": f"{VALUE}-oci-2",
}
"""What a run finds where a secret says that it is mounted."""
LOOK = f"""{sys.executable} - <<'END'
import json, os
seen = {{}}
for name in {[*SEEN]}:
    value = os.environ[name]
    seen[name] = "file of " + open(value).read() if os.path.isfile(value) else value
mounted = {{}}
for name, place in {[(path, path) for path in FILES]}:
    mounted[place] = [open(place).read(), oct(os.stat(place).st_mode & 0o777)]
with open(os.environ["REPORT"], "w") as report:
    json.dump({{"seen": seen, "mounted": list(mounted.values()), "environment": dict(os.environ)}}, report)
END"""


class Stage(NamedTuple):
    """A platform that has all secrets, after a run that looked at them."""

    folder: Path
    report: dict[str, Any]
    stored: dict[str, Secret]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder, report = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("report") / "seen"
    with (
        Platform(folder, grace=1) as platform,
        mcli.MAPIConnection(platform.endpoint, platform.api_key),
    ):
        for secret in SECRETS:
            mcli.create_secret(secret)
        config = mcli.RunConfig("look", image="bash", command=LOOK, compute={"gpus": 0})
        config.env_variables = {"REPORT": str(report)}
        run = mcli.wait_for_run_status(mcli.create_run(config), "completed")
        assert run.status is mcli.RunStatus.COMPLETED, mcli.get_run_logs(run)
        yield Stage(folder, json.loads(report.read_text()), {each.name: each for each in mcli.get_secrets()})


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: str(secret.name))
def test_a_secret_comes_back_without_its_value(secret: Secret, stage: Stage) -> None:
    """What is read back is of the same kind, has what is not secret, and has None for the rest."""
    stored = stage.stored[secret.name]
    public = {"name", "secret_type", "key", "mount_path", "mount_directory"}
    expected = {field.name: getattr(secret, field.name) for field in fields(secret) if field.name in public}
    told = {field.name: getattr(stored, field.name) for field in fields(stored)}
    assert type(secret) is type(stored)
    assert expected == {
        name: value for name, value in told.items() if value and name not in {"id", "created_at"}
    }


@pytest.mark.parametrize("name", SEEN)
def test_a_run_has_the_variables(name: str, stage: Stage) -> None:
    """A variable that the kind of a secret promises holds its value, or names a file with it."""
    assert SEEN[name] == stage.report["seen"][name]


def test_a_run_has_the_files(stage: Stage) -> None:
    """The files that the kinds promise lie where the secrets are mounted, and only their owner can read them."""
    assert [[text, "0o400"] for text in FILES.values()] == stage.report["mounted"]


def test_git_connects_with_its_key(stage: Stage) -> None:
    """The command that git connects with names the file of the key."""
    variables = stage.report["environment"]
    assert f"ssh -i {variables['SECRET_PATH_GIT']} " in variables["GIT_SSH_COMMAND"]


def test_a_registry_is_not_the_run_s_business(stage: Stage) -> None:
    """The password of a registry is in no variable of a run."""
    assert f"{VALUE}-registry" not in str(stage.report["environment"])


def encodings(value: bytes) -> Iterator[bytes]:
    """Give a value as it may stand in a file: in clear, in hex, and in base64 wherever in a text it begins."""
    yield from (value, value.hex().encode(), value.decode().encode("utf-16-le"))
    for shift in range(3):  # what is before it in a group of three moves its letters
        whole = base64.b64encode(b"-" * shift + value)
        inner = whole[4 if shift else 0 : -4]  # the letters that depend on nothing else
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


def files(stage: Stage) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in stage.folder.rglob("*") if each.is_file()}


def test_no_file_has_a_value(stage: Stage) -> None:
    """While the platform is up, neither its database nor the log of changes nor any other file holds a value."""
    found = files(stage)
    assert {"vault.key", "platform.sqlite3", "platform.sqlite3-wal"} <= found.keys()
    assert [] == [
        (name, text)
        for name, content in found.items()
        for text in encodings(VALUE.encode())
        if text in content
    ]


def test_the_search_finds_what_is_there() -> None:
    """The search for values finds each in base64, wherever in a text it stands."""
    for before in range(4):
        text = base64.b64encode(b"x" * before + VALUE.encode() + b"-more")
        assert any(each in text for each in encodings(VALUE.encode()))


def test_the_key_of_the_store_is_private(stage: Stage) -> None:
    """The files of the platform are its owner's alone, the key of the store first."""
    modes = {each.name: each.stat().st_mode & 0o077 for each in stage.folder.rglob("*") if each.is_file()}
    assert (0, 0, 0) == (modes["vault.key"], modes["platform.sqlite3"], modes["platform.sqlite3-wal"])
