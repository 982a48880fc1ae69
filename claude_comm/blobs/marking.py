"""Which chunks some bytes may name: what a collection marks, so that it never removes what a message needs.

Law: too many rather than too few. A manifest may stand anywhere in a payload, in MessagePack or in JSON; whatever has
the form of a digest there counts as one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from claude_comm.blobs.manifest import DIGEST_BYTES

# 32 bytes in MessagePack, and in base64 or hexadecimal as JSON has them.
_BINARY = b"\xc4" + bytes((DIGEST_BYTES,))
_BASE64 = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=")
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def digests_in(data: bytes) -> Iterator[bytes]:
    """Whatever these bytes may name."""
    at = data.find(_BINARY)
    while at >= 0:
        digest = data[at + 2 : at + 2 + DIGEST_BYTES]
        if len(digest) == DIGEST_BYTES:
            yield digest
        at = data.find(_BINARY, at + 1)
    for match in _BASE64.finditer(data):
        yield base64.b64decode(match[0])
    for match in _HEX.finditer(data):
        yield bytes.fromhex(match[0].decode())
