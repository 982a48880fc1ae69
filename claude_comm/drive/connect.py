"""From settings to links: the configured server, or the private one, started if need be.

Law: opening the private server happens here, at the first connection of a process, and never again in its life: a
long-lived module does not bring back a server that `claude-comm down` stopped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from claude_comm import settings as settings_
from claude_comm.drive import launch
from claude_comm.drive.aio import AsyncLinks, AsyncServer
from claude_comm.drive.blocking import Links
from claude_comm.drive.server import Server
from claude_comm.errors import ConfigurationError
from claude_comm.settings import Settings


def settings_of_process(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment and from `claude-comm.toml` in the working folder."""
    given = os.environ if environ is None else environ
    file = Path(settings_.FILE_NAME)
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None
    return settings_.load(given, text, default_home(given))


def default_home(environ: Mapping[str, str]) -> Path:
    """The platform's folder for a user's data, unless the environment names one."""
    if environ.get(settings_.PREFIX + "HOME"):
        return Path(environ[settings_.PREFIX + "HOME"])
    import platformdirs  # only where no home is named: it costs start-up time

    return Path(platformdirs.user_data_dir("claude-comm", appauthor=False))


def data_url(settings: Settings) -> str:
    """The address of the messages' server, the private one started first if it is the one."""
    if settings.url:
        return settings.url
    return "unix://" + quote(str(launch.ensure(settings.home)))


def connect(settings: Settings) -> Links:
    """Blocking links. Nothing is sent yet, but the private server runs."""
    url = data_url(settings)
    data = Server(url)
    return Links(data, Server(settings.control_url) if settings.control_url else data)


def connect_async(settings: Settings) -> AsyncLinks:
    """Asyncio links, for the running event loop."""
    url = data_url(settings)
    data = AsyncServer(url)
    return AsyncLinks(data, AsyncServer(settings.control_url) if settings.control_url else data)
