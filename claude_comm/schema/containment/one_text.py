"""A text that several patterns match, found by the first of them: what a type writes lies within what others read.

Law: a text that is returned is certainly in every part; None says nothing. To intersect the calendars of several
datetimes takes a third of a second, to ask them about one datetime a millisecond.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from claude_comm.schema.regex.errors import LanguageError
from claude_comm.schema.regex.language import Language
from claude_comm.schema.verdict import Json

# Texts of one pattern that are tried.
MAX_TEXTS = 8
_TEXT = frozenset(("type", "format", "pattern", "minLength", "maxLength", "not", "allOf"))


def one_text(schema: Json) -> str | None:
    """A text in a schema of texts alone, which has a pattern; None where it is another schema, or none was found."""
    parts = list(_parts(schema))
    if not parts or not all(_is_about_text(part) for part in parts):
        return None
    pattern = next((part["pattern"] for part in parts if "pattern" in part), None)
    if pattern is None or all("type" not in part for part in parts):
        return None
    return next((text for text in _texts(pattern) if all(_holds(part, text) for part in parts)), None)


def _parts(schema: Json) -> Iterator[Json]:
    yield schema
    if isinstance(schema, dict):
        for part in schema.get("allOf", ()):
            yield from _parts(part)


def _is_about_text(part: Json) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() <= _TEXT
        and part.get("type", "string") == "string"
        and (isinstance(part.get("not", {}), dict) and part.get("not", {}).keys() <= {"pattern"})
    )


def _holds(part: dict[str, Json], text: str) -> bool:
    if not part.get("minLength", 0) <= len(text) <= part.get("maxLength", math.inf):
        return False
    if "pattern" in part and _matches(part["pattern"], text) is not True:
        return False
    return "not" not in part or _matches(part["not"].get("pattern", ""), text) is False


def _texts(pattern: str) -> Iterator[str]:
    """A shortest text that matches, then some more: what is written in wide words has too short ones."""
    shortest = _shortest(pattern)
    if shortest is not None:
        yield shortest
        yield from _members(pattern)


@functools.lru_cache(maxsize=1_024)
def _shortest(pattern: str) -> str | None:
    language = _language(pattern)
    text = None if language is None else language.shortest()
    return text if text is not None and _is_unicode(text) else None


@functools.lru_cache(maxsize=1_024)
def _members(pattern: str) -> list[str]:
    language = _language(pattern)
    return [] if language is None else list(filter(_is_unicode, language.members(MAX_TEXTS)))


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogate."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


@functools.lru_cache(maxsize=4_096)
def _matches(pattern: str, text: str) -> bool | None:
    """None where it is not known."""
    language = _language(pattern)
    return None if language is None else language.accepts(text)


def _language(pattern: str) -> Language | None:
    try:
        return Language.pattern(pattern, reading="runtime")
    except LanguageError:
        return None
