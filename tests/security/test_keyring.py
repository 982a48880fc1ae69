"""The keyring: only what the admin signed is believed, and the latest of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.runtime.key_files import make_pair, verify
from claude_comm.security.keyring import KeyringRefused, newest, seal, unseal
from tests.support.signing import key_of, keyring_of

ADMIN = make_pair()
SIGN = ADMIN.signer().sign


def test_what_the_admin_signed_comes_back() -> None:
    _, key = key_of("a", until_ms=5)
    keyring = keyring_of(key)
    assert unseal(seal(keyring, SIGN), ADMIN.public, verify, namespace="comm") == keyring


@given(st.binary(max_size=300))
def test_whatever_else_stands_there_is_refused(stored: bytes) -> None:
    with pytest.raises(KeyringRefused):
        unseal(stored, ADMIN.public, verify, namespace="comm")


def test_another_signer_another_namespace_and_an_altered_byte_are_refused() -> None:
    stored = seal(keyring_of(key_of("a")[1]), SIGN)
    for admin, namespace, text in (
        (make_pair().public, "comm", stored),
        (ADMIN.public, "other", stored),
        (ADMIN.public, "comm", stored[:20] + bytes([stored[20] ^ 1]) + stored[21:]),
    ):
        with pytest.raises(KeyringRefused):
            unseal(text, admin, verify, namespace=namespace)


def test_the_latest_counts_wherever_it_stands_and_an_older_one_never_again() -> None:
    old, new = (seal(keyring_of(serial=serial), SIGN) for serial in (3, 4))
    for candidates in ((old, new), (new, old), (b"junk", new), (None, new)):
        keyring, document = newest(candidates, ADMIN.public, verify, namespace="comm")
        assert (keyring.serial, document) == (4, new)
    assert newest((None, None), ADMIN.public, verify, namespace="comm")[1] == b""
    with pytest.raises(KeyringRefused):
        newest((b"junk", None), ADMIN.public, verify, namespace="comm")


@pytest.mark.parametrize(
    ("times", "valid_at"),
    [
        ({}, [0, 5, 99]),
        ({"since_ms": 3}, [3, 99]),
        ({"until_ms": 3}, [0, 2]),
        ({"revoked_ms": 3, "until_ms": 9}, [0, 2]),
    ],
)
def test_a_key_counts_from_its_beginning_to_its_end(times: dict[str, int], valid_at: list[int]) -> None:
    _, key = key_of("a", **times)
    assert [at for at in (0, 2, 3, 5, 99) if key.holds(at)] == [
        at for at in (0, 2, 3, 5, 99) if at in valid_at or (at >= min(valid_at) and at <= max(valid_at))
    ]
