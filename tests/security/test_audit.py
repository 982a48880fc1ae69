"""What the audit of one stream counts, and what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from claude_comm.envelope import encode
from claude_comm.names import Keys
from claude_comm.security.audit import MOST_NAMED, StreamAuditor
from claude_comm.security.checking import Claim
from claude_comm.security.signing import _REMEMBERED, BatchVerifier, Seal
from tests.support.facts import envelope

KEYS = Keys("n")


class Verifier:
    """Doubts what it is told to doubt; a message of a topic is as it was signed."""

    def __init__(self, doubts: Mapping[int, Any] | None = None) -> None:
        self._doubts = doubts or {}

    def doubts(self, _stream: str, _claims: Sequence[Claim]) -> Mapping[int, Any]:
        return self._doubts

    def judge(self, stream: str, _claim: Claim) -> None:
        assert stream == KEYS.stream("topic:news")


def auditor(key: str) -> StreamAuditor:
    stream, verifier = KEYS.parse_stream(key.encode()), Verifier()
    assert stream is not None
    return StreamAuditor(KEYS, stream, verifier, 1_000)  # type: ignore[arg-type]


def test_a_message_without_a_seal_that_nobody_doubts_is_counted_and_no_more() -> None:
    audit = auditor(KEYS.inbox("m"))
    audit.add([(b"1-0", {b"e": encode(envelope("a", "m"))})])
    assert (audit.result().entries, audit.result().signed, audit.result().doubts) == (1, 0, {})


@pytest.mark.parametrize(
    ("key", "target", "expected"),
    [
        (KEYS.inbox("m"), "topic:news", True),
        (KEYS.inbox("m"), "m", False),
        (KEYS.stream("topic:news"), "topic:news", False),
    ],
)
def test_a_message_of_a_topic_may_come_back_in_an_inbox(key: str, target: str, expected: bool) -> None:
    assert auditor(key)._of_topic(target, Claim(b"", None, "a", "1-0")) is expected


def test_so_many_doubts_are_named_and_all_are_counted() -> None:
    audit = auditor(KEYS.inbox("m"))
    audit.add([(b"%d-0" % number, {b"e": b""}) for number in range(MOST_NAMED + 5)])
    result = audit.result()
    assert (len(result.named), sum(result.doubts.values())) == (MOST_NAMED, MOST_NAMED + 5)


def test_of_a_batch_each_leaf_that_is_not_there_is_missing() -> None:
    audit = auditor(KEYS.inbox("m"))
    audit._seen(Seal(b"k", b"s"))
    assert audit.result().missing == 0
    audit._seen(Seal(b"k", b"t", bytes((0, 2))))
    assert audit.result().missing == 2


@pytest.mark.parametrize(
    ("leaves", "seen", "missing"),
    [(16, range(15), 1), (17, range(16), 0), (17, range(17), 0), (17, range(1, 17), 1), (17, range(10), 6)],
)
def test_a_digest_is_no_message_that_is_missing(leaves: int, seen: Sequence[int], missing: int) -> None:
    audit = auditor(KEYS.inbox("m"))
    for leaf in seen:
        audit._seen(Seal(b"k", b"s", bytes((leaf, leaves - 1))))
    assert audit.result().missing == missing


def test_a_verifier_remembers_so_many_batches() -> None:
    verifier = BatchVerifier(lambda *_: True)
    for number in range(_REMEMBERED + 3):
        assert verifier.fits(b"p", "s", b"body", Seal(b"k", b"%d" % number))
    assert next(iter(verifier._trees)) == ("s", b"p", b"3")
    assert len(verifier._trees) == _REMEMBERED
