"""Names of tools: `[A-Za-z0-9_-]{1,64}`, which every client takes, unique and stable.

Law: pure, and made of what is named alone, so that no other module's coming or going renames a tool. A plain name has
its parts with two underscores between them; where a part has what a tool's name may not have, or two underscores, the
name ends in a digest of all parts behind three underscores. So no two messages ever share a name.
"""

from __future__ import annotations

import hashlib
import re

MAX_CHARACTERS = 64
_DIGEST_CHARACTERS = 10
_PLAIN = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*", re.ASCII)
_FOREIGN = re.compile(r"[^A-Za-z0-9-]+", re.ASCII)


def tool_name(*parts: str) -> str:
    """The name of the tool for these parts: a module, a type of message and, of a union, a branch."""
    named = [part for part in parts if part]
    plain = "__".join(named)
    if all(_PLAIN.fullmatch(part) for part in named) and len(plain) <= MAX_CHARACTERS:
        return plain
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGEST_CHARACTERS]
    # An underscore before the digest's three would be read as one of them.
    readable = "_".join(filter(None, (_FOREIGN.sub("_", part).strip("_") for part in named)))
    return f"{readable[: MAX_CHARACTERS - _DIGEST_CHARACTERS - 3].rstrip('_')}___{digest}"
