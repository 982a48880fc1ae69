"""Tokens of modules and services at the door of the HTTP server: who asks, and with which scopes.

Law: they are the gateway's tokens, and count as long as there. A token says in whose name its holder speaks.
"""

from __future__ import annotations

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.gateway.core.options import options_of
from claude_comm.gateway.core.tokens import Tokens
from claude_comm.mcp_server.desk.desk import Desk


class ModuleTokens(TokenVerifier):
    """Asks the keyring of the namespace. Raises ConfigurationError where the admin's public key is not known."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._tokens = desk, Tokens(desk.settings, options_of(desk.settings).grants)
        if not self._tokens.knows_admin():
            raise ConfigurationError(f"no token can be checked: {self._tokens.why_none}")

    async def verify_token(self, token: str) -> AccessToken | None:
        """The holder of a token that counts; None for any other, and while nobody can say."""
        try:
            principal = await self._desk.run(self._tokens.principal(token))
        except ClaudeCommError:
            return None
        if principal is None:
            return None
        claims = {"module": principal.name} if principal.is_module else {}
        return AccessToken(token=token, client_id=principal.name, scopes=sorted(principal.scopes), claims=claims)


def settings_of(address: str) -> AuthSettings:
    """What the SDK needs to hold a token against: it makes none, and no other server does."""
    return AuthSettings(
        issuer_url=AnyHttpUrl(address), resource_server_url=None, required_scopes=[], validate_token_resource=False
    )
