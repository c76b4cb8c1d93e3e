"""The page's part on the set-up: keys, configuration, secrets, clusters, lists, errors."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import mcli
from mcli import MAPIException, MCLIConfig, ObjectList, RunStatus, SecretType
from mcli._core.connection import current
from tests.page.claims import claims, error, fake, kind, sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcli.cluster_details import ClusterDetails


def stored(name: str) -> mcli.Secret:
    """Store a secret of this name, in place of one that is there."""
    mcli.delete_secrets([each for each in mcli.get_secrets() if each.name == name])
    return mcli.create_secret(mcli.MCLIEnvVarSecret(name, key=name.upper(), value="not-a-real-value"))


def names(secrets: list[mcli.Secret]) -> list[str]:
    return sorted(each.name for each in secrets)


def deleted_by(make: Callable[[mcli.Secret], object]) -> list[str]:
    """Delete a secret as this makes it of one, and return what was deleted."""
    return names(mcli.delete_secrets([make(stored("deleted"))]))


def gone() -> bool:
    mcli.delete_secrets([stored("gone")])
    return "gone" in names(mcli.get_secrets())


@claims(
    ("create_secret stores a secret", True, lambda: stored("stored").name in names(mcli.get_secrets())),
    ("create_secret takes the Secret by position or as `secret`", "envVarSecret", lambda: next(iter(sent(
        lambda: mcli.create_secret(secret=mcli.MCLIEnvVarSecret("a", key="A", value="v")))["createSecretData"]))),
    ("create_secret gives the Secret that it stored", mcli.MCLIEnvVarSecret, lambda: type(stored("kind"))),
    ("create_secret never gives the value back", None, lambda: getattr(stored("hidden"), "value", None)),
    ("create_secret of a name that exists is a 409", 409,
        lambda: (stored("twice"), error(lambda: mcli.create_secret(
            mcli.MCLIEnvVarSecret("twice", key="OTHER", value="v"))).status)[1]),
    ("create_secret takes nothing but a Secret", TypeError, lambda: kind(lambda: mcli.create_secret("a"))),
    ("create_secret of a secret without its value is refused", "Secret 'a': 'value' is missing",
        lambda: str(error(lambda: mcli.create_secret(mcli.MCLIMountedSecret("a"))))),
    ("no repr shows a secret's value", False,
        lambda: "hush" in repr(mcli.MCLIEnvVarSecret("a", key="A", value="hush"))),
    ("delete_secrets deletes secrets that are given as objects", ["deleted"], lambda: deleted_by(lambda each: each)),
    ("delete_secrets deletes secrets that are given by name", ["deleted"], lambda: deleted_by(lambda each: each.name)),
    ("delete_secrets leaves nothing of them", False, gone),
    ("delete_secrets of a name that does not exist is a 404", 404,
        lambda: error(lambda: mcli.delete_secrets(["no-such-secret"])).status),
    ("delete_secrets of an empty list deletes nothing", [], lambda: mcli.delete_secrets([])),
    ("delete_secrets without secrets deletes nothing, and says how to delete all", ValueError,
        lambda: kind(mcli.delete_secrets)),
    ("get_secrets filters by names", ["one"], lambda: (stored("one"), names(mcli.get_secrets(["one"])))[1]),
    ("get_secrets filters by kinds, in any letter case", [],
        lambda: mcli.get_secrets(secret_types=["DATABRICKS", SecretType.s3])),
    *(
        (f"a secret of the kind {each} can be stored", each, partial(
            lambda made: mcli.get_secrets([mcli.create_secret(made).name])[0].secret_type.value, secret))
        for each, secret in {
            "hugging_face": mcli.HuggingFaceSecret("hf", token="t"),
            "mounted": mcli.MCLIMountedSecret("mounted", value="v"),
            "ssh": mcli.MCLISSHSecret("ssh", value="v"),
            "git": mcli.MCLIGitSSHSecret("git", value="v"),
            "sftp": mcli.MCLISFTPSSHSecret("sftp", value="v"),
            "s3": mcli.MCLIS3Secret("s3", config="c", credentials="v"),
            "gcp": mcli.MCLIGCPSecret("gcp", value="{}"),
            "oci": mcli.MCLIOCISecret("oci", config="c", key_file="k"),
            "docker_registry": mcli.MCLIDockerRegistrySecret("docker", username="u", password="p"),
            "databricks": mcli.MCLIDatabricksSecret("databricks", host="https://x.test", token="t"),
        }.items()
    ),
)  # fmt: skip
def test_secrets(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of secrets."""
    assert expected == seen()


def folder() -> Path:
    return Path(os.environ["MCLI_CONFIG_DIR"])


def kept() -> str:
    mcli.set_api_key("not-a-real-key")
    return MCLIConfig.load_config().api_key


def mode_of_the_file() -> str:
    mcli.set_api_key("not-a-real-key")
    return stat.filemode((folder() / "mcli_config").stat().st_mode)


def initialized() -> bool:
    mcli.initialize()
    return folder().is_dir()


def initialized_with_a_key() -> str:
    mcli.initialize(api_key="not-a-real-key")
    return MCLIConfig.load_config().MOSAICML_API_KEY


def saved() -> MCLIConfig:
    MCLIConfig(MOSAICML_API_KEY="not-a-real-key", feature_flags={"ALPHA_TESTER": True}).save_config()
    return MCLIConfig.load_config()


@claims(
    ("initialize prepares the machine: its folder is there", True, initialized),
    ("initialize needs no key", None, mcli.initialize),
    ("initialize keeps the key that it is given", "not-a-real-key", initialized_with_a_key),
    ("set_api_key sets the key", "not-a-real-key", kept),
    ("set_api_key takes a value that is a text", TypeError, lambda: kind(lambda: mcli.set_api_key(5))),
    ("set_api_key takes no empty value", mcli.MCLIConfigError, lambda: kind(lambda: mcli.set_api_key(""))),
    ("the key is for its owner's eyes only", "-rw-------", mode_of_the_file),
    ("the repr of a configuration hides the key", False, lambda: "hush" in repr(MCLIConfig("hush"))),
    ("MCLIConfig persists on local disk", "not-a-real-key", lambda: saved().api_key),
    ("MCLIConfig persists feature flags", True, lambda: saved().feature_enabled("ALPHA_TESTER")),
    ("MCLIConfig has an empty key by default", "", lambda: MCLIConfig().MOSAICML_API_KEY),
    ("MCLIConfig has no feature flags by default", {}, lambda: MCLIConfig().feature_flags),
    ("MCLIConfig has no keys of other modes by default", {}, lambda: MCLIConfig().mcloud_envs),
    ("MCLIConfig knows no user by default", (None, None),
        lambda: (MCLIConfig()._user_id, MCLIConfig()._organization_id)),
    ("without a file there is an empty configuration", MCLIConfig(), MCLIConfig.load_config),
    ("a broken file is told", mcli.MCLIConfigError, lambda: (
        folder().mkdir(exist_ok=True), (folder() / "mcli_config").write_text("a: b: c"),
        kind(MCLIConfig.load_config))[2]),
)  # fmt: skip
def test_configuration(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of keys and of the configuration."""
    assert expected == seen()


def cluster() -> ClusterDetails:
    return mcli.get_clusters()[0]


@claims(
    ("get_clusters lists the clusters that may be used", 1, lambda: len(mcli.get_clusters())),
    ("get_clusters takes objects", 1, lambda: len(mcli.get_clusters([cluster()]))),
    ("get_clusters takes names", 1, lambda: len(mcli.get_clusters([cluster().name]))),
    ("get_clusters of an unknown name finds nothing", [], lambda: mcli.get_clusters(["nowhere"])),
    ("get_clusters of no cluster finds nothing", [], lambda: mcli.get_clusters([])),
    ("get_clusters does not include utilization by default", None, lambda: cluster().utilization),
    ("get_clusters includes utilization if asked to", 0,
        lambda: len(mcli.get_clusters(include_utilization=True)[0].utilization.queued_runs_by_user)),
    ("get_clusters asks for all clusters only if told to", (False, True), lambda: tuple(
        sent(lambda each=each: mcli.get_clusters(include_all=each))["getClustersData"]["includeAll"]
        for each in (False, True))),
    ("get_clusters filters by submission type", [], lambda: mcli.get_clusters(submission_type_filter="INFERENCE")),
    ("get_clusters takes a submission type as member too", 1,
        lambda: len(mcli.get_clusters(submission_type_filter=mcli.SubmissionType.TRAINING))),
    ("get_cluster takes a name", True, lambda: mcli.get_cluster(cluster().name).name == cluster().name),
    ("get_cluster takes an object", True, lambda: mcli.get_cluster(cluster()).name == cluster().name),
    ("get_cluster includes utilization by default", False, lambda: mcli.get_cluster(cluster()).utilization is None),
    ("get_cluster leaves utilization out if told to", None,
        lambda: mcli.get_cluster(cluster(), include_utilization=False).utilization),
    ("get_cluster of an unknown name is a 404", 404, lambda: error(lambda: mcli.get_cluster("nowhere")).status),
    ("a cluster tells its instances, with GPUs and machines", ("a100_80gb", 8, 2), lambda: next(
        (each.gpu_type, each.gpus, each.nodes) for each in cluster().cluster_instances if each.gpus)),
)  # fmt: skip
def test_clusters(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of clusters."""
    assert expected == seen()


TWO = ObjectList([RunStatus.RUNNING, RunStatus.FAILED], RunStatus)
STATUSES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
            500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


def refused(status: int) -> MAPIException:
    """Return what a call raises where the platform answers with this status."""
    with fake({"errors": [{"message": "why", "extensions": {"code": status}}]}):
        raised: MAPIException = error(lambda: mcli.update_run("a", priority="low", timeout=0.5))
    return raised


@claims(
    ("an ObjectList is a list of objects", [RunStatus.RUNNING, RunStatus.FAILED], lambda: list(TWO)),
    ("an ObjectList knows the type of its objects", RunStatus, lambda: TWO.type),
    ("an ObjectList takes `data` and `obj_type`", TWO, lambda: ObjectList(data=TWO, obj_type=RunStatus)),
    ("an ObjectList becomes a table", 1, lambda: len(mcli.get_clusters().to_pandas())),
    ("an ObjectList is shown as a table in notebooks", True, lambda: "<td>" in mcli.get_clusters()._repr_html_()),
    ("a MAPIException has a status, a message and a description", (404, "m", "d"),
        lambda: (lambda e: (e.status, e.message, e.description))(MAPIException(404, "m", "d"))),
    ("the message of a MAPIException is `Unknown Error` by default", "Unknown Error", lambda: MAPIException(500).message),
    ("the description of a MAPIException is optional", None, lambda: MAPIException(500).description),
    ("the text of a MAPIException has status and message", "Error 404: m", lambda: str(MAPIException(404, "m"))),
    *(
        (f"a status of {status} means {phrase}", (status, phrase), partial(
            lambda each: (MAPIException(each).status, MAPIException(each).status.phrase), status))
        for status, phrase in STATUSES.items()
    ),
    *(
        (f"a request that MAPI answers with {status} raises a MAPIException of that status", status,
            partial(lambda each: refused(each).status, status))
        for status in STATUSES if status != 503  # which is asked again until the time is over
    ),
    ("a wrong key is a 401", 401, lambda: error(_with_another_key).status),
)  # fmt: skip
def test_lists_and_errors(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of lists and of errors."""
    assert expected == seen()


def _with_another_key() -> None:
    with mcli.MAPIConnection(current().endpoint, "not-the-key"):
        mcli.get_secrets()
