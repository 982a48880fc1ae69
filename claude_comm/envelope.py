"""The envelope: one message as it travels, and its codec.

Law: the payload stays raw bytes inside the envelope, so routing never decodes it. Whatever bytes a foreign sender
wrote, `decode` returns an Envelope or raises DecodeError (NewerFormat is one) or TooLarge, and nothing else. Field
names follow CloudEvents 1.0 where it has one.
"""

from __future__ import annotations

from builtins import type as type_
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, overload

import msgspec

from claude_comm.errors import DecodeError, EncodeError, EnvelopeError, NewerFormat, TooLarge
from claude_comm.json_form import UNFIT, UNWRITTEN, foreign, is_pydantic, read, spelled, spells_as_is, unsendable
from claude_comm.names import check_name, check_session, check_target

T = TypeVar("T")
WIRE_VERSION = 1
DEFAULT_TYPE = "message"
MSGPACK = "application/msgpack"
# Of a message that names a large payload in its place; see `blobs.large`.
BLOB = "application/vnd.claude-comm.blob"
DEFAULT_MAX_BYTES = 1024 * 1024

# SQLite integers and Redis scores are signed 64-bit: a foreign envelope may not smuggle in more.
Micros = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=70)]
_Text = Annotated[str, msgspec.Meta(max_length=256)]

# Whatever decoding bytes of a foreign sender may raise.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_NIL = msgspec.Raw(b"\xc0")


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message. With `source`, `id` is its identity; `data` is the payload as MessagePack.

    `route` has the remaining steps of a pipeline, beginning with the one that this message is for; see
    `pipeline.route`. A message outside of pipelines has none, and the field is not written.
    """

    v: Annotated[int, msgspec.Meta(ge=1, le=255)] = WIRE_VERSION
    id: _Name
    source: _Name
    target: _Name
    type: _Name = DEFAULT_TYPE
    time: Micros
    session: _Text = ""
    correlation: _Text = ""
    causation: _Text = ""
    reply_to: _Text = ""
    agreement: _Text = ""
    route: tuple[str, ...] = ()
    not_before: Micros = 0
    expires: Micros = 0
    traceparent: _Text = ""
    tracestate: Annotated[str, msgspec.Meta(max_length=512)] = ""
    content_type: _Text = MSGPACK
    headers: dict[str, str] = {}
    data: msgspec.Raw = _NIL

    @overload
    def payload(self, type: type_[T]) -> T: ...

    @overload
    def payload(self, type: Any = ...) -> Any: ...

    def payload(self, type: Any = Any) -> Any:
        """The payload decoded, as `type` when one is given; bytes for any other content type.

        Raises DecodeError when the bytes are not MessagePack or do not have that type.
        """
        try:
            if type is Any:
                return _decode_any(self.data)
            if not is_pydantic(type):
                return msgspec.msgpack.decode(self.data, type=type)
        except UNFIT:
            pass  # the slower way takes what JSON has for a type as well, and says better why not
        try:
            return read(_decode_any(self.data), type)
        except (*UNREADABLE, DecodeError) as error:
            raise DecodeError(f"the payload of {self.id} cannot be read: {str(error).rstrip('.')}.") from None


class _Versioned(msgspec.Struct):
    """What every version of the envelope has."""

    v: Annotated[int, msgspec.Meta(ge=1, le=255)] = WIRE_VERSION


_encoder = msgspec.msgpack.Encoder(enc_hook=foreign)
_encode, _encode_into = _encoder.encode, _encoder.encode_into
_decode_any = msgspec.msgpack.Decoder().decode
_decode_version = msgspec.msgpack.Decoder(_Versioned).decode
_decode = msgspec.msgpack.Decoder(Envelope).decode
_decode_several = msgspec.msgpack.Decoder(list[Envelope]).decode
_ARRAYS = frozenset(bytes((head,)) for head in (*range(0x90, 0xA0), 0xDC, 0xDD))
_decode_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
# The head of a map takes three bytes where it may have more than fifteen members, and msgspec keeps room for all that
# an envelope could have; nearly every one has so few that a byte says it.
_LONG_HEAD, _MOST_SHORT = b"\xde\x00", 15
_SHORT_HEADS = [bytes((0x80 | count,)) for count in range(_MOST_SHORT + 1)]


def with_payload(envelope: Envelope, payload: object) -> Envelope:
    """The same message with another payload, in MessagePack. Raises EncodeError."""
    return msgspec.structs.replace(envelope, content_type=MSGPACK, data=pack(payload))


def pack(payload: object) -> msgspec.Raw:
    """The payload as MessagePack: anything msgspec can write, and bytes. Raises EncodeError."""
    try:
        return msgspec.Raw(_encode(spelled(payload)))
    except UNWRITTEN as error:
        raise unsendable(payload, error) from None


def check_raw(data: msgspec.Raw) -> None:
    """That bytes which are given as MessagePack are, all of them: whoever reads the message would bury it else. Raises
    EncodeError."""
    try:
        _decode_any(data)
    except UNREADABLE as error:
        raise EncodeError(f"a msgspec.Raw payload is sent as it is, and this one is no MessagePack: {error}.") from None


def compose(
    *,
    id: str,
    time_us: int,
    source: str,
    target: str,
    data: msgspec.Raw,
    type: str = DEFAULT_TYPE,
    session: str = "",
    correlation: str = "",
    causation: str = "",
    reply_to: str = "",
    agreement: str = "",
    content_type: str = MSGPACK,
    headers: Mapping[str, str] | None = None,
) -> Envelope:
    """An envelope with its names checked at the door. Raises InvalidName or ConfigurationError."""
    check_name(source, "source")
    check_target(target)
    check_name(type, "message type")
    if session:
        check_session(session)
    return Envelope(
        id=id,
        source=source,
        target=target,
        type=type,
        time=time_us,
        session=session,
        correlation=correlation,
        causation=causation,
        reply_to=reply_to,
        agreement=agreement,
        content_type=content_type,
        headers=dict(headers) if headers else {},
        data=data,
    )


def encode(envelope: Envelope, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """The envelope's bytes. Raises EncodeError or TooLarge."""
    try:
        body = _encode(envelope)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise EncodeError(f"message {envelope.id} cannot be written: {error}.") from None
    if body[:2] == _LONG_HEAD and body[2] <= _MOST_SHORT:
        body = _SHORT_HEADS[body[2]] + body[3:]
    if len(body) > max_bytes:
        raise TooLarge("this message", len(body), max_bytes)
    return body


def decode_all(bodies: Sequence[bytes], *, max_bytes: int = DEFAULT_MAX_BYTES) -> list[Envelope] | None:
    """The envelopes in all of these, or None if one of them has to go through `decode`, which says what is wrong."""
    if not bodies or max(map(len, bodies)) > max_bytes:
        return None
    try:
        envelopes = list(map(_decode, bodies))
    except UNREADABLE:
        return None
    return envelopes if {envelope.v for envelope in envelopes} == {WIRE_VERSION} else None


def is_array(body: bytes) -> bool:
    """Whether these bytes begin as a MessagePack array; an envelope begins as a map."""
    return body[:1] in _ARRAYS


def decode_array(body: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> list[Envelope | EnvelopeError]:
    """The envelopes in a MessagePack array of them, each in its place with what is wrong with it. Raises DecodeError or
    TooLarge for what is no array."""
    if len(body) > max_bytes:
        raise TooLarge("this entry", len(body), max_bytes)
    try:
        envelopes = _decode_several(body)
        if all(envelope.v == WIRE_VERSION for envelope in envelopes):
            return list(envelopes)
    except UNREADABLE:
        pass
    try:
        parts = _decode_parts(body)
    except UNREADABLE as error:
        raise DecodeError(f"not an array of envelopes: {error}.") from None
    return [_decoded(bytes(part)) for part in parts]


def _decoded(body: bytes) -> Envelope | EnvelopeError:
    try:
        return decode(body, max_bytes=len(body))
    except EnvelopeError as error:
        return error


class Template:
    """Envelopes that differ in nothing but their id, time and payload, and in one field that is `varying`: the rest is
    encoded once.

    Each is, to the byte, what `encode` makes of the same Envelope. The payload stands last.
    """

    __slots__ = ("_end", "_last", "_max_bytes", "_middle", "_start")

    def __init__(self, like: Envelope, *, max_bytes: int, varying: Literal["", "expires", "traceparent"] = "") -> None:
        whole = msgspec.structs.replace(like, id=_ANY_ID, time=_ANY_TIME, data=msgspec.Raw(_ONE_BYTE))
        mark = _MARKS.get(varying, _NO_MARK)
        if varying == "expires":
            whole = msgspec.structs.replace(whole, expires=_ANY_END)
        elif varying == "traceparent":
            whole = msgspec.structs.replace(whole, traceparent=_ANY_TRACE)
        sample = encode(whole, max_bytes=max_bytes)
        self._start, _, rest = sample.partition(_ANY_ID.encode())
        self._middle, _, rest = rest.partition(_ANY_TIME.to_bytes(8, "big"))
        self._end, _, self._last = rest.removesuffix(_ONE_BYTE).partition(mark)
        self._max_bytes = max_bytes

    def fill_expiring(self, id_: str, time_us: int, expires_us: int, payload: object) -> bytes:
        """One of those that expire. Raises as `fill`."""
        return self.fill(id_, time_us, payload, expires_us.to_bytes(8, "big") + self._last)

    def fill_traced(self, id_: str, time_us: int, traceparent: str, payload: object) -> bytes:
        """One that carries a context, of 55 characters. Raises as `fill`, which is written out here: both run for
        every message."""
        try:
            data = _encode(spelled(payload))
        except UNWRITTEN as error:
            raise unsendable(payload, error) from None
        context, start = traceparent.encode(), self._start
        time_ = time_us.to_bytes(8, "big")
        body = b"".join((start, id_.encode(), self._middle, time_, self._end, context, self._last, data))
        if len(body) > self._max_bytes:
            raise TooLarge("this message", len(body), self._max_bytes)
        return body

    def fill_all(self, ids: Sequence[str], time_us: int, payloads: Iterable[object]) -> list[bytes]:
        """`fill` for many of one time."""
        buffer = bytearray(self._start + _ANY_ID.encode() + self._middle + time_us.to_bytes(8, "big") + self._end)
        id_at, size, bodies = slice(len(self._start), len(self._start) + len(_ANY_ID)), len(buffer), []
        as_is = spells_as_is()
        for id_, payload in zip(ids, payloads, strict=True):
            buffer[id_at] = id_.encode()
            # The payload is written where it belongs: written by itself and copied it would be allocated twice.
            try:
                _encode_into(payload if as_is else spelled(payload), buffer, size)
            except UNWRITTEN as error:
                raise unsendable(payload, error) from None
            if len(buffer) > self._max_bytes:
                raise TooLarge("this message", len(buffer), self._max_bytes)
            bodies.append(bytes(buffer))
        return bodies

    def fill(self, id_: str, time_us: int, payload: object, last: bytes = b"") -> bytes:
        """One of them. The id has 36 characters, the time is after 1970-01-01T01:12. Raises EncodeError or TooLarge."""
        try:
            data = _encode(spelled(payload))
        except UNWRITTEN as error:
            raise unsendable(payload, error) from None
        body = b"".join((self._start, id_.encode(), self._middle, time_us.to_bytes(8, "big"), self._end, last, data))
        if len(body) > self._max_bytes:
            raise TooLarge("this message", len(body), self._max_bytes)
        return body

    def frame_all(
        self, ids: Sequence[str], time_us: int, encode: Callable[[object], bytes], payloads: Iterable[object]
    ) -> list[bytes]:
        """Many of one time, each with what `encode` makes of its payload: MessagePack. Raises TooLarge, and as
        `encode`."""
        # One by one: ten thousand payloads at once cost the collector of cycles more than they cost to make.
        start, end = self._start, self._middle + time_us.to_bytes(8, "big") + self._end
        bodies = [b"".join((start, id_.encode(), end, encode(data))) for id_, data in zip(ids, payloads, strict=True)]
        if (largest := max(map(len, bodies), default=0)) > self._max_bytes:
            raise TooLarge("this message", largest, self._max_bytes)
        return bodies


_ANY_ID, _ANY_TIME = "-" * 36, 0xFEDC_BA98_7654_3210 >> 1
_ANY_END = _ANY_TIME - 1
_ANY_TRACE = "=" * 55
_MARKS = {"expires": _ANY_END.to_bytes(8, "big"), "traceparent": _ANY_TRACE.encode()}
# What no envelope has.
_NO_MARK = b"\xc1" * 8
_ONE_BYTE = b"\xc0"


def decode(body: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Envelope:
    """The envelope in these bytes. Raises DecodeError or TooLarge, whatever they are."""
    if len(body) > max_bytes:
        raise TooLarge("this entry", len(body), max_bytes)
    try:
        envelope = _decode(body)
    except UNREADABLE as error:
        _require_known(body)
        raise DecodeError(f"not an envelope: {error}.") from None
    if envelope.v != WIRE_VERSION:
        _require_known(body)
    return envelope


def _require_known(body: bytes) -> None:
    """Raises NewerFormat for an envelope of a version after ours, whatever else is in it."""
    try:
        version = _decode_version(body).v
    except UNREADABLE:
        return
    if version > WIRE_VERSION:
        raise NewerFormat(
            f"wire {version}", f"wire version {version} is newer than this program reads ({WIRE_VERSION})"
        )


def is_json(content_type: str) -> bool:
    """Whether payloads of this type are JSON, such as `application/json; charset=utf-8`."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")
