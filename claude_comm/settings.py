"""Settings: the environment, then `claude-comm.toml`, then defaults.

Law: settings are read once, at a face, from mappings handed in; an unknown setting is refused by name.

`CLAUDE_COMM_URL_FILE` and `CLAUDE_COMM_CONTROL_URL_FILE` name files that hold the value, for addresses with a password.

| environment | file | |
| --- | --- | --- |
| `CLAUDE_COMM_HOME` | `home` | folder of the private server, the database and the logs |
| `CLAUDE_COMM_URL` | `url` | the server, or some nodes of a cluster; empty: the private server in the home folder |
| `CLAUDE_COMM_CONTROL_URL` | `control_url` | server for jobs and the registry; empty: the same |
| `CLAUDE_COMM_NAMESPACE` | `namespace` | first part of every key |
| `CLAUDE_COMM_MAX_ENVELOPE_BYTES` | `max_envelope_bytes` | largest message, encoded |
| `CLAUDE_COMM_MAX_LAG` | `max_lag` | messages that may wait in an inbox that declares no limit; 0: any number |
| `CLAUDE_COMM_KEEP_S` | `keep_s` | how long a finished message stays in its stream |
| `CLAUDE_COMM_KEEP_ENTRIES` | `keep_entries` | how many finished entries a stream may keep |
| `CLAUDE_COMM_KEEP_DEAD` | `keep_dead` | how many buried messages a module may keep |
| `CLAUDE_COMM_PROJECTION_WAIT_S` | `projection_wait_s` | how long trimming waits for a silent projection |
| `CLAUDE_COMM_PROJECTION_KEEP_S` | `projection_keep_s` | how long a message stays in the projection; 0: for ever |
| `CLAUDE_COMM_PROJECTION_MAX_BYTES` | `projection_max_bytes` | how much the projection's rows may take; 0: any |
| `CLAUDE_COMM_PROJECTION_PAYLOAD_BYTES` | `projection_payload_bytes` | largest payload stored; else a digest |
| `CLAUDE_COMM_BLOB_STORE` | `blob_store` | the folder for large payloads; empty: `blobs` in the home folder |
| `CLAUDE_COMM_BLOB_ABOVE` | `blob_above` | larger payloads (bytes) travel as chunks; 0: none |
| `CLAUDE_COMM_SIGNING` | `signing` | off, warn or require: how signatures of messages are treated |
| `CLAUDE_COMM_KEY_FILE` | `key_file` | the private key to sign with; empty: the module's in the home folder |
| `CLAUDE_COMM_ADMIN_PUBLIC_KEY` | `admin_public_key` | who signs the keyring; empty: the admin's key in the home |
| `CLAUDE_COMM_GATEWAY_HOST` | `gateway_host` | where the gateway listens |
| `CLAUDE_COMM_GATEWAY_PORT` | `gateway_port` | at which port; 0: any free one |
| `CLAUDE_COMM_GATEWAY_PUBLIC` | `gateway_public` | true: other machines may reach the gateway |
| `CLAUDE_COMM_GATEWAY_ORIGINS` | `gateway_origins` | origins of pages elsewhere that may use it, after commas |
| `CLAUDE_COMM_GATEWAY_GRANTS` | `gateway_grants` | HOLDER=SCOPE, after commas: admin, send:TARGET, read:TARGET |
| `CLAUDE_COMM_GATEWAY_RATE` | `gateway_rate` | messages that a module may send to it in a second; 0: any number |
| `CLAUDE_COMM_TELEMETRY` | `telemetry` | events of handled messages: full, sampled or off; MODULE=LEVEL, … for some |
| `CLAUDE_COMM_TRACING` | `tracing` | auto (spans where the program has set a provider of OpenTelemetry) or off |
| `CLAUDE_COMM_METRICS` | `metrics` | auto (as for spans), prometheus, prometheus:PORT (modules serve it) or off |
| `CLAUDE_COMM_LOG_LEVEL` | `log_level` | debug, info, warning or error; with `-json` or `-text` for the form |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from claude_comm.addresses import check_url, on_cluster, public
from claude_comm.errors import ConfigurationError, UnknownSetting, shown
from claude_comm.names import check_name

PREFIX = "CLAUDE_COMM_"
FILE_NAME = "claude-comm.toml"
# The registry itself forgets a projection that has not reported for a day.
_BOUNDS = (
    ("max_envelope_bytes", int, 1024, 2**31),
    ("max_lag", int, 0, 10**12),
    ("keep_s", float, 0, 10**9),
    ("keep_entries", int, 0, 10**12),
    ("keep_dead", int, 1, 10**12),
    ("projection_wait_s", float, 1, 24 * 3600),
    ("projection_keep_s", float, 0, 10**10),
    ("projection_max_bytes", int, 0, 2**60),
    ("projection_payload_bytes", int, 0, 2**31),
    ("blob_above", int, 0, 2**31),
    ("gateway_port", int, 0, 65_535),
    ("gateway_rate", float, 0, 10**9),
)
_NO_FOLDER = Path("")

# Whether messages are told of to OpenTelemetry, where the program has set a provider.
Tracing = Literal["auto", "off"]
_METRICS = re.compile(r"auto|off|prometheus(:[1-9][0-9]{0,4})?")

# How signatures are treated: not looked at; reported and let through; demanded.
Signing = Literal["off", "warn", "require"]

# The least level that is logged, and the form of the lines on stderr: `info` alone is text on a terminal, else JSON.
LogLevel = Literal[
    "debug", "info", "warning", "error",
    "debug-text", "info-text", "warning-text", "error-text",
    "debug-json", "info-json", "warning-json", "error-json",
]  # fmt: skip


# How much is told of messages that were handled at once: all, one in sixteen, or nothing. Failures are always told.
TelemetryLevel = Literal["full", "sampled", "off"]
_EVERY_MODULE = ""


def _shown(name: str, value: object) -> str:
    is_address = name in _ADDRESSES and isinstance(value, str) and "://" in value
    return repr(public(value)) if is_address and isinstance(value, str) else repr(value)


_ADDRESSES = frozenset(("url", "control_url", "blob_store"))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a process."""

    home: Path
    url: str = ""
    control_url: str = ""
    namespace: str = "comm"
    max_envelope_bytes: int = 1024 * 1024
    max_lag: int = 0
    keep_s: float = 3600.0
    keep_entries: int = 100_000
    keep_dead: int = 100_000
    projection_wait_s: float = 3600.0
    projection_keep_s: float = 0.0
    projection_max_bytes: int = 0
    projection_payload_bytes: int = 1024 * 1024
    blob_store: str = ""
    blob_above: int = 256 * 1024
    signing: Signing = "off"
    key_file: str = ""
    admin_public_key: str = ""
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8765
    gateway_public: bool = False
    gateway_origins: str = ""
    gateway_grants: str = ""
    gateway_rate: float = 0.0
    telemetry: str = "full"
    tracing: Tracing = "auto"
    metrics: str = "auto"
    log_level: LogLevel = "info"

    def __post_init__(self) -> None:
        """Raises ConfigurationError, whether they were loaded or written in a program."""
        msgspec.structs.force_setattr(self, "home", _folder(self.home))
        check_name(self.namespace, "namespace")
        for name in ("url", "control_url"):
            check_url(name, getattr(self, name))
        if self.log_level not in get_args(LogLevel):
            raise ConfigurationError(f"log_level: {shown(self.log_level)} is none of {', '.join(get_args(LogLevel))}.")
        if self.signing not in get_args(Signing):
            raise ConfigurationError(f"signing: {shown(self.signing)} is none of {', '.join(get_args(Signing))}.")
        if self.tracing not in get_args(Tracing):
            raise ConfigurationError(f"tracing: {shown(self.tracing)} is none of {', '.join(get_args(Tracing))}.")
        if not _METRICS.fullmatch(str(self.metrics)):
            raise ConfigurationError(
                f"metrics: {shown(self.metrics)} is none of auto, off, prometheus, prometheus:PORT."
            )
        _levels(self.telemetry)
        for name, kind, least, most in _BOUNDS:
            _check_number(name, getattr(self, name), kind, least, most)

    def __repr__(self) -> str:
        """Without what logs a user in: settings stand in tracebacks and logs."""
        shown = ((name, getattr(self, name)) for name in self.__struct_fields__)
        fields = (f"{name}={_shown(name, value)}" for name, value in shown)
        return f"Settings({', '.join(fields)})"

    def telemetry_of(self, module: str) -> TelemetryLevel:
        """How much this module reports about the messages that it handled."""
        levels = _levels(self.telemetry)
        return levels.get(module, levels[_EVERY_MODULE])

    @property
    def takes_out_above(self) -> int:
        """Larger payloads are taken out of their messages (bytes); 0 for none. Only where readers have the same store:
        the folder in the home that all share who use its private server, or one that is named."""
        return self.blob_above if self.blob_store or not self.url else 0

    @property
    def runs_jobs(self) -> bool:
        """Whether there is one server for jobs: RQ does not run on a cluster."""
        return bool(self.control_url) or not on_cluster(self.url)

    @property
    def database(self) -> Path:
        """The projection's SQLite file."""
        return self.home / "claude-comm.db"


def _levels(text: object) -> dict[str, TelemetryLevel]:
    """`LEVEL`, `MODULE=LEVEL` or several of them after commas: the level of each module, and of all others under the
    empty name. Raises ConfigurationError."""
    levels: dict[str, TelemetryLevel] = {_EVERY_MODULE: "full"}
    for part in str(text).split(","):
        module, _, level = part.strip().rpartition("=")
        if level not in get_args(TelemetryLevel):
            raise ConfigurationError(
                f"telemetry: {shown(part.strip())} is none of {', '.join(get_args(TelemetryLevel))}, nor MODULE=LEVEL."
            )
        levels[check_name(module) if module else _EVERY_MODULE] = cast(TelemetryLevel, level)
    return levels


def load(environ: Mapping[str, str], file_text: str | None, default_home: Path) -> Settings:
    """The settings of this process; `file_text` is the content of `claude-comm.toml`, where there is one."""
    known = Settings.__struct_fields__
    given: dict[str, object] = {}
    if file_text is not None:
        given.update(_known_only(parse_file(file_text), known))
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


def parse_file(text: str) -> dict[str, object]:
    """The table in a `claude-comm.toml`. Raises ConfigurationError."""
    import tomllib  # 5 ms of every command, for a file that most homes do not have

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{FILE_NAME} is not TOML: {error}.") from None


def _known_only(table: dict[str, object], known: tuple[str, ...]) -> dict[str, object]:
    for name in table:
        if name not in known:
            raise UnknownSetting(name, known, FILE_NAME)
    return table


def _checked(given: dict[str, object]) -> Settings:
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"settings: {error}.") from None


def _folder(home: Any) -> Path:
    if not isinstance(home, str | Path) or Path(home) == _NO_FOLDER:
        raise ConfigurationError(f"home: {shown(home)} is not a folder's path.")
    return Path(home).expanduser().absolute()


def _check_number(name: str, value: Any, kind: type, least: int, most: int) -> None:
    fits = isinstance(value, int) or (kind is float and isinstance(value, float))
    if isinstance(value, bool) or not fits:
        raise ConfigurationError(f"{name}: {shown(value)} is not a {'whole ' if kind is int else ''}number.")
    if not least <= value <= most:
        raise ConfigurationError(f"{name}: from {least:,} to {most:,}.")


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected text, got {type(value).__name__}")
