"""Regular languages of texts that stand for values which JSON does not have: dates, times, UUIDs, decimals and so on.

Law: a `Text` is exact. What a library reads is the language of its decoder (numerals of absurd length apart); what it
writes leaves out nothing that its encoder may write for a finite value.

Every language here is regular, so that the prover knows it as it knows any `pattern`. What is written says in as many
words which of the read languages hold it (`within`): such a pair is then proved by being alike, in microseconds, where
an inclusion of calendars by automata takes a tenth of a second. The tests hold these claims to the automata.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

Schema = dict[str, Any]


class Text(msgspec.Struct, frozen=True):
    """The texts that match `pattern` as a whole, but for those that match `without`, of `most_chars` (0: any length).

    `within` are other languages that must hold a text as well; where they say more, it is they who say it.
    """

    pattern: str
    without: str = ""
    most_chars: int = 0
    within: tuple[Text, ...] = ()

    def schema(self) -> Schema:
        return {"type": "string", **self.assertions()}

    def assertions(self) -> Schema:
        said: Schema = {"pattern": f"^(?:{self.pattern})$"}
        if self.most_chars:
            said["maxLength"] = self.most_chars
        if self.without:
            said["not"] = {"pattern": f"^(?:{self.without})$"}
        wider = [text.assertions() for text in self._wider()]
        if wider:
            said["allOf"] = wider
        return said

    def _wider(self) -> Iterator[Text]:
        # What is written like one of them need not be said to lie within it.
        return (text for text in self.within if text.pattern != self.pattern)


# The Gregorian calendar from year 1 to 9999.
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY_OF_YEAR = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
DATE = f"(?:{_YEAR}-{_DAY_OF_YEAR}|{_LEAP_YEAR}-02-29)"
HOUR, SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
CLOCK = f"{HOUR}:{SIXTY}:{SIXTY}"
HEX = "[0-9a-fA-F]"


def zoned(zone: str, tz: bool | None) -> str:
    """The pattern of a zone that must be there, must not, or may."""
    return zone if tz else "" if tz is False else f"{zone}?"


def base64(least: int | None, most: int | None, tails: tuple[str, str]) -> str:
    """Base64 of so many bytes: groups of three, then none or one of `tails`, which stand for one byte and for two."""
    options = []
    for over, tail in enumerate(("", *tails)):
        low = max(-((over - (least or 0)) // 3), 0)
        high = None if most is None else (most - over) // 3
        if high is None or high >= low:
            count = "*" if low == 0 and high is None else f"{{{low},{'' if high is None else high}}}"
            options.append(f"(?:[A-Za-z0-9+/]{{4}}){count}{tail}")
    return "|".join(options) or NOTHING


# Matches no text: a character that is neither space nor anything else.
NOTHING = r"[^\s\S]"


def words(options: tuple[str, ...]) -> str:
    """These words in any mixture of upper and lower case."""
    return "|".join("".join(_cases(letter) for letter in word) for word in options)


def _cases(letter: str) -> str:
    return f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter
