"""Who asks, and what they may do.

Law: whatever is not granted is refused, with the scope that is missing. A module speaks in its own name alone; an
administrator may speak for any.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from claude_comm.gateway.core.errors import forbidden
from claude_comm.gateway.core.options import ADMIN, ANY, READ, SEND


class Principal(msgspec.Struct, frozen=True):
    """A module, a service or a person, by name, with the scopes that they have."""

    name: str
    scopes: frozenset[str]
    # Whether it speaks in the name of a module: its own.
    is_module: bool = True
    # The hash of the token that was shown; empty where none was.
    token: bytes = b""

    @property
    def admin(self) -> bool:
        return ADMIN in self.scopes

    @property
    def reads_all(self) -> bool:
        return self.admin or READ + ANY in self.scopes

    def may_send(self, target: str) -> bool:
        return self.admin or SEND + ANY in self.scopes or SEND + target in self.scopes

    def may_read(self, target: str) -> bool:
        return self.reads_all or READ + target in self.scopes


def require_admin(principal: Principal) -> None:
    """Raises GatewayRefusal."""
    if not principal.admin:
        raise forbidden(
            f"{principal.name} may not do that: it takes the scope admin, as in "
            f"`claude-comm gateway --grant {principal.name}=admin`."
        )


def require_reading(principal: Principal, target: str = ANY) -> None:
    """`target` is a module, `topic:NAME`, or `*` for what shows all modules. Raises GatewayRefusal."""
    allowed = principal.reads_all if target == ANY else principal.may_read(target)
    if not allowed:
        raise forbidden(f"{principal.name} may not read that: it takes the scope {READ}{target}.")


def require_sending(principal: Principal, source: str, target: str) -> None:
    """Raises GatewayRefusal."""
    if source != principal.name and not principal.admin:
        raise forbidden(f"{principal.name} speaks in its own name: leave `source` out, or say {principal.name!r}.")
    if source == principal.name and not principal.is_module and not principal.admin:
        raise forbidden(f"{principal.name} is a service, which sends no messages: use the token of a module.")
    if not principal.may_send(target):
        raise forbidden(f"{principal.name} may not send to {target}: it takes the scope {SEND}{target}.")


def scopes_of_module(
    name: str, targets: Iterable[str], topics: Iterable[str], granted: Iterable[str]
) -> frozenset[str]:
    """What the contract of a module gives it, and what was granted beside: its targets, its inbox and its topics."""
    own = {READ + name, *(SEND + target for target in targets), *(f"{READ}topic:{topic}" for topic in topics)}
    return frozenset((*own, *granted))


EVERYTHING = frozenset((ADMIN,))
