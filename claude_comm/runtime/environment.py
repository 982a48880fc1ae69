"""The settings of this process, from its environment and its working folder.

A file of its own beside `connect`: a command that only reads the database need not import the server's client.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_comm import settings as settings_
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.home import others_may_write, require_private
from claude_comm.settings import Settings


def settings_of_process(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment and from `claude-comm.toml` in the working folder.

    Raises ConfigurationError, also for a file by which another user decides where this one's messages go.
    """
    given = _with_files(os.environ if environ is None else environ)
    file = Path(settings_.FILE_NAME)
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None
    if text is not None:
        _require_own(file, [name for name in _PLACES if not given.get(settings_.PREFIX + name.upper())], text)
    settings = settings_.load(given, text, default_home(given))
    require_private(settings.home)
    return settings


def _with_files(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with the addresses that stand in files, as secrets of containers and services do."""
    given = dict(environ)
    for name in ("URL", "CONTROL_URL"):
        variable = settings_.PREFIX + name
        if path := given.pop(f"{variable}_FILE", ""):
            if given.get(variable):
                raise ConfigurationError(f"{variable} and {variable}_FILE are both set: use one of them.")
            try:
                given[variable] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"{variable}_FILE: {path} cannot be read: {error}.") from None
    return given


def user_of_process() -> str:
    """Who runs this process, by the name that the system has for them; for the audit."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for its user
        return f"uid {os.getuid()}"


def url_from_file(settings: Settings) -> str:
    """The settings file that named this server; empty where the environment did, or nothing."""
    file = Path(settings_.FILE_NAME)
    named = settings.url and not os.environ.get(settings_.PREFIX + "URL") and file.is_file()
    return str(file.absolute()) if named else ""


# The settings that say where messages go and where files are written.
_PLACES = ("url", "control_url", "home")


def _require_own(file: Path, places: Sequence[str], text: str) -> None:
    """Refuses a file that somebody else wrote, or may write, where it decides about one of these settings."""
    status = file.stat()
    if status.st_uid in (os.getuid(), 0) and not others_may_write(status):
        return
    if named := [name for name in places if name in settings_.parse_file(text)]:
        raise ConfigurationError(
            f"{file.absolute()} names {' and '.join(named)}, but another user owns it or may write to it. Make it "
            f"yours (`chown $(id -u)`, `chmod go-w`), or set {settings_.PREFIX + named[0].upper()}."
        )


def default_home(environ: Mapping[str, str]) -> Path:
    """The platform's folder for a user's data, unless the environment names one."""
    if environ.get(settings_.PREFIX + "HOME"):
        return Path(environ[settings_.PREFIX + "HOME"])
    import platformdirs  # only where no home is named: it costs start-up time

    return Path(platformdirs.user_data_dir("claude-comm", appauthor=False))
