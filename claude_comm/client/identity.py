"""The identity of a client: its module, instance, settings, keys and clock, in one value.

Law: the environment, the clock and the entropy of a client process are read here and nowhere else in `client`.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.arguments import check_kind
from claude_comm.delivery.burial import MAX_TEXT
from claude_comm.effects import Post
from claude_comm.envelope import BLOB, DEFAULT_TYPE, Envelope
from claude_comm.ids import ENTROPY_BYTES, moment, tails
from claude_comm.names import Keys, check_name
from claude_comm.progress.events import EVENT_TYPE, Event
from claude_comm.progress.packed import PackedDeliveries
from claude_comm.runtime.environment import settings_of_process
from claude_comm.security import sealed
from claude_comm.security.sealing import Sealing
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings

# Of the classes of `client.buffers`, which is imported when one of them is sent or asked for.
BUFFER_MODULES = frozenset(("numpy", "pyarrow.lib", "pandas", "pandas.core.frame"))
# And of `msgspec.Raw`: whatever is looked at before it is sent, by one look for every message.
EXAMINED_MODULES = BUFFER_MODULES | {msgspec.Raw.__module__}


class Identity(msgspec.Struct, frozen=True):
    """A module as one process of it runs: its name, the instance, and where it talks."""

    module: str
    instance: str
    settings: Settings
    keys: Keys
    signer: Signer | None = None

    def envelope(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        content_type: str = envelopes.MSGPACK,
        headers: Mapping[str, str] | None = None,
        **threading: str,
    ) -> Envelope:
        """A new message of this module, its id made now; `threading` is session, correlation, agreement and so on."""
        time_us = micros()
        return envelopes.compose(
            id=new_id(time_us),
            time_us=time_us,
            source=self.module,
            target=target,
            data=data if isinstance(data, msgspec.Raw) else envelopes.pack(data),
            type=type,
            content_type=content_type,
            headers=headers,
            **threading,
        )

    @property
    def most_text(self) -> int:
        """How long a reason or a path in an event may be (characters): an event is an envelope, too."""
        return min(MAX_TEXT, max((self.settings.max_envelope_bytes - 600) // 8, 16))

    def encode(self, envelope: Envelope) -> bytes:
        return envelopes.encode(envelope, max_bytes=self.settings.max_envelope_bytes)

    def taken_out(self, body: bytes) -> bytes:
        """An encoded message without its payload, which is stored beside the streams. Raises StoreError or TooLarge."""
        from claude_comm.blobs import large  # few programs send what is large
        from claude_comm.blobs.files import store_of

        return large.taken_out(body, store_of(self.settings), max_bytes=self.settings.max_envelope_bytes)

    def encode_any(self, envelope: Envelope) -> bytes:
        """As `encode`; a payload that is too large for a message travels as chunks."""
        above = self.settings.takes_out_above
        if not above:
            return self.encode(envelope)
        body = envelopes.encode(envelope, max_bytes=2**62)
        return self.taken_out(body) if len(body) > above else body

    def buffered(self, data: object, content_type: str = envelopes.MSGPACK) -> tuple[object, str]:
        """An array or a table as the bytes of its content type, or as their manifest where it is large; any other value
        as it is. Raises EncodeError or StoreError."""
        if data.__class__.__module__ not in EXAMINED_MODULES:
            return data, content_type
        if isinstance(data, msgspec.Raw):
            envelopes.check_raw(data)
            return data, content_type
        from claude_comm.client.buffers import encoded

        buffer = encoded(data)
        if buffer is None:
            return data, content_type
        above = self.settings.takes_out_above
        if not (above and buffer.size > above):
            return buffer.joined(), buffer.content_type
        from claude_comm.blobs.files import store_of
        from claude_comm.blobs.transfer import PieceWriter

        writer = PieceWriter(store_of(self.settings))
        buffer.write(writer.write)
        return writer.end(content_type=buffer.content_type), BLOB

    def arrived(self, envelope: Envelope) -> Envelope:
        """A message that was read, with its payload at hand where that was taken out."""
        if envelope.content_type != BLOB:
            return envelope
        from claude_comm.blobs import large
        from claude_comm.blobs.files import store_of

        return large.arrived(envelope, store_of(self.settings))

    def event(self, event: Event | PackedDeliveries, session: str = "") -> bytes:
        """An event of this module, as the bytes of its envelope."""
        body = self.encode(self.envelope(self.module, event, type=EVENT_TYPE, session=session))
        return self.seal(self.keys.events(self.module), body)

    def seal(self, stream: str, body: bytes) -> bytes:
        """The encoded envelope as it goes to that stream: sealed, where this module signs."""
        if self.signer is None:
            return body
        return sealed.join_lone(body, self.signer.key_id, self.signer.sign_lone(stream, body))

    def recorded(self, body: bytes) -> bytes:
        """A message of this module, as it was sent to another stream, as its events record it: a seal is for one
        stream."""
        return body if self.signer is None else self.seal(self.keys.events(self.module), sealed.split(body)[0])

    def sealed(self, posts: Sequence[Post]) -> Sequence[Post]:
        """Posts that are sent together, sealed where this module signs: those for one stream under one root."""
        if self.signer is None or not posts or posts[0].body[:1] == sealed.MARK:
            return posts
        if len(posts) == 1:
            (post,) = posts
            return (Post(post.stream, self.seal(post.stream, post.body)),)
        streams = {post.stream for post in posts}
        if len(streams) == 1:
            return Sealing(self.signer, streams.pop(), posts)
        seals = self.signer.seal_all([(post.stream, post.body) for post in posts])
        return [Post(post.stream, sealed.join(post.body, seal)) for post, seal in zip(posts, seals, strict=True)]


def identify(
    module: str, settings: Settings | None = None, instance: str | None = None, *, signer: Signer | None = None
) -> Identity:
    """`signer` signs in place of the module's own. Raises InvalidName or ConfigurationError."""
    check_name(module)
    used = settings_of_process() if settings is None else check_kind("settings", settings, Settings)
    named = _instance() if instance is None else check_name(instance, "instance")
    return Identity(module, named, used, Keys(used.namespace), signer or _signer(module, used))


def _signer(module: str, settings: Settings) -> Signer | None:
    """What this module signs with; None where it need not, and has no key. Raises ConfigurationError."""
    if settings.signing == "off":
        return None
    from claude_comm.runtime import key_files  # PyNaCl is an extra, and costs time

    path = Path(settings.key_file) if settings.key_file else key_files.path_of(settings.home, module)
    if settings.signing == "warn" and not path.exists():
        return None
    return key_files.load(path).signer()


def new_id(time_us: int) -> str:
    """A new unique id."""
    while True:
        try:
            return moment(time_us) + _tails.pop()
        except IndexError:
            _tails.extend(tails(os.urandom(_TAILS * ENTROPY_BYTES)))


# The random ends of the next ids: one system call for many. A fork draws its own, or both processes would share them.
_TAILS = 512
_tails: list[str] = []
os.register_at_fork(after_in_child=_tails.clear)


def micros() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def millis() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _instance() -> str:
    host = (
        "".join(
            character if character.isascii() and character.isalnum() else "-" for character in socket.gethostname()
        )[:24]
        or "host"
    )
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}".lstrip("-")
