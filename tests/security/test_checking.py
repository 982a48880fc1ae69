"""Whether an entry may be believed."""

from __future__ import annotations

import pytest

from claude_comm.runtime.key_files import verify
from claude_comm.security.checking import EntryVerifier
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
