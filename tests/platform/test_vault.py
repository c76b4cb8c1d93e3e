"""Secrets at rest, at creation and in a run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.errors import RequestError
from mcli.platform.state.vault import StoredSecret, Vault, check, mount, mount_points

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def stored(kind: str, value: object, *, name: str = "key", age: int = 0, **metadata: str) -> StoredSecret:
    text: Any = value
    return StoredSecret("1", name, kind, metadata, text, NOW - timedelta(seconds=age))


def variable(name: str = "key", key: str = "TOKEN", value: str = "s3cret") -> dict[str, Any]:
    return {"envVarSecret": {"name": name, "metadata": {"key": key}, "value": value}}


def file(
    name: str = "key", path: str = "/secrets/key", kind: str = "mountedSecret", value: str = "v"
) -> dict[str, Any]:
    return {kind: {"name": name, "metadata": {"mountPath": path}, "value": value}}


def refusal(secret_input: dict[str, Any], *existing: StoredSecret) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(secret_input, existing)
    return caught.value


def test_the_vault_gives_back_what_it_got(tmp_path: Path) -> None:
    """What one vault has encrypted, another with the same key file decrypts."""
    token = Vault(tmp_path / "keys" / "key").encrypt(b"s3cret")
    assert b"s3cret" not in token
    assert Vault(tmp_path / "keys" / "key").decrypt(token) == b"s3cret"


def test_the_key_is_private(tmp_path: Path) -> None:
    """The key file has mode 0600 in a folder of mode 0700, and nothing else lies there."""
    Vault(tmp_path / "keys" / "key").encrypt(b"")
    (path,) = (tmp_path / "keys").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_key_is_told(tmp_path: Path) -> None:
    """A text that the key does not fit is an error that names the file and holds no key."""
    token = Vault(tmp_path / "one").encrypt(b"s3cret")
    with pytest.raises(RequestError, match=r"cannot be read with the key in .*two") as caught:
        Vault(tmp_path / "two").decrypt(token)
    assert (tmp_path / "two").read_text() not in str(caught.value)


def test_a_broken_key_is_told(tmp_path: Path) -> None:
    """A key file that holds no key is an error that names the file, and stays as it is."""
    (tmp_path / "key").write_text("nonsense")
    with pytest.raises(RequestError, match=r"/key does not hold a key"):
        Vault(tmp_path / "key").encrypt(b"s3cret")
    assert (tmp_path / "key").read_text() == "nonsense"


def test_values_are_not_shown() -> None:
    """The repr of a secret has no value."""
    assert "s3cret" not in repr(stored("ENV_VAR", "s3cret", key="TOKEN"))


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        ("mountedSecret", "MOUNTED"),
        ("sshSecret", "SSH"),
        ("gitSSHSecret", "GIT_SSH"),
        ("sftpSSHSecret", "SFTP_SSH"),
        ("gcpSecret", "GCP"),
    ],
)
def test_the_kind_decides_the_type(kind: str, wire: str) -> None:
    """The key of the input becomes the type; name, metadata and value are kept."""
    expected = {"name": "key", "type": wire, "metadata": {"mountPath": "/secrets/key"}, "value": "v"}
    assert check(file(kind=kind), []) == expected


def test_exactly_one_kind_is_given() -> None:
    """An input of no kind, or of two, is refused."""
    assert refusal({}).code == 400
    assert refusal({**variable(), **file(), "s3Secret": None}).code == 400


@pytest.mark.parametrize("name", ["", "Upper", "a_b", "-a", "a.", "a" * 254])
def test_bad_names_are_refused(name: str) -> None:
    """Names are of lower-case letters, digits, `-` and `.`, up to 253 characters."""
    assert refusal(variable(name)).code == 400


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A=B", "A B"])
def test_bad_variable_names_are_refused(key: str) -> None:
    """The variable of an environment secret has a name that a shell accepts."""
    assert refusal(variable(key=key)).code == 400


@pytest.mark.parametrize("path", ["relative", "/a/../b", "~/x"])
def test_bad_mount_paths_are_refused(path: str) -> None:
    """Mount paths are absolute and do not climb."""
    assert refusal(file(path=path)).code == 400


def test_large_values_are_refused() -> None:
    """More than 1 MiB is refused, and the message does not hold the value."""
    error = refusal(variable(value="x" * (1 << 20)))
    assert error.code == 400
    assert "xx" not in error.message


@pytest.mark.parametrize(
    ("secret_input", "existing"),
    [
        (variable(), stored("MOUNTED", "v", mountPath="/other")),
        (variable("other"), stored("ENV_VAR", "v", key="TOKEN")),
        (file("other", "/secrets/key/"), stored("S3", {}, mountDirectory="/secrets/key")),
        (file("other", "/other", "gitSSHSecret"), stored("GIT_SSH", "v", mountPath="/secrets/key")),
        (file("other", "/other", "sftpSSHSecret"), stored("SFTP_SSH", "v", mountPath="/secrets/key")),
        (
            {"databricksSecret": {"name": "other", "value": {"host": "h", "token": "t"}}},
            stored("DATABRICKS", {}),
        ),
    ],
    ids=["name", "variable", "mount path", "git ssh", "sftp ssh", "databricks"],
)
def test_what_is_taken_is_a_conflict(secret_input: dict[str, Any], existing: StoredSecret) -> None:
    """A name, variable or mount path in use, or a second secret of a single type, is refused with 409."""
    assert refusal(secret_input, existing).code == 409


def test_two_s3_secrets_are_allowed() -> None:
    """Types without fixed variables may occur twice."""
    s3 = {"name": "b", "metadata": {"mountDirectory": "/b"}, "value": {"config": "", "credentials": ""}}
    assert check({"s3Secret": s3}, [stored("S3", {}, mountDirectory="/a")])["type"] == "S3"


def test_a_mounted_secret_is_a_private_file(tmp_path: Path) -> None:
    """The file `secret` has mode 0400, and SECRET_PATH_<NAME> names it."""
    variables = mount([stored("MOUNTED", "s3cret", name="my-key.v1")], tmp_path)
    path = tmp_path / "my-key.v1" / "secret"
    assert variables == {"SECRET_PATH_MY_KEY_V1": str(path)}
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("s3cret", 0o400)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_mounted_secret_keeps_its_bytes(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """The file holds exactly the text of the secret, in UTF-8."""
    folder = tmp_path_factory.mktemp("secrets")
    mount([stored("MOUNTED", value)], folder)
    assert (folder / "key" / "secret").read_bytes() == value.encode()


def test_environment_secrets_are_variables_only(tmp_path: Path) -> None:
    """An environment secret sets its variable and writes nothing."""
    assert mount([stored("ENV_VAR", "v", key="TOKEN")], tmp_path) == {"TOKEN": "v"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_hugging_face_tokens_have_both_names(tmp_path: Path, key: str) -> None:
    """A Hugging Face token is found under its old and its new name."""
    expected = {"HF_TOKEN": "v", "HUGGING_FACE_HUB_TOKEN": "v"}
    assert mount([stored("ENV_VAR", "v", key=key)], tmp_path) == expected


def test_ssh_keys_end_with_a_newline(tmp_path: Path) -> None:
    """A private key without a last newline gets one, else OpenSSH would not read it."""
    mount([stored("SSH", "-----KEY-----")], tmp_path)
    assert (tmp_path / "key" / "secret").read_text() == "-----KEY-----\n"


def test_a_git_key_is_used_by_git(tmp_path: Path) -> None:
    """GIT_SSH_COMMAND names the key, quoted, and never asks."""
    variables = mount([stored("GIT_SSH", "k")], tmp_path / "a b")
    assert f"-i '{tmp_path}/a b/key/secret'" in variables["GIT_SSH_COMMAND"]
    assert "BatchMode=yes" in variables["GIT_SSH_COMMAND"]


def test_an_sftp_key_is_found_by_composer(tmp_path: Path) -> None:
    """Composer's variables name the key and the known hosts."""
    variables = mount([stored("SFTP_SSH", "k")], tmp_path)
    assert set(variables) == {
        "SECRET_PATH_KEY",
        "COMPOSER_SFTP_KEY_FILE",
        "COMPOSER_SFTP_KNOWN_HOSTS_FILE",
    }


def test_s3_credentials_are_two_files(tmp_path: Path) -> None:
    """An S3 secret is the files `config` and `credentials`, named by AWS variables, and its profile."""
    value = {"config": "c", "credentials": "k", "profile": "p"}
    variables = mount([stored("S3", value)], tmp_path)
    assert Path(variables["AWS_CONFIG_FILE"]).read_text() == "c"
    assert Path(variables["AWS_SHARED_CREDENTIALS_FILE"]).read_text() == "k"
    assert variables["AWS_PROFILE"] == "p"


def test_oci_credentials_are_two_files(tmp_path: Path) -> None:
    """An OCI secret is the files `config` and `key_file`, named by OCI variables."""
    variables = mount([stored("OCI", {"config": "c", "keyFile": "k"})], tmp_path)
    assert Path(variables["OCI_CONFIG_FILE"]).read_text() == "c"
    assert variables["OCI_CLI_CONFIG_FILE"] == variables["OCI_CONFIG_FILE"]
    assert Path(variables["OCI_CLI_KEY_FILE"]).read_text() == "k"


def test_gcp_and_databricks_set_their_variables(tmp_path: Path) -> None:
    """Google's file and Databricks' host and token are found where their libraries look."""
    databricks = stored("DATABRICKS", {"host": "h", "token": "t"}, name="db")
    variables = mount([stored("GCP", "{}"), databricks], tmp_path)
    assert variables == {
        "SECRET_PATH_KEY": str(tmp_path / "key" / "secret"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key" / "secret"),
        "DATABRICKS_HOST": "h",
        "DATABRICKS_TOKEN": "t",
    }


def test_a_registry_secret_stays_outside(tmp_path: Path) -> None:
    """A docker registry secret is neither a variable nor a file in the run."""
    assert mount([stored("DOCKER_REGISTRY", {"username": "u", "password": "p"})], tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_younger_of_two_wins(tmp_path: Path) -> None:
    """Two S3 secrets are both mounted, and the variables name the younger one."""
    value = {"config": "c", "credentials": "k"}
    pair = [stored("S3", value, name="new"), stored("S3", value, name="old", age=9)]
    assert mount(pair, tmp_path)["AWS_CONFIG_FILE"] == str(tmp_path / "new" / "config")
    assert (tmp_path / "old" / "config").exists()


def test_secrets_can_be_mounted_again(tmp_path: Path) -> None:
    """A second mount into the same folder replaces the files."""
    mount([stored("MOUNTED", "old")], tmp_path)
    mount([stored("MOUNTED", "new")], tmp_path)
    assert (tmp_path / "key" / "secret").read_text() == "new"


def test_mount_points_lead_to_the_real_folders(tmp_path: Path) -> None:
    """Each mount path of the user is known with the folder that stands for it."""
    secrets = [
        stored("MOUNTED", "v", mountPath="/creds/"),
        stored("S3", {}, name="s", mountDirectory="/s3"),
        stored("ENV_VAR", "v", name="e", key="E"),
    ]
    assert mount_points(secrets, tmp_path) == {"/creds": str(tmp_path / "key"), "/s3": str(tmp_path / "s")}
