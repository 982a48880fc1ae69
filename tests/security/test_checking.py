"""Whether an entry may be believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from claude_comm.runtime.key_files import KeyPair, verify
from claude_comm.security.checking import Claim, Claims, EntryVerifier
from claude_comm.security.signing import Seal
from tests.support.signing import key_of, keyring_of

INBOX, EVENTS = "comm:{m:b}:inbox", "comm:{m:a}:events"
A_PAIR, A = key_of("a", until_ms=100)
B_PAIR, B = key_of("b", revoked_ms=50)
S_PAIR, S = key_of("janitor", role="service")
STRANGER_PAIR, _ = key_of("a")


def doubt(pair: object, stream: str, source: str, *, at_ms: int = 1, copied_to: str = "") -> str | None:
    (seal,) = pair.signer().seal(stream, [b"body"])  # type: ignore[attr-defined]
    found = EntryVerifier(keyring_of(A, B, S), verify).doubt(copied_to or stream, b"body", seal, source, at_ms)
    return found.reason if found else None


@pytest.mark.parametrize(
    ("pair", "stream", "source", "at_ms", "reason"),
    [
        (A_PAIR, INBOX, "a", 1, None),
        (A_PAIR, INBOX, "b", 1, "another's name"),
        (A_PAIR, INBOX, "a", 100, "key not valid"),
        (B_PAIR, INBOX, "b", 49, None),
        (B_PAIR, INBOX, "b", 50, "key not valid"),
        (STRANGER_PAIR, INBOX, "a", 1, "unknown key"),
        (S_PAIR, INBOX, "a", 1, "another's name"),
        (S_PAIR, EVENTS, "a", 1, None),
    ],
)
def test_who_may_speak_for_whom(pair: object, stream: str, source: str, at_ms: int, reason: str | None) -> None:
    assert doubt(pair, stream, source, at_ms=at_ms) == reason


def test_a_copy_in_another_stream_is_none() -> None:
    assert doubt(A_PAIR, INBOX, "a", copied_to="comm:{m:c}:inbox") == "wrong signature"


def test_an_entry_without_a_seal_is_unsigned_and_an_odd_seal_is_wrong() -> None:
    verifier = EntryVerifier(keyring_of(A), verify)
    for seal, reason in (
        (None, "unsigned"),
        (Seal(b"short", b"x" * 64), "wrong signature"),
        (Seal(A.id, b"short"), "wrong signature"),
        (Seal(A.id, b"x" * 64, b"\x09"), "wrong signature"),
    ):
        found = verifier.doubt(INBOX, b"body", seal, "a", 1)
        assert found is not None
        assert found.reason == reason
        assert found.sentence.endswith(".")


def test_a_new_keyring_counts_from_the_next_entry_on() -> None:
    (seal,) = A_PAIR.signer().seal(INBOX, [b"body"])
    verifier = EntryVerifier(keyring_of(), verify)
    assert verifier.doubt(INBOX, b"body", seal, "a", 1)
    verifier.replace(keyring_of(A))
    assert verifier.doubt(INBOX, b"body", seal, "a", 1) is None


# What somebody may have done to entries before they were read: to the list, at a place of it, and at another.
def _altered(claims: list[Claim], at: int, _: int) -> None:
    claims[at] = replace(claims[at], body=claims[at].body + b"!")


def _swapped(claims: list[Claim], at: int, other: int) -> None:
    claims[at], claims[other] = replace(claims[other], entry=""), replace(claims[at], entry="")


def _bodies_swapped(claims: list[Claim], at: int, other: int) -> None:
    mine, theirs = claims[at], claims[other]
    claims[at], claims[other] = replace(mine, body=theirs.body), replace(theirs, body=mine.body)


def _dropped(claims: list[Claim], at: int, _: int) -> None:
    if len(claims) > 1:
        del claims[at]


def _replayed(claims: list[Claim], at: int, other: int) -> None:
    claims.insert(other, claims[at])


def _put_behind(claims: list[Claim], at: int, _: int) -> None:
    """Another message behind one that was signed, and the seal of that beside it."""
    claims.insert(at + 1, replace(claims[at], body=b"forged"))


def _in_another_name(claims: list[Claim], at: int, _: int) -> None:
    claims[at] = replace(claims[at], source="b" if claims[at].source == "a" else "a")


def _unsealed(claims: list[Claim], at: int, _: int) -> None:
    claims[at] = replace(claims[at], seal=None)


def _seal_of_another(claims: list[Claim], at: int, other: int) -> None:
    claims[at] = replace(claims[at], seal=claims[other].seal)


def _signature_changed(claims: list[Claim], at: int, _: int) -> None:
    if (seal := claims[at].seal) is not None:
        claims[at] = replace(claims[at], seal=replace(seal, signature=bytes(64)))


def _beside_it_changed(claims: list[Claim], at: int, other: int) -> None:
    """The place of the message and its path, or the key that it names: not what was signed."""
    if (seal := claims[at].seal) is not None:
        odd = (seal.place[:-1], seal.place + b"x", bytes(len(seal.place)), seal.place[:2] + bytes(32))
        changed = replace(seal, key=B.id) if other % 5 == 4 else replace(seal, place=odd[other % 5])
        claims[at] = replace(claims[at], seal=changed)


# What is done to whole entries, or to what was signed.
DEEDS = [_altered, _swapped, _dropped, _replayed, _put_behind, _in_another_name, _unsealed, _signature_changed]
# What may leave a message where it was signed to stand, and another place and path, or key, beside it.
BESIDE = [_bodies_swapped, _seal_of_another, *[_beside_it_changed] * 4]
A2_PAIR, A2 = key_of("a")
B2_PAIR, B2 = key_of("b")


def _sent(source: str, pair: KeyPair, number: int, size: int, *, trees: int) -> list[list[Claim]]:
    """Trees of that size that were signed one after another."""
    flights, mark = [], b""
    for tree in range(trees):
        bodies = [b"%d/%d/%d" % (number, tree, at) for at in range(size)]
        signed = pair.signer().tree(INBOX, bodies, mark)
        places = zip(bodies, signed.places, strict=True)
        flights.append([Claim(body, replace(signed.seal, place=place), source, "") for body, place in places])
        mark = signed.mark
    return flights


def _flights(data: st.DataObject) -> list[Claim]:
    """Some flights of two modules, as they come to lie in a stream: mostly one after another, or mixed."""
    flights = []
    for number, size in enumerate(
        data.draw(st.lists(st.sampled_from([1, 1, 2, 3, 8, 15, 16, 17]), min_size=1, max_size=4))
    ):
        source, pair = data.draw(st.sampled_from([("a", A2_PAIR), ("b", B2_PAIR)]))
        flights += _sent(source, pair, number, size, trees=data.draw(st.integers(1, 3)) if size > 8 else 1)
    if data.draw(st.booleans()):
        return [claim for flight in flights for claim in flight]
    mixed = []
    while flights:
        flight = data.draw(st.sampled_from(flights))
        mixed.append(flight.pop(0))
        flights = [flight for flight in flights if flight]
    return mixed


def _numbered(claims: list[Claim]) -> list[Claim]:
    return [replace(claim, entry=f"1-{number}") for number, claim in enumerate(claims)]


def _hurt(
    data: st.DataObject, deeds: list[Callable[[list[Claim], int, int], None]]
) -> tuple[list[Claim], set[tuple[str, bytes]]]:
    """Flights to which something was done, and whose key signed which message."""
    claims = _flights(data)
    signed = {(claim.source, claim.body) for claim in claims}
    for deed in data.draw(st.lists(st.sampled_from(deeds), max_size=3)):
        places = st.integers(0, len(claims) - 1)
        deed(claims, data.draw(places), data.draw(places))
    return _numbered(claims), signed


def _alone(claims: list[Claim]) -> dict[int, object]:
    """What becomes of each where nothing else was ever seen."""
    doubts = [EntryVerifier(keyring_of(A2, B2), verify).judge(INBOX, claim) for claim in claims]
    return {place: doubt for place, doubt in enumerate(doubts) if doubt is not None}


@given(st.data())
def test_what_is_read_together_passes_or_not_as_it_does_alone(data: st.DataObject) -> None:
    claims, _ = _hurt(data, DEEDS)
    verifier = EntryVerifier(keyring_of(A2, B2), verify)
    # As it comes: in two reads of any size, so that flights are cut.
    cut = data.draw(st.integers(0, len(claims)))
    first = verifier.doubts(INBOX, Claims.of(claims[:cut]))
    rest = verifier.doubts(INBOX, Claims.of(claims[cut:]))
    assert {**first, **{cut + place: doubt for place, doubt in rest.items()}} == _alone(claims)


@given(st.data())
def test_what_stands_beside_a_message_never_lets_another_one_pass(data: st.DataObject) -> None:
    claims, signed = _hurt(data, [*DEEDS, *BESIDE])
    together = EntryVerifier(keyring_of(A2, B2), verify).doubts(INBOX, Claims.of(claims))
    alone = _alone(claims)
    # What passes alone passes with others; what passes with others only was signed all the same.
    assert together.items() <= alone.items()
    assert all((claims[place].source, claims[place].body) in signed for place in alone.keys() - together.keys())


@pytest.mark.parametrize("place", [bytes((7, 7)), bytes((8, 7)), bytes((8, 8)), bytes((0, 7)), b"", b"\x08"])
def test_nothing_passes_that_stands_behind_a_whole_flight_under_its_signature(place: bytes) -> None:
    bodies = [b"%d" % number for number in range(8)]
    seals = A2_PAIR.signer().seal(INBOX, bodies)
    for path in (b"", seals[7].place[2:], bytes(32)):
        forged = Claim(b"forged", replace(seals[7], place=place + path), "a", "")
        claims = [Claim(body, seal, "a", "") for body, seal in zip(bodies, seals, strict=True)]
        verifier = EntryVerifier(keyring_of(A2), verify)
        assert verifier.doubts(INBOX, Claims.of(_numbered([*claims, forged]))).keys() == {8}


@pytest.mark.parametrize(("times", "doubted"), [({"until_ms": 13}, {3, 4}), ({"since_ms": 12}, {0, 1}), ({}, set())])
def test_a_key_counts_for_each_message_of_a_flight_when_that_was_stored(
    times: dict[str, int], doubted: set[int]
) -> None:
    pair, key = key_of("a", **times)
    bodies = [b"%d" % number for number in range(5)]
    seals = pair.signer().seal(INBOX, bodies)
    claims = [
        Claim(body, seal, "a", f"{10 + number}-0")
        for number, (body, seal) in enumerate(zip(bodies, seals, strict=True))
    ]
    assert EntryVerifier(keyring_of(key), verify).doubts(INBOX, Claims.of(claims)).keys() == doubted


@pytest.mark.parametrize("forged", range(4))
@pytest.mark.parametrize("between", range(5))
def test_a_message_in_another_name_is_refused_in_each_part_of_a_flight(forged: int, between: int) -> None:
    sources = ["b" if number == forged else "a" for number in range(4)]
    bodies = [b"%d" % number for number in range(4)]
    seals = A2_PAIR.signer().seal(INBOX, bodies)
    claims = [Claim(*parts, "") for parts in zip(bodies, seals, sources, strict=True)]
    claims.insert(between, Claim(b"lone", B2_PAIR.signer().seal_lone(INBOX, b"lone"), "b", ""))
    doubts = EntryVerifier(keyring_of(A2, B2), verify).doubts(INBOX, Claims.of(_numbered(claims)))
    assert {place: doubt.reason for place, doubt in doubts.items()} == {forged + (between <= forged): "another's name"}


def test_a_message_that_was_sent_alone_has_no_path() -> None:
    seal = A2_PAIR.signer().seal_lone(INBOX, b"body")
    for place, fits in ((b"", True), (b"\x00\x00", True), (b"\x00\x00" + bytes(32), False), (b"\x00\x01", False)):
        claims = Claims.of(_numbered([Claim(b"body", replace(seal, place=place), "a", "")]))
        assert (EntryVerifier(keyring_of(A2), verify).doubts(INBOX, claims) == {}) is fits


@pytest.mark.parametrize("size", [8, 16])
def test_a_wrong_path_does_no_harm_where_its_flight_is_read_with_it_and_is_refused_alone(size: int) -> None:
    bodies = [b"%d" % number for number in range(size)]
    seals = A2_PAIR.signer().seal(INBOX, bodies)
    seals[3] = replace(seals[3], place=bytes(len(seals[3].place)))
    claims = _numbered([Claim(body, seal, "a", "") for body, seal in zip(bodies, seals, strict=True)])
    verifier = EntryVerifier(keyring_of(A2), verify)
    assert verifier.doubts(INBOX, Claims.of(claims)) == {}
    assert EntryVerifier(keyring_of(A2), verify).doubts(INBOX, Claims.of(claims[3:4])).keys() == {0}
    # Another message in its place is refused, and with it nothing else.
    claims[3] = replace(claims[3], body=b"other")
    assert verifier.doubts(INBOX, Claims.of(claims)).keys() == {3}
