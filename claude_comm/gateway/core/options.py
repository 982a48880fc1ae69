"""How one gateway runs: where it listens, whom it answers, and its limits.

Law: checked when it is made; an option that cannot be used is refused here, with what it takes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from claude_comm.client.arguments import check_count, check_seconds
from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name, check_target
from claude_comm.settings import Settings

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
# What a grant may say; `send:` and `read:` are followed by a module, `topic:NAME` or `*`.
ADMIN, SEND, READ = "admin", "send:", "read:"
ANY = "*"
# JSON with no more brackets than that is not looked at for its depth.
LEAST_DEPTH = 32


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client may take. Sizes are in bytes, times in seconds.

    `rate` is how many messages a module may send in a second on this gateway (0: any number), twice as many at once.
    A WebSocket client whose queue holds more than `queue_messages` or `queue_bytes` is cut off, and may resume.
    """

    body_bytes: int = 1024 * 1024
    frame_bytes: int = 1024 * 1024
    batch_messages: int = 1_000
    json_depth: int = 64
    rate: float = 0.0
    queue_messages: int = 10_000
    queue_bytes: int = 8 * 1024 * 1024
    subscriptions: int = 32
    connections: int = 4_000
    header_s: float = 10.0
    hello_s: float = 10.0
    body_s: float = 30.0
    ping_s: float = 20.0
    drain_s: float = 5.0
    lease_s: float = 60.0
    budget_ms: float = 5_000.0

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        for name in ("body_bytes", "frame_bytes", "queue_bytes"):
            check_count(name, getattr(self, name), least=1024)
        for name in ("batch_messages", "queue_messages", "subscriptions", "connections"):
            check_count(name, getattr(self, name), least=1)
        check_count("json_depth", self.json_depth, least=LEAST_DEPTH)
        for name in ("header_s", "hello_s", "body_s", "ping_s", "lease_s", "budget_ms"):
            check_seconds(name, getattr(self, name), least=0.01)
        check_seconds("rate", self.rate)
        check_seconds("drain_s", self.drain_s)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway listens, and whom it answers.

    `anonymous` answers without a token, on the loopback interface alone. `origins` are those of pages on other servers
    that may use it, such as `https://team.example`; their hosts are names under which this gateway may be reached.
    `grants` gives holders of tokens scopes beside those of their contract: `admin`, `send:TARGET`, `read:TARGET`.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    public: bool = False
    anonymous: bool = False
    origins: tuple[str, ...] = ()
    grants: dict[str, tuple[str, ...]] = {}
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        if not self.host:
            raise ConfigurationError("host: empty is no address to listen at; 127.0.0.1 is one.")
        if not 0 <= check_count("port", self.port) <= 65_535:
            raise ConfigurationError(f"port: {self.port} is not from 0 (any free one) to 65,535.")
        if self.host not in LOOPBACK and not self.public:
            raise ConfigurationError(
                f"{self.host} may be reached from other machines: say --public if that is meant, or listen at "
                f"{DEFAULT_HOST}."
            )
        if self.anonymous and self.public:
            raise ConfigurationError("--public without tokens is refused: whoever reaches it could do everything.")
        for origin in self.origins:
            check_origin(origin)
        for holder, scopes in self.grants.items():
            check_name(holder, "holder")
            for scope in scopes:
                check_scope(scope)


def options_of(settings: Settings) -> GatewaySettings:
    """What the settings of a process say of a gateway. Raises ConfigurationError."""
    return GatewaySettings(
        host=settings.gateway_host,
        port=settings.gateway_port,
        public=settings.gateway_public,
        origins=tuple(_parts(settings.gateway_origins)),
        grants=grants_of(_parts(settings.gateway_grants)),
        limits=Limits(rate=settings.gateway_rate),
    )


def amended(options: GatewaySettings, **changes: Any) -> GatewaySettings:
    """The options with these changes, checked as a whole. Raises ConfigurationError."""
    return GatewaySettings(**{**msgspec.structs.asdict(options), **changes})


def grants_of(texts: list[str]) -> dict[str, tuple[str, ...]]:
    """Grants that are written `HOLDER=SCOPE`. Raises ConfigurationError."""
    grants: dict[str, tuple[str, ...]] = {}
    for text in texts:
        holder, equals, scope = text.partition("=")
        if not equals:
            raise ConfigurationError(f"{text!r} is no grant: write HOLDER=SCOPE, as in web=send:topic:orders.")
        grants[check_name(holder, "holder")] = (*grants.get(holder, ()), check_scope(scope))
    return grants


def check_scope(scope: str) -> str:
    """The scope itself. Raises ConfigurationError."""
    if scope == ADMIN:
        return scope
    for prefix in (SEND, READ):
        if scope.startswith(prefix):
            target = scope.removeprefix(prefix)
            if target != ANY:
                check_target(target)
            return scope
    raise ConfigurationError(f"{scope!r} is no scope: it is admin, send:TARGET or read:TARGET, with * for any target.")


def check_origin(origin: str) -> str:
    """The origin itself. Raises ConfigurationError."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
        raise ConfigurationError(f"{origin!r} is no origin: write scheme and host alone, as in https://team.example.")
    return origin


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
