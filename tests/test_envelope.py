"""The envelope and its codec, under friendly and under hostile bytes."""

from __future__ import annotations

import datetime
import random
import uuid
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.envelope import Envelope, Template, compose, decode, decode_array, encode, pack
from claude_comm.errors import ConfigurationError, DecodeError, EncodeError, EnvelopeError, InvalidName, TooLarge
from tests.support.examples import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def message(data: Any = None, **fields: Any) -> Envelope:
    given_ = {"id": "0198-1", "time_us": 5, "source": "a", "target": "b", **fields}
    return compose(data=pack(data), **given_)


@given(JSON)
def test_a_payload_comes_back_as_it_was_sent(payload: Any) -> None:
    assert decode(encode(message(payload))).payload() == payload


def test_bytes_and_structs_and_times_travel() -> None:
    class Page(msgspec.Struct):
        at: datetime.datetime

    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    assert decode(encode(message(b"\x00\xff"))).payload() == b"\x00\xff"
    assert decode(encode(message(Page(moment)))).payload(Page) == Page(moment)


def test_defaults_are_not_on_the_wire() -> None:
    written = msgspec.msgpack.decode(encode(message({"x": 1})))
    assert set(written) == {"id", "source", "target", "time", "data"}


def test_the_head_of_a_map_is_as_short_as_it_may_be() -> None:
    """One byte up to fifteen members, and three from there on."""
    texts = (
        "session",
        "correlation",
        "causation",
        "reply_to",
        "agreement",
        "traceparent",
        "tracestate",
        "content_type",
    )
    optional: dict[str, Any] = {
        **dict.fromkeys(texts, "x"),
        "not_before": 1,
        "expires": 1,
        "route": ("x",),
        "type": "x",
    }
    lengths = set()
    for count in range(len(optional) + 1):
        some = Envelope(id="1", source="a", target="b", time=1, **dict(list(optional.items())[:count]))
        body = encode(some)
        members = len(msgspec.msgpack.decode(body))
        assert body.startswith(bytes((0x80 | members,)) if members < 16 else bytes((0xDE, 0, members)))
        assert decode(body) == some
        lengths.add(members)
    assert {5, 15, 16} <= lengths


def test_a_route_travels_with_the_message() -> None:
    routed = msgspec.structs.replace(message({"x": 1}), route=("marker", 'arangodb {"type":"documents"}'))
    assert decode(encode(routed)) == routed
    assert msgspec.msgpack.decode(encode(routed))["route"] == ["marker", 'arangodb {"type":"documents"}']


@pytest.mark.parametrize("route", ["marker", [1], {"a": 1}, None])
def test_a_route_that_is_no_list_of_texts_is_a_decode_error(route: object) -> None:
    body = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode(message())), "route": route})
    with pytest.raises(DecodeError):
        decode(body)


def test_the_payload_is_not_decoded_with_the_envelope() -> None:
    body = encode(message(b"")).replace(b"\xc4\x00", b"\xc4\x02\xff\xff")
    assert bytes(decode(body).data) == b"\xc4\x02\xff\xff"


@pytest.mark.parametrize("payload", [object(), {1j: 2}, {"a": lambda: 0}, 2**64, "\ud800"])
def test_what_messagepack_cannot_carry_is_an_encode_error(payload: object) -> None:
    with pytest.raises(EncodeError, match=r"cannot be sent|send it as text"):
        pack(payload)


def test_a_payload_that_contains_itself_is_an_encode_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(EncodeError):
        pack(loop)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"source": "a b"}, InvalidName),
        ({"target": "topic:"}, InvalidName),
        ({"type": ""}, InvalidName),
        ({"session": "a\nb"}, ConfigurationError),
    ],
)
def test_names_are_checked_at_the_door(fields: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        message(**fields)


def test_an_envelope_over_the_limit_is_refused_on_both_sides() -> None:
    with pytest.raises(TooLarge, match="CLAUDE_COMM_BLOB_STORE"):
        encode(message("x" * 2000), max_bytes=1000)
    with pytest.raises(TooLarge):
        decode(b"x" * 2000, max_bytes=1000)


def test_a_newer_wire_version_is_named() -> None:
    body = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode(message())), "v": 2})
    with pytest.raises(DecodeError, match="version 2 is newer"):
        decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"hello",
        msgspec.msgpack.encode([1]),
        msgspec.msgpack.encode({"id": 1}),
        msgspec.msgpack.encode({"id": "x", "source": "a", "target": "b", "time": -1}),
        msgspec.msgpack.encode({"id": "x", "source": "a" * 500, "target": "b", "time": 1}),
        msgspec.msgpack.encode({"id": "x", "source": "a", "target": "b", "time": 2**64 - 1}),
        b"\x81\xa4data" + b"\x91" * 100_000,
        b"\x81\xa2id\xa2\xff\xfe",
    ],
)
def test_bytes_that_are_no_envelope_are_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)


def test_each_envelope_of_an_array_is_read_by_itself() -> None:
    whole = [encode(message(n)) for n in range(20)]
    assert [found.payload() for found in decode_array(array_of(whole)) if isinstance(found, Envelope)] == list(
        range(20)
    )
    newer = msgspec.msgpack.encode({"v": 7})
    found = decode_array(array_of([whole[0], newer, b"\x01", whole[1]]))
    assert [type(each).__name__ for each in found] == ["Envelope", "NewerFormat", "DecodeError", "Envelope"]


@pytest.mark.parametrize("body", [b"", b"\x92\x80", b"\x80", b"\xdd\xff\xff\xff\xff", b"\x90\x90", b"\xc1"])
def test_bytes_that_are_no_array_are_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_array(body)


def test_a_whole_envelope_of_a_newer_version_in_an_array_is_named() -> None:
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode(message())), "v": 2})
    found = decode_array(array_of([encode(message(1)), newer]))
    assert [type(each).__name__ for each in found] == ["Envelope", "NewerFormat"]


def test_an_array_over_the_limit_is_refused() -> None:
    body = array_of([encode(message("x" * 100))] * 3)
    assert len(decode_array(body, max_bytes=len(body))) == 3
    with pytest.raises(TooLarge):
        decode_array(body, max_bytes=len(body) - 1)


def array_of(bodies: list[bytes]) -> bytes:
    return msgspec.msgpack.encode([msgspec.Raw(body) for body in bodies])


def test_a_payload_nested_without_end_is_a_decode_error_when_it_is_read() -> None:
    deep = compose(id="x", time_us=1, source="a", target="b", data=msgspec.Raw(b"\x91" * 100_000 + b"\xc0"))
    with pytest.raises(EnvelopeError):
        decode(encode(deep)).payload()


def test_flipped_bytes_raise_nothing_but_envelope_errors() -> None:
    chance = random.Random(7)
    body = encode(message({"text": "héllo", "n": [1, 2.5, None]}, session="s", headers={"k": "v"}))
    for _ in range(20_000):
        flipped = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        try:
            decode(bytes(flipped)).payload()
        except EnvelopeError:
            continue


def test_flipped_bytes_of_an_array_raise_nothing_but_envelope_errors() -> None:
    chance = random.Random(8)
    body = array_of([encode(message(n)) for n in range(3)])
    for _ in range(5_000):
        flipped = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        try:
            assert all(isinstance(found, Envelope | EnvelopeError) for found in decode_array(bytes(flipped)))
        except EnvelopeError:
            continue


@settings(max_examples=examples(300))
@given(
    source=st.sampled_from(["a", "x" * 64]),
    target=st.sampled_from(["b", "topic:news", "y" * 64]),
    type=st.sampled_from(["message", "order"]),
    session=st.text(max_size=128).filter(lambda text: not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)),
    agreement=st.sampled_from(["", "f" * 64]),
    time_us=st.integers(2**32, 2**63 - 1),
    payload=st.none() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.lists(st.floats()),
)
def test_a_form_writes_what_the_encoder_writes(
    source: str, target: str, type: str, session: str, agreement: str, time_us: int, payload: object
) -> None:
    id_ = str(uuid.UUID(int=time_us))
    like = Envelope(id=id_, source=source, target=target, type=type, time=1, session=session, agreement=agreement)
    whole = msgspec.structs.replace(like, time=time_us, data=pack(payload))
    form = Template(like, max_bytes=10**6)
    assert form.fill(id_, time_us, payload) == encode(whole)
    other = str(uuid.UUID(int=time_us + 1))
    assert (
        form.fill_all([other, id_, id_], time_us, ["longer than the next" * 20, payload, payload])[1:]
        == [encode(whole)] * 2
    )


def test_a_template_writes_objects_of_pydantic_dataclasses_as_an_envelope_does() -> None:
    """By their aliases: pydantic does not read the names of attributes."""

    @pydantic.dataclasses.dataclass
    class Aliased:
        name: str = pydantic.Field(alias="Name")

    form = Template(Envelope(id="x", source="a", target="b", time=1), max_bytes=1_000)
    time_us, id_ = 1_700_000_000_000_000, str(uuid.uuid4())
    for payload in (Aliased(Name="ada"), [Aliased(Name="ada")]):
        written = msgspec.msgpack.decode(pack(payload))
        assert "Name" in str(written)
        assert decode(form.fill(id_, time_us, payload)).payload() == written
        assert [decode(body).payload() for body in form.fill_all([id_], time_us, [payload])] == [written]


def test_a_form_holds_its_messages_to_the_limit_and_to_what_can_be_written() -> None:
    form = Template(Envelope(id="x", source="a", target="b", time=1), max_bytes=1_000)
    with pytest.raises(TooLarge):
        form.fill("i" * 36, 2**40, "x" * 1_000)
    with pytest.raises(EncodeError):
        form.fill("i" * 36, 2**40, object())
    with pytest.raises(TooLarge):
        form.fill_all(["i" * 36], 2**40, ["x" * 1_000])
    with pytest.raises(EncodeError):
        form.fill_all(["i" * 36] * 2, 2**40, ["fine", object()])


def test_a_header_that_cannot_be_written_is_an_encode_error() -> None:
    for field in ({"time": 2**70}, {"session": "\ud800"}):
        with pytest.raises(EncodeError, match="0198-1 cannot be written"):
            encode(msgspec.structs.replace(message(), **field))


def test_a_template_that_carries_a_context_writes_what_the_encoder_writes() -> None:
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    template = Template(message(), max_bytes=200, varying="traceparent")
    id_ = "0" * 36
    sent = decode(template.fill_traced(id_, 9, traceparent, {"n": 1}))
    assert (sent.id, sent.time, sent.traceparent, sent.payload()) == (id_, 9, traceparent, {"n": 1})
    with pytest.raises(TooLarge):
        template.fill_traced(id_, 9, traceparent, "x" * 200)


def test_a_template_frames_many_payloads_as_the_encoder_writes_them() -> None:
    ids, payloads = [f"{number:036d}" for number in range(3)], [{"n": number} for number in range(3)]
    bodies = Template(message(), max_bytes=200).frame_all(ids, 9, msgspec.msgpack.encode, payloads)
    assert bodies == Template(message(), max_bytes=200).fill_all(ids, 9, payloads)
    with pytest.raises(TooLarge):
        Template(message(), max_bytes=200).frame_all(ids, 9, msgspec.msgpack.encode, ["", bytes(200), ""])
