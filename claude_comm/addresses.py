"""Addresses of servers: what is written in CLAUDE_COMM_URL, read and checked; and what may be shown of one.

Law: pure. An address that cannot be used is refused by the name of its setting, with the form that is meant, and no
error or log has a password.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

import msgspec

from claude_comm.errors import ConfigurationError, shown

SCHEMES = ("redis", "rediss", "unix")
# Several nodes of a cluster, and the scheme in which each of them is reached.
CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
# Sentinels, and the scheme in which they and the servers are reached.
SENTINEL_SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
DEFAULT_PORT, SENTINEL_PORT = 6379, 26379


def check_url(name: str, url: Any) -> None:
    if not isinstance(url, str):
        raise ConfigurationError(f"{name}: {shown(url)} is not a server's address, such as redis://host:6379/0.")
    parts = _split(name, url)
    scheme = parts.scheme
    if not url:
        return
    if scheme in SCHEMES:
        _check_database(name, url, parts)
        return
    if scheme in CLUSTER_SCHEMES and name == "control_url":
        raise ConfigurationError("control_url: jobs do not run on a cluster; name one server, redis://host:port.")
    if scheme in CLUSTER_SCHEMES:
        parse_cluster(url)
        return
    if scheme in SENTINEL_SCHEMES:
        parse_sentinel(url)
        return
    others = (*SENTINEL_SCHEMES, *(CLUSTER_SCHEMES if name == "url" else ()))
    allowed = ", ".join(f"{known}://" for known in (*SCHEMES, *others))
    raise ConfigurationError(f"{name}: {public(url)!r} is not a server's address; it starts with one of {allowed}.")


def _split(name: str, url: str) -> SplitResult:
    """Raises ConfigurationError for a host or a port that cannot be one."""
    try:
        parts = _parts(url)
        if parts.scheme in ("redis", "rediss"):
            parts.port  # noqa: B018  (reading it checks it)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {public(url)!r} is not a server's address: {error}.") from None
    return parts


def _parts(url: str) -> SplitResult:
    """As `urlsplit`; also of an address with several nodes. Python refuses brackets there that do not stand first and
    last (CVE-2024-11168, in each release since late in 2024)."""
    scheme, separator, rest = url.partition("://")
    if scheme not in CLUSTER_SCHEMES and scheme not in SENTINEL_SCHEMES:
        return urlsplit(url)
    places = _NETLOC.match(rest)
    netloc = places[0] if places else ""
    return urlsplit(f"{scheme}{separator}nodes{rest[len(netloc) :]}")._replace(netloc=netloc)


_NETLOC = re.compile(r"[^/?#]*")


def _check_database(name: str, url: str, parts: SplitResult) -> None:
    """A database that is no number would be taken for 0, and messages would go where nobody reads them."""
    databases = parse_qs(parts.query, keep_blank_values=True).get("db", [])
    if parts.scheme != "unix":
        databases.append(parts.path.strip("/"))
    for database in databases:
        if database and not (database.isascii() and database.isdigit()):
            raise ConfigurationError(
                f"{name}: {public(url)!r} names the database {database[:40]!r}; a database is a number, as in "
                "redis://host:6379/0."
            )


def public(url: str) -> str:
    """The address without what logs a user in, for messages, logs and files; whatever its form, no password is left."""
    address, question, query = url.partition("?")
    options = "&".join(map(_public_option, query.split("&")))
    scheme, separator, rest = address.partition("://")
    if not separator:
        # Not an address of ours: shown only where no part of it can be a login.
        return url if _HOST_ALONE.fullmatch(url) else "..."
    shown = rest.rpartition("@")[2]
    if "@" in query or not _HOSTS.fullmatch(shown):
        # A `?` or a `/` in the password has moved what belongs together.
        return f"{scheme}://..."
    return scheme + separator + shown + question + options


# Host and port, several of them for a cluster, then a path.
_HOSTS = re.compile(r"((\[[^\]/@]*\]|[^:/@,\[\]]*)(:\d*)?)(,(\[[^\]/@]*\]|[^:/@,\[\]]*)(:\d*)?)*(/.*)?", re.DOTALL)
_HOST_ALONE = re.compile(r"[\w.-]*(:\d+)?(/\d*)?")
_LOGINS = frozenset(("password", "username", "sentinel_password", "sentinel_username"))


def _public_option(option: str) -> str:
    name, equals, value = option.partition("=")
    return f"{name}=***" if unquote(name).strip().lower() in _LOGINS else name + equals + value


def on_cluster(url: str) -> bool:
    """Whether that address names a cluster."""
    return url.partition("://")[0] in CLUSTER_SCHEMES


class ClusterUrl(msgspec.Struct, frozen=True):
    """`redis+cluster://user:password@host:port,host:port/?option=value`, parsed: some nodes to begin with, and what
    is common to all nodes."""

    scheme: str
    login: str
    seeds: list[tuple[str, int]]
    query: str

    def node(self, address: object) -> str:
        """The address of one node, as for a single server."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.login}{address}/0{query}"


def parse_cluster(url: str) -> ClusterUrl:
    """Raises ConfigurationError."""
    parts = _parts(url)
    login, at, hosts = parts.netloc.rpartition("@")
    databases = [parts.path.strip("/"), *parse_qs(parts.query).get("db", [])]
    if any(database not in ("", "0") for database in databases):
        raise ConfigurationError(f"a cluster has no database but 0: {public(url)!r} names another.")
    seeds = [_seed(place, url, DEFAULT_PORT, "redis+cluster://host:port,host:port") for place in hosts.split(",")]
    return ClusterUrl(CLUSTER_SCHEMES[parts.scheme], login + at, seeds, parts.query)


def on_sentinel(url: str) -> bool:
    """Whether that address names Sentinels, which know the primary."""
    return url.partition("://")[0] in SENTINEL_SCHEMES


class SentinelUrl(msgspec.Struct, frozen=True):
    """`redis+sentinel://user:password@host:port,host:port/SERVICE/DATABASE?option=value`, parsed: some Sentinels, the
    name under which they watch the primary, and what logs in to them and to it."""

    scheme: str
    login: str
    sentinels: list[tuple[str, int]]
    service: str
    database: str
    query: str
    sentinel_login: str

    def sentinel(self, host: str, port: int) -> str:
        """The address of one Sentinel, as for a single server."""
        return self._address(self.sentinel_login, host, port, "0")

    def server(self, host: str, port: int) -> str:
        """The address of a server that a Sentinel named."""
        return self._address(self.login, host, port, self.database)

    def _address(self, login: str, host: str, port: int, database: str) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{login}{f'[{host}]' if ':' in host else host}:{port}/{database}{query}"


def parse_sentinel(url: str) -> SentinelUrl:
    """Raises ConfigurationError."""
    parts = _parts(url)
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    form = "redis+sentinel://host:port,host:port/SERVICE"
    if not service or (database and not (database.isascii() and database.isdigit())):
        raise ConfigurationError(
            f"{public(url)!r} does not name the service that the Sentinels watch, and the number of a database if it "
            f"is not 0; write {form}."
        )
    options = parse_qs(parts.query, keep_blank_values=True)
    user, password = (options.pop(f"sentinel_{word}", [""])[0] for word in ("username", "password"))
    return SentinelUrl(
        scheme=SENTINEL_SCHEMES[parts.scheme],
        login=login + at,
        sentinels=[_seed(place, url, SENTINEL_PORT, form) for place in hosts.split(",")],
        service=unquote(service),
        database=database or "0",
        query=urlencode(options, doseq=True),
        sentinel_login=f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else "",
    )


def _seed(place: str, url: str, default_port: int, form: str) -> tuple[str, int]:
    try:
        address = urlsplit(f"//{place}")
        host, port = address.hostname, address.port or default_port
    except ValueError:
        host, port = None, 0
    if not host:
        raise ConfigurationError(f"{place!r} in {public(url)!r} is not a node's host:port; write {form}.")
    return host, port
