"""The settings of this process, from its environment and its working folder.

Apart from `connect`, because who only reads the database need not import the server's client.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from claude_comm import settings as settings_
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
