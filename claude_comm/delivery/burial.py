"""Buried messages: what a dead entry says, which of them are meant, and how they group.

Law: pure, and total: whatever fields a dead entry has, it becomes a Burial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from claude_comm.envelope import Envelope, decode
from claude_comm.errors import ConfigurationError, EnvelopeError

# What a reason or a path may be long: an exception may say a megabyte, and events have a limit.
MAX_TEXT = 1_000
# The end of a traceback names the failure, its beginning the way there.
TRACEBACK_HEAD = 2_000
TRACEBACK_TAIL = 6_000

# What differs between two occurrences of one failure: ids and numbers.
_VARIABLE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+(?:\.\d+)?")


class Burial(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a module gave up on. `envelope` is None where its bytes are none.

    `id` is that of the entry on the dead stream; `stream` and `entry` are where it was read.
    """

    module: str
    id: str
    envelope: Envelope | None
    size_bytes: int
    reason: str
    path: str = ""
    schema_path: str = ""
    traceback: str = ""
    attempts: int = 0
    stream: str = ""
    entry: str = ""

    @property
    def buried_ms(self) -> int:
        """When, in ms since the epoch: the server's clock made the id."""
        return int(self.id.partition("-")[0])


class Where(msgspec.Struct, frozen=True):
    """Which of them are meant; an empty part lets all through. `reason` is a part of it, the others are whole."""

    reason: str = ""
    type: str = ""
    path: str = ""
    source: str = ""

    def matches(self, burial: Burial) -> bool:
        sent = burial.envelope
        return (
            (self.reason in burial.reason or self.reason in pattern(burial.reason))
            and self.path in ("", burial.path)
            and (not self.type or (sent is not None and sent.type == self.type))
            and (not self.source or (sent is not None and sent.source == self.source))
        )

    @property
    def words(self) -> str:
        """The conditions in words."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return ", ".join(f"{name} {value!r}" for name, value in given.items() if value) or "all"


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Burials of one module that failed alike, with the id of the latest as an example."""

    module: str
    reason: str
    path: str
    types: list[str]
    count: int
    first_ms: int
    last_ms: int
    example: str


def read(module: str, id_: str, fields: Mapping[bytes, bytes], *, max_bytes: int) -> Burial:
    """The burial in one entry of the dead stream."""
    body = fields.get(b"e", b"")
    try:
        envelope = decode(body, max_bytes=max_bytes)
    except EnvelopeError:
        envelope = None
    text = {name: fields.get(name.encode(), b"").decode(errors="replace") for name in _TEXTS}
    attempts_text = fields.get(b"attempts", b"")
    attempts = int(attempts_text) if re.fullmatch(rb"[0-9]{1,15}", attempts_text) else 0
    return Burial(module=module, id=id_, envelope=envelope, size_bytes=len(body), attempts=attempts, **text)


def where(conditions: Sequence[str]) -> Where:
    """From texts like `reason=KeyError` and `type=order`, which all must hold. Raises ConfigurationError."""
    given: dict[str, str] = {}
    for condition in conditions:
        name, sign, value = condition.partition("=")
        if not sign or not value or name not in Where.__struct_fields__:
            known = ", ".join(f"{field}=TEXT" for field in Where.__struct_fields__)
            raise ConfigurationError(f"{condition!r} is no condition: give one of {known}.")
        if name in given:
            raise ConfigurationError(f"{name} is given twice.")
        given[name] = value
    return Where(**given)


def groups(burials: Iterable[Burial]) -> list[DeadGroup]:
    """By module, reason without its numbers, and path; the largest first."""
    by_failure: dict[tuple[str, str, str], DeadGroup] = {}
    for burial in burials:
        key = (burial.module, pattern(burial.reason), burial.path)
        known = by_failure.get(key)
        types = {*(known.types if known else ()), *([burial.envelope.type] if burial.envelope else ())}
        latest = known is None or burial.buried_ms >= known.last_ms
        by_failure[key] = DeadGroup(
            module=burial.module,
            reason=key[1],
            path=burial.path,
            types=sorted(types),
            count=known.count + 1 if known else 1,
            first_ms=min(burial.buried_ms, known.first_ms) if known else burial.buried_ms,
            last_ms=max(burial.buried_ms, known.last_ms) if known else burial.buried_ms,
            example=burial.id if latest or known is None else known.example,
        )
    return sorted(by_failure.values(), key=lambda group: (-group.count, group.module, group.reason, group.path))


def pattern(reason: str) -> str:
    """The reason with each id and number as `#`, so that one failure of a thousand messages is one line."""
    return _VARIABLE.sub("#", reason)


def brief(text: str, most: int = MAX_TEXT) -> str:
    """At most so many characters that can be written, the last an ellipsis where something was cut."""
    return writable(text if len(text) <= most else text[: most - 1] + "…")


def writable(text: str) -> str:
    """The text with what UTF-8 has no form for, lone surrogates, as escapes."""
    return text.encode(errors="backslashreplace").decode()


def bounded(traceback: str) -> str:
    """The text, or its beginning and its end."""
    traceback = writable(traceback)
    if len(traceback) <= TRACEBACK_HEAD + TRACEBACK_TAIL:
        return traceback
    left_out = len(traceback) - TRACEBACK_HEAD - TRACEBACK_TAIL
    return f"{traceback[:TRACEBACK_HEAD]}\n[{left_out} characters left out]\n{traceback[-TRACEBACK_TAIL:]}"


_TEXTS = ("reason", "path", "schema_path", "traceback", "stream", "entry")
