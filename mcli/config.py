"""Who asks, and whom: API key, endpoint and time limit, from the environment and the configuration file."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcli import _config_file
from mcli._spelling import kind_of
from mcli._tracebacks import without_frames
from mcli._warnings import warn
from mcli.exceptions import MCLIConfigError

__all__ = [
    "MCLI_CONFIG_DIR_ENV",
    "MCLI_CONFIG_PATH_ENV",
    "MCLI_MODE_ENV",
    "MCLI_TIMEOUT_ENV",
    "MOSAICML_ACCESS_TOKEN_FILE_ENV",
    "MOSAICML_API_ENDPOINT_ENV",
    "MOSAICML_API_KEY_ENV",
    "FeatureFlag",
    "MCLIConfig",
    "MCLIMode",
    "authorization",
    "config_path",
    "default_timeout",
    "endpoint",
    "endpoint_is_given",
    "initialize",
    "mode",
    "set_api_key",
]

MOSAICML_API_ENDPOINT_ENV = "MOSAICML_API_ENDPOINT"
"""URL to ask, in place of the mode's."""
MOSAICML_API_KEY_ENV = "MOSAICML_API_KEY"
"""API key; used instead of the file's, also when it is empty."""
MOSAICML_ACCESS_TOKEN_FILE_ENV = "MOSAICML_ACCESS_TOKEN_FILE"  # noqa: S105 - a name, not a token
"""Path of a file with a token, which is used where no key is set."""
MCLI_MODE_ENV = "MCLI_MODE"
"""A member of `MCLIMode`, in any letter case."""
MCLI_TIMEOUT_ENV = "MCLI_TIMEOUT"
"""Seconds that replace the default time limit of a call."""
MCLI_CONFIG_DIR_ENV = "MCLI_CONFIG_DIR"
"""Folder of the configuration file, `~/.mosaic` when unset."""
MCLI_CONFIG_PATH_ENV = "MCLI_CONFIG_PATH"
"""The configuration file itself, `mcli_config` in that folder when unset."""


class MCLIMode(StrEnum):
    """Which platform is asked.

    >>> MCLIMode.PROD.endpoint
    'https://api.mosaicml.com/graphql'
    """

    PROD = "PROD"
    DEV = "DEV"
    STAGING = "STAGING"
    LOCAL = "LOCAL"
    """The local platform: runs are processes on this machine."""
    DBX_AWS_STAGING = "DBX_AWS_STAGING"
    DBX_AZURE_STAGING = "DBX_AZURE_STAGING"

    @property
    def endpoint(self) -> str:
        """URL of the platform, with its path."""
        return _ENDPOINTS[self]

    @property
    def takes_keys(self) -> bool:
        """Whether the platform knows API keys; the others take tokens only."""
        return not self.startswith("DBX")


_ENDPOINTS = {
    MCLIMode.PROD: "https://api.mosaicml.com/graphql",
    MCLIMode.DEV: "https://dev.api.mosaicml.com/graphql",
    MCLIMode.STAGING: "https://staging.api.mosaicml.com/graphql",
    MCLIMode.LOCAL: "http://localhost:3001/graphql",
    MCLIMode.DBX_AWS_STAGING: "https://oregon.staging.cloud.databricks.com/api/2.0/genai-mapi/graphql",
    MCLIMode.DBX_AZURE_STAGING: "https://westus.staging.azuredatabricks.net/api/2.0/genai-mapi/graphql",
}


class FeatureFlag(StrEnum):
    """Parts of the SDK that are off by default.

    >>> FeatureFlag("ALPHA_TESTER")
    <FeatureFlag.ALPHA_TESTER: 'ALPHA_TESTER'>
    """

    ALPHA_TESTER = "ALPHA_TESTER"


def _never() -> datetime:
    return datetime.min


@dataclass
class MCLIConfig:
    """What is kept on this machine between programs, in `~/.mosaic/mcli_config`.

    Saving changes in the file what was changed here, and nothing else.

    >>> MCLIConfig(MOSAICML_API_KEY="not-a-real-key")
    MCLIConfig(feature_flags={})
    """

    MOSAICML_API_KEY: str = field(default="", repr=False)
    """Key for the mode PROD."""
    feature_flags: dict[str, bool] = field(default_factory=dict)
    """Which of `FeatureFlag` are on, by name."""
    last_update_check: datetime = field(default_factory=_never, repr=False)
    """Kept for programs that check for a newer version; this one does not."""
    mcloud_envs: dict[str, str] = field(default_factory=dict, repr=False)
    """Keys for the other modes, by the name of the mode."""
    _user_id: str | None = field(default=None, repr=False)
    _organization_id: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._in_file: dict[tuple[str, ...], object] = {}

    @classmethod
    def load_config(cls) -> MCLIConfig:
        """Read the configuration file; without a file, return an empty configuration.

        Raises:
            MCLIConfigError: The file is empty, broken, or cannot be read.
        """
        config = cls(**_known(_config_file.read(config_path())))
        config._in_file = config._entries()
        return config

    @without_frames
    def save_config(self) -> None:
        """Write what was changed since the configuration was loaded.

        The file is replaced at once and has mode 0600; processes that save at the same time do not lose each
        other's changes; comments and keys of others stay.

        Raises:
            MCLIConfigError: The file is broken, or cannot be written.
        """
        entries = self._entries()
        edits = {path: value for path, value in entries.items() if self._in_file.get(path) != value}
        edits |= {path: None for path in self._in_file if path not in entries}
        if edits:
            _config_file.change(config_path(), edits)
        self._in_file = entries

    @property
    def api_key(self) -> str:
        """The key for the present mode: of the environment if it is set there, else of this configuration."""
        from_environment = os.environ.get(MOSAICML_API_KEY_ENV)
        if from_environment is not None:
            return from_environment
        present = mode()
        return self.MOSAICML_API_KEY if present is MCLIMode.PROD else self.mcloud_envs.get(present, "")

    @api_key.setter
    def api_key(self, value: str) -> None:
        present = mode()
        if present is MCLIMode.PROD:
            self.MOSAICML_API_KEY = value  # pyright: ignore[reportConstantRedefinition]  # the documented name
        elif value:
            self.mcloud_envs[str(present)] = value
        else:
            self.mcloud_envs.pop(present, None)

    def feature_enabled(self, feature: FeatureFlag | str) -> bool:
        """Tell whether a feature is on.

        >>> MCLIConfig(feature_flags={"ALPHA_TESTER": True}).feature_enabled(FeatureFlag.ALPHA_TESTER)
        True
        """
        return bool(self.feature_flags.get(str(feature)))

    def _entries(self) -> dict[tuple[str, ...], object]:
        """Return what is filled, by its place in the file."""
        entries: dict[tuple[str, ...], object] = {
            ("MOSAICML_API_KEY",): self.MOSAICML_API_KEY,
            ("last_update_check",): None if self.last_update_check == _never() else self.last_update_check,
            ("_user_id",): self._user_id,
            ("_organization_id",): self._organization_id,
            **{("feature_flags", str(flag)): on for flag, on in self.feature_flags.items()},
            **{("mcloud_envs", str(name)): key for name, key in self.mcloud_envs.items()},
        }
        return {path: value for path, value in entries.items() if value is not None and value != ""}


def _known(data: dict[str, Any]) -> dict[str, Any]:
    """Pick what `MCLIConfig` holds; a value of another type counts as not there."""
    types = {
        "MOSAICML_API_KEY": str,
        "feature_flags": dict,
        "last_update_check": datetime,
        "mcloud_envs": dict,
        "_user_id": str,
        "_organization_id": str,
    }
    known = {name: data.get(name) for name in types}
    return {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in known.items()
        if isinstance(value, types[name])
    }


@without_frames
def initialize(api_key: str | None = None) -> None:
    """Prepare this machine: make the folder of the configuration file, and keep the key if one is given.

    Args:
        api_key: The key, for the present mode; see `set_api_key`.

    Raises:
        MCLIConfigError: The key cannot be one, or the file cannot be written.

    >>> import mcli
    >>> mcli.initialize(api_key="not-a-real-key")
    """
    if api_key is not None:
        set_api_key(api_key)
        return
    folder = config_path().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MCLIConfigError(f"Cannot make the folder {folder}: {error.strerror}") from error


@without_frames
def set_api_key(api_key: str) -> None:
    """Keep the key for the present mode in the configuration file, for all later calls and programs.

    While `MOSAICML_API_KEY` is set in the environment, that key is used instead; a warning says so.

    Args:
        api_key: The key.

    Raises:
        MCLIConfigError: The key cannot be one, or the file cannot be written.

    >>> import mcli
    >>> mcli.set_api_key("not-a-real-key")
    """
    if not isinstance(api_key, str):
        raise TypeError(f"api_key must be a text, not {kind_of(api_key)}")
    key = _header_value(api_key, "The API key")
    if not key:
        raise MCLIConfigError("The API key is empty: mcli.set_api_key('<your key>')")
    present = mode()
    place = ("MOSAICML_API_KEY",) if present is MCLIMode.PROD else ("mcloud_envs", str(present))
    _config_file.change(config_path(), {place: key})
    if MOSAICML_API_KEY_ENV in os.environ:
        warn(
            f"The API key is in {config_path()} now, but the environment variable {MOSAICML_API_KEY_ENV} "
            "is set and is used instead of it. Unset the variable to use the new key."
        )


def config_path() -> Path:
    """Return where the configuration file is, whether it exists or not."""
    try:
        if path := os.environ.get(MCLI_CONFIG_PATH_ENV):
            return Path(path).expanduser()
        return Path(os.environ.get(MCLI_CONFIG_DIR_ENV) or "~/.mosaic").expanduser() / "mcli_config"
    except RuntimeError:
        raise MCLIConfigError(
            f"The home directory is unknown. Set {MCLI_CONFIG_DIR_ENV} to a folder."
        ) from None


def mode() -> MCLIMode:
    """Return the mode that `MCLI_MODE` names; without one PROD, for an unknown one PROD with a warning."""
    text = os.environ.get(MCLI_MODE_ENV, "").strip()
    known = MCLIMode.__members__.get(text.upper())
    if text and known is None:
        modes = ", ".join(MCLIMode)
        warn(f"{MCLI_MODE_ENV} must be one of {modes}, not {text!r}; PROD is used.")
    return known or MCLIMode.PROD


def endpoint_is_given() -> bool:
    """Tell whether `MOSAICML_API_ENDPOINT` names the endpoint, so that the mode does not."""
    return bool(os.environ.get(MOSAICML_API_ENDPOINT_ENV, "").strip())


def endpoint() -> str:
    """Return the URL to ask, of the environment or of the mode.

    Raises:
        MCLIConfigError: What the environment names cannot be the URL of an endpoint.
    """
    if not endpoint_is_given():
        return mode().endpoint
    url = os.environ[MOSAICML_API_ENDPOINT_ENV].strip()
    if problem := _url_problem(url):
        raise MCLIConfigError(
            f"{MOSAICML_API_ENDPOINT_ENV} must be the URL of an endpoint: {problem}. "
            "An example is http://127.0.0.1:3001/graphql"
        )
    return url


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "its host or port cannot be read"
    if not url.isprintable() or " " in url:
        return "it holds spaces or control characters"
    if parts.scheme not in {"http", "https"}:
        return "it does not begin with http:// or https://"
    if not parts.hostname:
        return "it names no host"
    return "it holds a user name or a password, which do not belong there" if "@" in parts.netloc else None


def authorization() -> str:
    """Return the value of the `Authorization` header: the API key as it is, or `Bearer` and the token.

    A key is used rather than a token, the environment's rather than the file's. The token is read anew at each call.

    Raises:
        MCLIConfigError: There is neither, or what there is cannot be used.
    """
    if key := _api_key():
        return key
    token_file = os.environ.get(MOSAICML_ACCESS_TOKEN_FILE_ENV)
    if token_file:
        return f"Bearer {_token(Path(token_file))}"
    raise MCLIConfigError(
        "There is no API key. Set one with mcli.set_api_key('<your key>') or the environment variable "
        f"{MOSAICML_API_KEY_ENV}. Without an account, set {MCLI_MODE_ENV}=LOCAL: then runs are processes on "
        "this machine."
    )


def _api_key() -> str:
    present = mode()
    if not present.takes_keys:
        return ""
    if (key := os.environ.get(MOSAICML_API_KEY_ENV)) is not None:  # then the file is not looked at
        return _header_value(key, f"The API key of the environment variable {MOSAICML_API_KEY_ENV}")
    return _header_value(MCLIConfig.load_config().api_key, f"The API key in {config_path()}")


def _token(path: Path) -> str:
    what = f"The token file {path} ({MOSAICML_ACCESS_TOKEN_FILE_ENV})"
    try:
        token = _header_value(path.read_text(encoding="utf-8"), what)
    except OSError as error:
        raise MCLIConfigError(f"{what} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MCLIConfigError(f"{what} is not text") from None
    if not token:
        raise MCLIConfigError(f"{what} is empty")
    return token


def _header_value(text: str, what: str) -> str:
    """Strip a key; refuse one that would end the header's line, or that no header can carry."""
    value = text.strip()
    if not (value.isascii() and value.isprintable()):
        raise MCLIConfigError(
            f"{what} holds line breaks or characters that a key cannot have. Copy it once more."
        )
    return value


def default_timeout(default: float | None) -> float | None:
    """Return the seconds of `MCLI_TIMEOUT` where it is set, else the default of the call.

    Raises:
        MCLIConfigError: The variable does not hold a positive number.
    """
    text = os.environ.get(MCLI_TIMEOUT_ENV, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise MCLIConfigError(f"{MCLI_TIMEOUT_ENV} must be a number of seconds greater than 0, not {text!r}.")
    return None if math.isinf(seconds) else seconds
