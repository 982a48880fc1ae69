"""The users of a server as files: an ACL file for the server, and for each user the addresses with its password.

Law: a password that is in a file stays, so that writing the files again cuts nobody off; the ACL file has hashes alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_comm.errors import ConfigurationError
from claude_comm.runtime.home import private_folder

ACL_FILE = "users.acl"
_PASSWORD_BYTES = 32
# What is in the folder is read in containers, by users of other numbers: nobody else may enter the folder.
_READABLE = 0o644


def write_secrets(folder: Path, users: Mapping[str, Sequence[str]], host: str, cluster: str) -> dict[str, Path]:
    """Writes `users.acl`, and for each user (a name, and its words) NAME.url, NAME.control-url and NAME.password.

    Returns the file with the address of each. Raises ConfigurationError.
    """
    private_folder(folder)
    lines, files = [], {}
    for name, words in users.items():
        password = "" if name == "default" else _password(folder / f"{name}.password")
        hashed = [f"#{hashlib.sha256(password.encode()).hexdigest()}"] if password else []
        lines.append(" ".join(["user", name, *hashed, *words]))
        if password:
            control = f"redis://{name}:{password}@{host}/0"
            _write(folder / f"{name}.url", f"redis+cluster://{name}:{password}@{cluster}" if cluster else control)
            _write(folder / f"{name}.control-url", control if cluster else "")
            files[name] = folder / f"{name}.url"
    _write(folder / ACL_FILE, "\n".join(lines) + "\n")
    return files


def _password(file: Path) -> str:
    """The one that is there, or a new one, which is written."""
    try:
        password = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        _write(file, password)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None
    if not re.fullmatch(r"[\w-]{16,}", password):
        raise ConfigurationError(f"{file} holds no password of ours: remove it, and a new one is made.")
    return password


def _write(file: Path, text: str) -> None:
    """Whole or not at all, so that a server that reads it meanwhile sees the old one or the new one."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.chmod(_READABLE)
        beside.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
