"""Key, endpoint and time limit: from the environment and the configuration file."""

from __future__ import annotations

import inspect
import json
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mcli import config
from mcli.config import FeatureFlag, MCLIConfig, MCLIMode
from mcli.exceptions import MCLIConfigError

VARIABLES = [
    "MCLI_CONFIG_DIR",
    "MCLI_CONFIG_PATH",
    "MCLI_MODE",
    "MCLI_TIMEOUT",
    "MOSAICML_ACCESS_TOKEN_FILE",
    "MOSAICML_API_ENDPOINT",
    "MOSAICML_API_KEY",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home directory in which nothing was ever configured."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    """Give the place of the configuration file, in a folder that exists."""
    (home / ".mosaic").mkdir()
    return home / ".mosaic" / "mcli_config"


def mode_of(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


# The file


def test_the_signature_is_the_documented_one() -> None:
    """`MCLIConfig` takes what the page says."""
    page = json.loads((Path(__file__).parent / "data" / "signatures.json").read_text())
    documented = [each["name"] for each in page["classes"]["MCLIConfig"]["parameters"]]
    assert documented == list(inspect.signature(MCLIConfig).parameters)


def test_without_a_file_nothing_is_configured() -> None:
    """Loading without a file gives an empty configuration, and makes no file."""
    assert MCLIConfig() == MCLIConfig.load_config()
    assert not config.config_path().exists()


def test_a_key_is_kept(home: Path) -> None:
    """A key that was set is what later calls send."""
    config.set_api_key("abc")
    assert "abc" == config.authorization()


def test_only_the_user_can_read_the_file(home: Path) -> None:
    """The file has mode 0600, and its folder 0700."""
    config.set_api_key("abc")
    assert ("0o600", "0o700") == (mode_of(home / ".mosaic/mcli_config"), mode_of(home / ".mosaic"))


def test_a_file_that_others_could_read_is_closed(file: Path) -> None:
    """Saving takes the rights of others away."""
    file.write_text("MOSAICML_API_KEY: old\n")
    file.chmod(0o644)
    config.set_api_key("new")
    assert "0o600" == mode_of(file)


def test_nothing_else_is_left_in_the_folder(file: Path) -> None:
    """Beside the file there is its lock, and no temporary file."""
    config.set_api_key("abc")
    assert ["mcli_config", "mcli_config.lock"] == sorted(each.name for each in file.parent.iterdir())


def test_comments_and_unknown_keys_stay(file: Path) -> None:
    """Setting a key changes its value in the file, and nothing else."""
    file.write_text("---\n# mine\nMOSAICML_API_KEY: old  # the key\nnewer: [1, 2]\n")
    config.set_api_key("new")
    assert "---\n# mine\nMOSAICML_API_KEY: new  # the key\nnewer: [1, 2]\n" == file.read_text()


def test_comments_inside_of_a_map_stay(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of other modes are changed one by one."""
    file.write_text("mcloud_envs:\n  # a colleague's\n  DEV: d\n  STAGING: s\n")
    monkeypatch.setenv("MCLI_MODE", "DEV")
    config.set_api_key("new")
    assert "mcloud_envs:\n  # a colleague's\n  DEV: new\n  STAGING: s\n" == file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "{MOSAICML_API_KEY: old, newer: 1}",
        "MOSAICML_API_KEY:\nnewer: 1",
        "newer: 1\n...\n",
        "base: &key old\nMOSAICML_API_KEY: *key\nnewer: 1\n",
        "MOSAICML_API_KEY: |\n  old\nnewer: 1\n",
        "? MOSAICML_API_KEY\n: old\n? newer\n: 1\n",
    ],
)
def test_every_form_of_yaml_takes_a_new_key(file: Path, text: str) -> None:
    """However the file is written, a new key gets in and the rest keeps its meaning."""
    file.write_text(text)
    config.set_api_key("new: 'key'")
    assert "new: 'key'" == config.authorization()
    assert 1 == yaml.safe_load(file.read_text())["newer"]


def test_saving_changes_only_what_was_changed(file: Path) -> None:
    """What another program wrote between loading and saving is not undone."""
    loaded = MCLIConfig.load_config()
    config.set_api_key("theirs")
    loaded.feature_flags["ALPHA_TESTER"] = True
    loaded.save_config()
    both = MCLIConfig.load_config()
    assert ("theirs", {"ALPHA_TESTER": True}) == (both.MOSAICML_API_KEY, both.feature_flags)


def test_a_key_can_be_taken_away(file: Path) -> None:
    """A key that is set to nothing leaves the file, which can still be loaded."""
    config.set_api_key("abc")
    loaded = MCLIConfig.load_config()
    loaded.api_key = ""
    loaded.save_config()
    assert MCLIConfig() == MCLIConfig.load_config()


def test_a_link_stays_a_link(file: Path, home: Path) -> None:
    """Saving through a symbolic link changes the file that it points to."""
    (home / "dotfiles").write_text("MOSAICML_API_KEY: old\n")
    file.symlink_to(home / "dotfiles")
    config.set_api_key("new")
    assert file.is_symlink()
    assert "MOSAICML_API_KEY: new\n" == (home / "dotfiles").read_text()


def test_processes_that_save_at_once_lose_nothing(file: Path) -> None:
    """Programs that save in a loop never lose each other's changes, nor show a broken file."""
    config.set_api_key("abc")
    program = (
        "import sys\nfrom mcli.config import MCLIConfig\n"
        "for number in range(40):\n"
        "    kept = MCLIConfig.load_config()\n"
        "    assert kept.MOSAICML_API_KEY == 'abc'\n"
        "    kept.mcloud_envs[f'{sys.argv[1]}{number}'] = 'x'\n"
        "    kept.save_config()\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [0, 0] == [writer.wait(60) for writer in writers]
    assert 80 == len(MCLIConfig.load_config().mcloud_envs)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("a: [", "is broken: line"),
        ("just a text", "is broken"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(file: Path, text: str, problem: str) -> None:
    """An empty or broken file is an error that names it."""
    file.write_text(text)
    with pytest.raises(MCLIConfigError, match=f"{file} {problem}"):
        config.authorization()


def test_a_broken_file_shows_nothing_of_itself(file: Path) -> None:
    """The error about a broken file does not quote it: it may hold a key."""
    file.write_text("MOSAICML_API_KEY: 'hidden\n")
    with pytest.raises(MCLIConfigError) as caught:
        MCLIConfig.load_config()
    assert "hidden" not in str(caught.value)


def test_bytes_that_are_no_text_are_told(file: Path) -> None:
    """A file that is no text is an error that names it."""
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MCLIConfigError, match=str(file)):
        MCLIConfig.load_config()


def test_a_broken_file_is_not_overwritten(file: Path) -> None:
    """Setting a key leaves a broken file for its owner to look at."""
    file.write_text("a: [")
    with pytest.raises(MCLIConfigError, match="broken"):
        config.set_api_key("abc")
    assert "a: [" == file.read_text()


def test_an_empty_file_takes_a_key(file: Path) -> None:
    """Setting a key mends an empty file."""
    file.write_text("")
    config.set_api_key("abc")
    assert "---\nMOSAICML_API_KEY: abc\n" == file.read_text()


def test_a_key_of_the_environment_needs_no_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key in the environment, a broken file does no harm."""
    file.write_text("a: [")
    monkeypatch.setenv("MOSAICML_API_KEY", "abc")
    assert "abc" == config.authorization()


def test_a_directory_in_place_of_the_file_is_told(file: Path) -> None:
    """What cannot be read is an error that names it."""
    file.mkdir()
    with pytest.raises(MCLIConfigError, match=str(file)):
        MCLIConfig.load_config()


def test_a_place_that_cannot_be_written_is_told(home: Path) -> None:
    """What cannot be written is an error that names it."""
    (home / ".mosaic").write_text("in the way")
    with pytest.raises(MCLIConfigError, match="mcli_config"):
        config.set_api_key("abc")


def test_path_and_folder_come_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and the file can be named, also after the import; the file goes before the folder."""
    monkeypatch.setenv("MCLI_CONFIG_DIR", str(home / "other"))
    assert home / "other" / "mcli_config" == config.config_path()
    monkeypatch.setenv("MCLI_CONFIG_PATH", "~/third")
    assert home / "third" == config.config_path()


def test_no_repr_shows_a_key() -> None:
    """The repr of a configuration has no keys in it."""
    assert "hidden" not in repr(MCLIConfig(MOSAICML_API_KEY="hidden", mcloud_envs={"DEV": "hidden"}))


def test_a_configuration_survives_pickle() -> None:
    """A configuration can be pickled."""
    kept = MCLIConfig(MOSAICML_API_KEY="abc", feature_flags={"ALPHA_TESTER": True})
    assert kept == pickle.loads(pickle.dumps(kept))


def test_features_are_off_by_default() -> None:
    """A feature that the file does not name is off."""
    assert not MCLIConfig().feature_enabled(FeatureFlag.ALPHA_TESTER)


def test_initialize_without_a_key_makes_the_folder_only(home: Path) -> None:
    """`initialize()` makes the folder, and no file in it."""
    config.initialize()
    assert [] == list((home / ".mosaic").iterdir())


def test_initialize_keeps_a_key() -> None:
    """`initialize(api_key)` keeps the key."""
    config.initialize("abc")
    assert "abc" == config.authorization()


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "a\r\nX-Other: b", "a\0", "ключ"])
def test_what_is_no_key_is_not_kept(key: str, home: Path) -> None:
    """A key that no header can carry is refused when it is set."""
    with pytest.raises(MCLIConfigError, match="API key"):
        config.set_api_key(key)
    assert not (home / ".mosaic").exists()


# The environment


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting a key while the environment has one warns, and the environment's is sent."""
    monkeypatch.setenv("MOSAICML_API_KEY", "theirs")
    with pytest.warns(UserWarning, match="MOSAICML_API_KEY is set and is used instead"):
        config.set_api_key("mine")
    assert ("theirs", "mine") == (config.authorization(), MCLIConfig.load_config().MOSAICML_API_KEY)


@pytest.mark.parametrize(("key", "sent"), [(" abc\n", "abc"), ("Bearer abc", "Bearer abc")])
def test_a_key_is_sent_as_it_is(key: str, sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header is the key without the blanks around it, and no scheme is added."""
    monkeypatch.setenv("MOSAICML_API_KEY", key)
    assert sent == config.authorization()


def test_a_key_with_a_line_break_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that would add a header is an error, which does not show it."""
    monkeypatch.setenv("MOSAICML_API_KEY", "hidden\r\nHost: evil")
    with pytest.raises(MCLIConfigError, match="MOSAICML_API_KEY") as caught:
        config.authorization()
    assert "hidden" not in str(caught.value)


def test_a_token_is_read_anew_each_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, the token file's present content is sent as a bearer token."""
    monkeypatch.setenv("MOSAICML_ACCESS_TOKEN_FILE", str(home / "token"))
    sent = []
    for token in ("one\n", "two"):
        (home / "token").write_text(token)
        sent.append(config.authorization())
    assert ["Bearer one", "Bearer two"] == sent


def test_an_empty_key_of_the_environment_hides_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty key in the environment means that there is none, whatever the file has."""
    config.set_api_key("abc")
    (home / "token").write_text("one")
    monkeypatch.setenv("MOSAICML_API_KEY", "")
    monkeypatch.setenv("MOSAICML_ACCESS_TOKEN_FILE", str(home / "token"))
    assert "Bearer one" == config.authorization()


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"a\nb"])
def test_a_token_file_that_gives_none_is_told(
    content: bytes | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token file that is missing, empty or no token is an error that names file and variable."""
    monkeypatch.setenv("MOSAICML_ACCESS_TOKEN_FILE", str(home / "token"))
    if content is not None:
        (home / "token").write_bytes(content)
    with pytest.raises(MCLIConfigError, match=r"token \(MOSAICML_ACCESS_TOKEN_FILE\)"):
        config.authorization()


def test_without_credentials_both_ways_are_named() -> None:
    """Without key and token the error says how to set a key, and how to do without."""
    with pytest.raises(MCLIConfigError, match=r"set_api_key.*MOSAICML_API_KEY.*MCLI_MODE=LOCAL"):
        config.authorization()


def test_each_mode_has_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was set in one mode is not sent in another."""
    config.set_api_key("prod")
    monkeypatch.setenv("MCLI_MODE", "staging")
    config.set_api_key("staging")
    assert "staging" == config.authorization()
    monkeypatch.delenv("MCLI_MODE")
    assert "prod" == config.authorization()


@pytest.mark.parametrize("name", ["DBX_AWS_STAGING", "DBX_AZURE_STAGING"])
def test_some_modes_take_tokens_only(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Databricks mode the token is sent even if there is a key."""
    (home / "token").write_text("one")
    monkeypatch.setenv("MOSAICML_ACCESS_TOKEN_FILE", str(home / "token"))
    monkeypatch.setenv("MOSAICML_API_KEY", "abc")
    monkeypatch.setenv("MCLI_MODE", name)
    assert "Bearer one" == config.authorization()


@pytest.mark.parametrize(
    ("text", "mode"), [("", MCLIMode.PROD), ("local", MCLIMode.LOCAL), (" Dev ", MCLIMode.DEV)]
)
def test_the_mode_is_read_in_any_letter_case(
    text: str, mode: MCLIMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MCLI_MODE` names the mode; without it there is PROD."""
    monkeypatch.setenv("MCLI_MODE", text)
    assert mode is config.mode()


def test_an_unknown_mode_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be one of means PROD, and a warning says so."""
    monkeypatch.setenv("MCLI_MODE", "LOCLA")
    with pytest.warns(UserWarning, match="must be one of PROD, .*, not 'LOCLA'; PROD is used"):
        assert MCLIMode.PROD is config.mode()


def test_each_mode_has_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint is the mode's, with its path."""
    monkeypatch.setenv("MCLI_MODE", "DEV")
    assert "https://dev.api.mosaicml.com/graphql" == config.endpoint()


def test_an_endpoint_of_the_environment_goes_before_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """`MOSAICML_API_ENDPOINT` replaces the endpoint of any mode."""
    monkeypatch.setenv("MCLI_MODE", "DEV")
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", " http://[::1]:8080/x ")
    assert config.endpoint_is_given()
    assert "http://[::1]:8080/x" == config.endpoint()


@pytest.mark.parametrize(
    "url",
    [
        "api.mosaicml.com",
        "ftp://host/x",
        "http://",
        "http:///graphql",
        "http://host:99999",
        "http://a b/",
        "http://[::1",
    ],
)
def test_what_is_no_endpoint_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that cannot be one is an error that names the variable."""
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", url)
    with pytest.raises(MCLIConfigError, match="MOSAICML_API_ENDPOINT must be the URL"):
        config.endpoint()


def test_an_endpoint_with_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint holds no password, since errors show it; this error does not."""
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", "http://user:hidden@host/graphql")
    with pytest.raises(MCLIConfigError, match="password") as caught:
        config.endpoint()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("", 10), ("2.5", 2.5), (" 3 ", 3), ("inf", None)])
def test_the_time_limit_comes_from_the_environment(
    text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MCLI_TIMEOUT` replaces the default of a call."""
    monkeypatch.setenv("MCLI_TIMEOUT", text)
    assert seconds == config.default_timeout(10)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_what_is_no_time_limit_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit that is no positive number is an error that names the variable."""
    monkeypatch.setenv("MCLI_TIMEOUT", text)
    with pytest.raises(MCLIConfigError, match="MCLI_TIMEOUT"):
        config.default_timeout(10)
