"""What may keep a pattern from being decided. None of these leaves the engine: each becomes an undecided verdict."""

from __future__ import annotations


class LanguageError(Exception):
    """A regular language that cannot be had or cannot be worked out; `reason` is a sentence for a person."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NotRegular(LanguageError):
    """A pattern beyond regular languages as they are handled here, or one that validators read differently."""


class InvalidPattern(LanguageError):
    """Not a regular expression at all."""


class TooHard(LanguageError):
    """A cap or the caller's budget was reached before an answer."""
