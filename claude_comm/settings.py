"""Settings: the environment, then `claude-comm.toml`, then defaults.

Law: read once, at a face, from mappings handed in; a setting that nothing reads is refused by name.

| environment | file | |
| --- | --- | --- |
| `CLAUDE_COMM_HOME` | `home` | folder of the private server, the database and the logs |
| `CLAUDE_COMM_URL` | `url` | the server; empty: the private one in the home folder |
| `CLAUDE_COMM_CONTROL_URL` | `control_url` | server for jobs and the registry; empty: the same |
| `CLAUDE_COMM_NAMESPACE` | `namespace` | first part of every key |
| `CLAUDE_COMM_MAX_ENVELOPE_BYTES` | `max_envelope_bytes` | largest message, encoded |
| `CLAUDE_COMM_MAX_LAG` | `max_lag` | messages that may wait in an inbox that declares no limit; 0: any number |
| `CLAUDE_COMM_KEEP_S` | `keep_s` | how long a message that is done stays in its stream |
| `CLAUDE_COMM_KEEP_ENTRIES` | `keep_entries` | how many entries of a stream may stay although they are done |
| `CLAUDE_COMM_PROJECTION_WAIT_S` | `projection_wait_s` | how long trimming waits for a projection that is silent |
| `CLAUDE_COMM_LOG_LEVEL` | `log_level` | debug, info, warning or error |
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from claude_comm.errors import ConfigurationError, UnknownSetting
from claude_comm.names import check_name

PREFIX = "CLAUDE_COMM_"
FILE_NAME = "claude-comm.toml"
SCHEMES = ("redis", "rediss", "unix")

# A projection that has not told anything for a day is forgotten by the registry itself.
_BOUNDS = (
    ("max_lag", 0, 10**12),
    ("keep_s", 0, 10**9),
    ("keep_entries", 0, 10**12),
    ("projection_wait_s", 1, 24 * 3600),
)

LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process runs with."""

    home: Path
    url: str = ""
    control_url: str = ""
    namespace: str = "comm"
    max_envelope_bytes: int = 1024 * 1024
    max_lag: int = 0
    keep_s: float = 3600.0
    keep_entries: int = 100_000
    projection_wait_s: float = 3600.0
    log_level: LogLevel = "info"

    @property
    def database(self) -> Path:
        """The projection's SQLite file."""
        return self.home / "claude-comm.db"


def load(environ: Mapping[str, str], file_text: str | None, default_home: Path) -> Settings:
    """The settings of this process; `file_text` is the content of `claude-comm.toml`, where there is one."""
    known = Settings.__struct_fields__
    given: dict[str, object] = {}
    if file_text is not None:
        given.update(_from_file(file_text, known))
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable[len(PREFIX) :].lower()
        if name not in known:
            raise UnknownSetting(variable, [PREFIX + field.upper() for field in known], "environment")
        if text:
            given[name] = text
    given.setdefault("home", str(default_home))
    return _checked(given)


def public(url: str) -> str:
    """The address without its user and password, for messages, logs and files."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _from_file(text: str, known: tuple[str, ...]) -> dict[str, object]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{FILE_NAME} is not TOML: {error}.") from None
    for name in table:
        if name not in known:
            raise UnknownSetting(name, known, FILE_NAME)
    return table


def _checked(given: dict[str, object]) -> Settings:
    try:
        settings = msgspec.convert(given, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"settings: {error}.") from None
    check_name(settings.namespace, "namespace")
    for name in ("url", "control_url"):
        _check_url(name, getattr(settings, name))
    if settings.max_envelope_bytes < 1024:
        raise ConfigurationError("max_envelope_bytes: at least 1024.")
    for name, least, most in _BOUNDS:
        if not least <= getattr(settings, name) <= most:
            raise ConfigurationError(f"{name}: from {least:,} to {most:,}.")
    return msgspec.structs.replace(settings, home=settings.home.expanduser().absolute())


def _check_url(name: str, url: str) -> None:
    scheme = urlsplit(url).scheme
    if url and scheme not in SCHEMES:
        allowed = ", ".join(f"{known}://" for known in SCHEMES)
        raise ConfigurationError(f"{name}: {url!r} is not a server's address; it starts with one of {allowed}.")


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected text, got {type(value).__name__}")
