"""The settings of a platform: kept in a file that people can edit, and checked wherever they come from."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.settings import ClusterSettings, Settings, SettingsError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SETTINGS = st.builds(
    Settings,
    port=st.integers(0, 65535),
    grace=st.floats(0, 1e308),
    log_limit=st.integers(1, 2**62),
    python=TEXTS,
    namespaces=st.booleans(),
    bind=TEXTS,
    clusters=st.tuples(
        st.builds(
            ClusterSettings,
            name=TEXTS,
            aliases=st.lists(TEXTS).map(tuple),
            nodes=st.integers(0, 99),
            gpu_type=TEXTS,
        )
    ),
)


@given(SETTINGS)
def test_settings_survive_the_file(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> None:
    """What is saved is loaded again, whatever the texts are."""
    folder = tmp_path_factory.getbasetemp()
    settings.save(folder)
    assert settings == Settings.load(folder)
    assert settings == Settings.from_dict(settings.to_dict())


def test_nothing_was_set(tmp_path: Path) -> None:
    """Without a file all settings are the defaults."""
    assert Settings() == Settings.load(tmp_path)


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    """The file holds what was set and no default, which may change with the next version."""
    Settings().changed({"grace": 5.0, "cluster_name": ["r1z1", "r7z2"], "nodes": 2}).save(tmp_path)
    lines = (tmp_path / "platform.toml").read_text().splitlines()[1:]
    assert ["grace = 5.0", "", "[[clusters]]", 'name = "r1z1"', 'aliases = ["r7z2"]', "nodes = 2"] == lines


def test_edited_file(tmp_path: Path) -> None:
    """A file that a person has written is read, and whole numbers are numbers too."""
    (tmp_path / "platform.toml").write_text('grace = 5\n[[clusters]]\nname = "r1z1"\nnodes = 2\n')
    cluster = ClusterSettings(name="r1z1", nodes=2)
    assert Settings(grace=5.0, clusters=(cluster,)) == Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grace =", "not TOML"),
        ("\udcff", "not TOML"),
        ("grase = 5", "did you mean 'grace'"),
        ("whatever = 5", "no setting 'whatever'"),
        ('grace = "5"', "grace must be a number, not '5'"),
        ("grace = nan", "grace must be"),
        ("grace = -1", "grace must be"),
        ("port = 80000", "port must be from 0 to 65535, not 80000"),
        ("port = true", "port must be a whole number, not True"),
        ("log_limit = 0", "log_limit must be"),
        ("namespaces = 1", "namespaces must be true or false"),
        ("clusters = 1", "[[clusters]]"),
        ("[[clusters]]\nnodes = -1", "negative"),
        ('[[clusters]]\naliases = "x"', "aliases must be a list of texts"),
        ('[[clusters]]\nname = ""', "must not be empty"),
        ("[[clusters]]\n[[clusters]]", "Each cluster must have names of its own"),
        ('[[clusters]]\nnode_names = ["a"]', "node_names must"),
        ('tls_cert = "x"', "tls_key"),
        ('endpoint = "nowhere"', "endpoint must be a URL"),
    ],
)
def test_senseless_settings(tmp_path: Path, text: str, told: str) -> None:
    """What makes no sense is told with the file, the setting, and what it must be."""
    (tmp_path / "platform.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingsError) as raised:
        Settings.load(tmp_path)
    assert "platform.toml" in str(raised.value)
    assert told in str(raised.value)


@pytest.mark.parametrize(("given", "names"), [([], ("local", ())), (["a", "b", "c"], ("a", ("b", "c")))])
def test_names_of_the_cluster(given: list[str], names: tuple[Any, ...]) -> None:
    """The first name that is given is the cluster's, the others it answers to as well."""
    (cluster,) = Settings().changed({"cluster_name": given}).clusters
    assert names == (cluster.name, cluster.aliases)
    assert names == (cluster.cluster().name, cluster.cluster().aliases)


def test_python_of_the_server_is_no_setting(tmp_path: Path) -> None:
    """The Python that serves is not written down: another may serve next time."""
    Settings(python=sys.executable).save(tmp_path)
    assert "python" not in (tmp_path / "platform.toml").read_text().partition("\n")[2]
