"""Refusals of the gateway that no other part of the program has.

Law: `status` is that of the HTTP answer, and a WebSocket error frame carries it as well.
"""

from __future__ import annotations

from claude_comm.errors import ClaudeCommError


class GatewayRefusal(ClaudeCommError):
    """A request that the gateway does not perform; the sentence says what to do instead."""

    def __init__(self, status: int, code: str, sentence: str, *, retry_s: float | None = None) -> None:
        self.status, self.code, self.retry_s = status, code, retry_s
        super().__init__(sentence)


def unauthorised(sentence: str = "") -> GatewayRefusal:
    """Nobody is known by what was shown."""
    return GatewayRefusal(
        401,
        "unauthorised",
        sentence or "show a token: `Authorization: Bearer ccm_…`; `claude-comm module add NAME` makes one.",
    )


def no_more() -> GatewayRefusal:
    """Somebody was known, and the token was revoked or ran out since."""
    return unauthorised("this token does not count any more: `claude-comm module add NAME` makes another.")


def forbidden(sentence: str) -> GatewayRefusal:
    return GatewayRefusal(403, "forbidden", sentence)


def unusable(sentence: str) -> GatewayRefusal:
    """The request itself is wrong."""
    return GatewayRefusal(400, "unusable", sentence)


def unsupported(sentence: str) -> GatewayRefusal:
    """The body is written in a way that is not read here."""
    return GatewayRefusal(415, "unsupported_media", sentence)


def too_large(what: str, limit_bytes: int) -> GatewayRefusal:
    return GatewayRefusal(413, "too_large", f"{what} is over the limit of {limit_bytes:,} bytes: split it.")
