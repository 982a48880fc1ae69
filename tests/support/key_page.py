"""The page of keys, as patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.support.homes import REPOSITORY

PAGE = REPOSITORY / "docs" / "keys.md"


def unlisted(keys: Iterable[str], namespace: str) -> list[str]:
    """Those that the page does not have: `ns` is the namespace there, and words in capitals stand for any name."""
    rows = re.findall(r"`((?:ns|rq):[^`]+)`", PAGE.read_text(encoding="utf-8"))
    words = {"ns": namespace, "NAMESPACE": re.escape(namespace)}
    patterns = [re.sub(r"\bns\b|[A-Z]{2,}", lambda word: words.get(word[0], "[^{}]+"), re.escape(row)) for row in rows]
    return [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in patterns)]
