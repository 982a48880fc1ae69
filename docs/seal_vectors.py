"""The test vectors of signatures in docs/wire.md: trees of messages, and what stands beside each of them."""

from __future__ import annotations

import base64
import json
from typing import Any

from claude_comm.envelope import Envelope, encode
from claude_comm.runtime.key_files import KeyPair
from claude_comm.security.signing import SignedTree, Signer

# The private key is of these bytes, so that who writes a signer gets the same signatures.
_SEED = bytes(range(32))
_PUBLIC = base64.b64decode("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
_STREAM = "comm:{m:b}:inbox"
_TREES = {"alone": 1, "two together": 2, "sixteen together, with a digest": 16, "sixteen, whose digest names those": 16}


def seals() -> str:
    """JSON: the key, the stream, and of each tree its messages and their fields `k`, `s` and `p`, in base64."""
    pair = KeyPair(_SEED, _PUBLIC)
    trees, mark, sent = [], b"", 0
    for name, size in _TREES.items():
        bodies = [_message(sent + number) for number in range(size)]
        signed = pair.signer().tree(_STREAM, bodies, mark)
        mark, sent = signed.mark, sent + size
        trees.append({"name": name, "messages": _entries(pair.signer(), bodies, signed)})
    head = {"seed": _text(_SEED), "public": _text(_PUBLIC), "stream": _STREAM}
    return json.dumps({**head, "trees": trees}, indent=1) + "\n"


def _message(number: int) -> bytes:
    return encode(Envelope(id=f"01890a5d-ac96-774b-bcce-{number:012}", source="a", target="b", time=1))


def _entries(signer: Signer, bodies: list[bytes], signed: SignedTree) -> list[dict[str, Any]]:
    return [
        {
            "e": _text(body),
            "k": _text(signer.key_id),
            "s": _text(signed.seal.signature),
            **({"p": _text(place)} if place else {}),
        }
        for body, place in zip(bodies, signed.places, strict=True)
    ]


def _text(some: bytes) -> str:
    return base64.b64encode(some).decode()
