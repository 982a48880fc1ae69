"""Trees of RFC 9162: its own definition, written out, is the measure."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.security.merkle import HASH_BYTES, leaf_hash, leaf_hashes, node_hash, run_root, siblings, tree

MESSAGES = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def mth(messages: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, as it stands there: split at the largest power of two below the size."""
    if len(messages) == 1:
        return hashlib.sha256(b"\x00" + messages[0]).digest()
    split = 1
    while split * 2 < len(messages):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(messages[:split]) + mth(messages[split:])).digest()


def climbed(message: bytes, index: int, size: int, path: bytes) -> bytes:
    """The root that a message and its path lead to."""
    node = leaf_hash(message)
    for sibling, on_left in siblings(index, size, path):
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    return node


@given(MESSAGES)
def test_the_root_is_the_one_of_the_rfc(messages: list[bytes]) -> None:
    assert tree(messages)[0] == mth(messages)


@given(MESSAGES)
def test_every_path_leads_from_its_message_to_the_root(messages: list[bytes]) -> None:
    root, paths = tree(messages)
    for index, (message, path) in enumerate(zip(messages, paths, strict=True)):
        assert climbed(message, index, len(messages), path) == root


@given(MESSAGES, st.data())
def test_a_run_of_messages_leads_to_the_root_with_the_paths_of_its_ends(
    messages: list[bytes], data: st.DataObject
) -> None:
    root, paths = tree(messages)
    last = data.draw(st.integers(0, len(messages) - 1))
    first = data.draw(st.integers(0, last))
    leaves = leaf_hashes(messages[first : last + 1])
    assert run_root(leaves, first, len(messages), paths[first], paths[last]) == root
    if len(leaves) < len(messages):
        with pytest.raises(ValueError):
            run_root(leaves, first, len(messages), b"", b"")


@given(MESSAGES, st.data())
def test_no_other_message_or_place_leads_there(messages: list[bytes], data: st.DataObject) -> None:
    root, paths = tree(messages)
    index = data.draw(st.integers(0, len(messages) - 1))
    other = data.draw(st.binary(max_size=40).filter(lambda drawn: drawn != messages[index]))
    assert climbed(other, index, len(messages), paths[index]) != root


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [(0, 2, b""), (0, 2, b"x" * 31), (0, 1, b"x" * 32), (2, 2, b"x" * 32), (0, 2, b"x" * 64), (-1, 2, b"x" * 32)],
)
def test_a_path_that_cannot_be_one_is_refused(index: int, size: int, path: bytes) -> None:
    with pytest.raises(ValueError):
        list(siblings(index, size, path))


def test_an_inner_node_is_no_message() -> None:
    root, _ = tree([b"a", b"b"])
    assert leaf_hash(leaf_hash(b"a") + leaf_hash(b"b")) != root == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))
    assert len(root) == HASH_BYTES


def test_a_run_that_is_longer_than_its_tree_is_refused() -> None:
    """Else whatever stands behind the last leaf would be under the root."""
    leaves = leaf_hashes([b"a", b"b", b"c"])
    for first, size in ((0, 2), (1, 3), (2, 2), (0, 1)):
        with pytest.raises(ValueError):
            run_root(leaves, first, size, b"x" * 64, b"x" * 64)
