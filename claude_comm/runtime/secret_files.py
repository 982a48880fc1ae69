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

import msgspec

from claude_comm.addresses import DEFAULT_PORT, parse_sentinel
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.home import private_folder

ACL_FILE, REPLICATION_FILE, SENTINEL_FILE = "users.acl", "replication.conf", "sentinel.conf"
# The name under which the Sentinels watch the primary.
SERVICE = "main"
# The user of the Sentinels by which clients find the primary: they may ask for that alone.
READER = "sentinel-reader"
_PASSWORD_BYTES = 32
# What is in the folder is read in containers, by users of other numbers: nobody else may enter the folder.
_READABLE = 0o644


class Places(msgspec.Struct, frozen=True):
    """Where the servers are, each as `host:port`, several after commas: the server, nodes of a cluster for messages,
    and the Sentinels that watch the server."""

    host: str
    cluster: str = ""
    sentinels: str = ""

    def addresses(self, user: str, password: str, reader: str) -> tuple[str, str]:
        """The address of messages and that of the registry and the jobs, which is empty where it is the same."""
        control = f"redis://{user}:{password}@{self.host}/0"
        if self.sentinels:
            asking = f"sentinel_username={READER}&sentinel_password={reader}"
            control = f"redis+sentinel://{user}:{password}@{self.sentinels}/{SERVICE}?{asking}"
        return (f"redis+cluster://{user}:{password}@{self.cluster}", control) if self.cluster else (control, "")


def write_secrets(folder: Path, users: Mapping[str, Sequence[str]], places: Places) -> dict[str, Path]:
    """Writes `users.acl`, and for each user (a name, and its words) NAME.url, NAME.control-url and NAME.password; for
    what Sentinels watch, `replication.conf` and `sentinel.conf` as well.

    Returns the file with the address of each. Raises ConfigurationError.
    """
    private_folder(folder)
    reader = _password(folder / f"{READER}.password") if places.sentinels else ""
    lines, files, passwords = [], {}, {}
    for name, words in users.items():
        password = "" if name == "default" else _password(folder / f"{name}.password")
        lines.append(_user(name, password, words))
        if password:
            address, control = places.addresses(name, password, reader)
            _write(folder / f"{name}.url", address)
            _write(folder / f"{name}.control-url", control)
            files[name], passwords[name] = folder / f"{name}.url", password
    _write(folder / ACL_FILE, "\n".join(lines) + "\n")
    # A server reads it in any case: it may be watched later.
    _write(folder / REPLICATION_FILE, _replication(passwords["replica"]) if places.sentinels else "")
    if places.sentinels:
        _write(folder / SENTINEL_FILE, _sentinel(places, passwords["sentinel"], reader))
    return files


def _user(name: str, password: str, words: Sequence[str]) -> str:
    hashed = [f"#{hashlib.sha256(password.encode()).hexdigest()}"] if password else []
    return " ".join(["user", name, *hashed, *words])


def _replication(password: str) -> str:
    """What a server needs to follow another one. A primary without a replica takes no writes: they would be lost."""
    return f"masteruser replica\nmasterauth {password}\nmin-replicas-to-write 1\nmin-replicas-max-lag 10\n"


def _sentinel(places: Places, password: str, reader: str) -> str:
    """The configuration that each Sentinel begins with: it writes what it learns into its own copy."""
    host, _, port = places.host.partition(":")
    sentinels = parse_sentinel(f"redis+sentinel://{places.sentinels}/{SERVICE}").sentinels
    (_, own_port), majority = sentinels[0], len(sentinels) // 2 + 1
    asking = ["on", "resetkeys", "resetchannels", "-@all", "+ping", "+hello", "+auth"]
    asking += ["+sentinel|get-primary-addr-by-name", "+sentinel|get-master-addr-by-name"]
    return f"""port {own_port}
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor {SERVICE} {host} {port or DEFAULT_PORT} {majority}
sentinel down-after-milliseconds {SERVICE} 5000
sentinel failover-timeout {SERVICE} 30000
sentinel auth-user {SERVICE} sentinel
sentinel auth-pass {SERVICE} {password}
sentinel sentinel-user sentinel
sentinel sentinel-pass {password}
{_user("default", "", ["on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping"])}
{_user("sentinel", password, ["on", "allkeys", "allchannels", "+@all"])}
{_user(READER, reader, asking)}
"""


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
