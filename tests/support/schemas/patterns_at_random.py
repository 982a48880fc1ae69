"""Random patterns and texts, dense in what engines read differently: word bounds, classes, escapes, line ends."""

from __future__ import annotations

import random

ATOMS = (
    *("a", "b", "_", "-", "é", "ß", "1", " ", "<", ">", "{", "}", "]", ":", "/", "&", "~", "#"),
    *(r"\b", r"\B", r"\<", r"\>", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", "^", "$"),
    *(r"\p{L}", r"\P{L}", r"\p{Lu}", r"\p{Nd}", r"\p{Letter}", r"\p{gc=P}", r"\p{Zs}"),
    *(r"\.", r"\-", r"\/", r"\]", r"\}", r"\&", r"\~", r"\#", r"\ ", r"\<", r"\:", r"\=", r"\!", r"\'", r"\`", r"\%"),
    *(r"\t", r"\n", r"\v", r"\f", r"\r", r"\0", r"\cA", r"\cj", r"\x41", r"\u00e9", r"\u{e9}", r"\u{1F600}"),
    *(r"\b{start}", r"\b{end}", r"\b{start-half}", r"\A", r"\z", r"\Z", r"\a", r"\e", r"\h", r"\K", r"\G", r"\R"),
    *("(?i)a", "(?i:a)", "(?x: a)", "(?P<n>a)", "(?<n>a)", "(?#c)", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)"),
    *("[[:alpha:]]", "[[a]b]", "[a&&b]", "[a&&]", "[a--b]", "[a~~b]", "[^]", "[]", "[]a]", r"[\b]", r"[\w-a]", "[a-]"),
    *("[^a]", "[-a]", "[a^]", "[é-ü]", r"[\d-x]", r"[\s\S]", r"[^\w]", r"[\p{L}_]", r"[^\P{L}]", "[.]", "[$]", r"[\.]"),
    *("[a|b]", "[(]", "[)]", "[{]", "[+*?]", "[ ]", "[#]", "[&]", "[~]", r"[\]]", r"[\\]", r"[\^]", r"[\-]", r"[\<]"),
)  # fmt: skip
QUANTIFIERS = ("*", "+", "?", "{2}", "{1,2}", "{0,1}", "{,2}", "{1,}", "*?", "+?", "??", "*+", "{2}?")
CHARS = tuple("ab_-1A <>{}]:/&~#.!é\u0301ßüК٣\u200d\u200b²ªⅠⓐ\n\r\t\x1c\x85\u2028\ufeff😀\u0378\x00\x01\\^$|(&[=")


def pattern(chance: random.Random, depth: int = 0) -> str:
    """One pattern; it may be none, or one that only some engine takes."""
    kind = chance.random()
    if depth > 2 or kind < 0.45:
        return chance.choice(ATOMS)
    if kind < 0.75:
        return "".join(pattern(chance, depth + 1) for _ in range(chance.randint(1, 3)))
    if kind < 0.88:
        return f"(?:{pattern(chance, depth + 1)}){chance.choice(QUANTIFIERS)}"
    if kind < 0.95:
        return f"({pattern(chance, depth + 1)}|{pattern(chance, depth + 1)})"
    return f"^{pattern(chance, depth + 1)}$"


def text(chance: random.Random) -> str:
    """One short text."""
    return "".join(chance.choices(CHARS, k=chance.randint(0, 4)))
