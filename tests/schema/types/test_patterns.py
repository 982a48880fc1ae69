"""The patterns of Python and of Rust, written so that every reader finds the same."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from claude_comm.schema.types.patterns import Untranslatable, from_python, from_rust
from claude_comm.schema.validation.validator import compile_validator

TEXTS = ["", "a", "A", "b", "ab", "aab", "aaab", "ba", "\n", "a\n", "a\n\n", "7", "\u0667", "_", "\u00e9", "-", " ",
         "\u00a0", "a-b", "x\ny", "<a>", "<", ",", "aaaa", "abab", "\x1c", "\u0130"]  # fmt: skip


def written_for_ecma(pattern: str) -> re.Pattern[str]:
    """What is written has no shorthand and no end of Python's own in it: here `$` is the very end."""
    return re.compile(pattern.replace("$", r"\Z"))


@pytest.mark.parametrize(
    "pattern",
    [
        "a", "[^a]", "a|b", "(?:ab)+", "a*b", "a+?", "a{2}", "a{2,}", "a{2,3}", "^a$", r"\Aa\Z", "a$|b", ".",
        r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"[\d_]", r"[^\w-]", "[a-z7]", r"(?a)\w", r"(?a)^\s$", "(?s)x.y",
        "(a)(b)", "(?P<name>a)b", r"\.", r"[\s\S]", r"^\n?$", "[^b-z]", "<a>", "x.y", "[<-]", "a-b", "[+-.]", "[^<>]",
    ],
)  # fmt: skip
def test_what_is_written_is_found_where_python_finds_its_own(pattern: str) -> None:
    written = written_for_ecma(from_python(pattern))
    for text in TEXTS:
        assert bool(written.search(text)) is bool(re.search(pattern, text)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing"),
        ("(?i)a", "a flag"),
        (r"a\b", "word boundary"),
        ("a$b", "an end"),
        (r"(a)\1", "not regular"),
        ("a(?=b)", "not regular"),
        (r"[^\s\S]", "a class that nothing matches"),
        ("(?s:.)", "flags inside"),
        ("(?:a$)b", "an end"),
        ("(?:a$)*", "an end"),
        ("(?:a$|b)c", "an end"),
        ("a{99999999999}", "too large"),
    ],
)
def test_what_means_something_of_its_own_is_not_written(pattern: str, why: str) -> None:
    with pytest.raises(Untranslatable, match=why):
        from_python(pattern)


@pytest.mark.parametrize("pattern", [r"\p{L}", "[[:alpha:]]", "[a&&b]", r"\x{41}", "(?x)a b", r"\Aa"])
def test_syntax_that_only_rust_has_is_not_read_as_pythons(pattern: str) -> None:
    with pytest.raises(Untranslatable, match="only Rust"):
        from_rust(pattern)


def test_in_rust_an_end_is_the_very_end_and_a_space_is_what_unicode_calls_one() -> None:
    assert from_rust("a$") == "a$"
    assert from_python("a$") == r"a\n?$"
    spaces = [bool(re.search(write(r"^\s$"), "\x1c")) for write in (from_python, from_rust)]
    assert spaces == [True, False]
    assert re.search(from_rust(r"^\d\w$"), "\u0667\u00e9")
    assert not re.search(from_rust(r"^(?:a|\d)$"), "\u00b2")


def test_the_spaces_of_ascii_are_six() -> None:
    written = written_for_ecma(from_python(r"(?a)^\s$"))
    assert [chr(code) for code in range(0x100) if written.search(chr(code))] == ["\t", "\n", "\v", "\f", "\r", " "]


@pytest.mark.parametrize("write", [from_python, from_rust])
def test_a_bracket_of_angles_is_itself_to_the_validator(write: Callable[[str], str]) -> None:
    """To Rust `\\<` is the start of a word, and no character."""
    validator = compile_validator({"pattern": write("^<[a<]>")})
    assert [text for text in ("<a>", "<<>", "a", "a>") if validator.accepts(text)] == ["<a>", "<<>"]
