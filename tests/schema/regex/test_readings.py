"""What ECMA-262 and the validator at run time read differently in a pattern: no proof rests on one reading alone."""

from __future__ import annotations

import os
import random

import jsonschema_rs
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Undecided, check
from claude_comm.schema.regex.errors import InvalidPattern, NotRegular, TooHard
from claude_comm.schema.regex.language import Language
from claude_comm.schema.validation.validator import PATTERN_BYTES, compiled
from tests.support.schemas.patterns_at_random import pattern, text

LONG = os.environ.get("COMM_LONG") == "1"
PATTERNS, TEXTS = (20_000, 60) if LONG else (1_500, 30)
SEED = int(os.environ.get("COMM_SEED", "11"))
LINEAR = jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES)


@pytest.mark.long
def test_what_the_engine_takes_it_reads_as_both_engines_of_the_validator_do() -> None:
    """Random patterns, dense in escapes, classes, flags and bounds that some dialect has."""
    compared = 0
    for index in range(PATTERNS):
        chance = random.Random(SEED * 1_000_003 + index)
        source = pattern(chance)
        try:
            language = Language.pattern(source, reading="runtime")
        except (NotRegular, InvalidPattern, TooHard):
            continue
        for options in (LINEAR, jsonschema_rs.FancyRegexOptions()):
            try:
                validator = jsonschema_rs.Draft202012Validator({"pattern": source}, pattern_options=options)
            except jsonschema_rs.ValidationError:
                continue
            for probe in [text(chance) for _ in range(TEXTS)]:
                compared += 1
                assert language.accepts(probe) == validator.is_valid(probe), (source, probe)
    assert compared > PATTERNS * TEXTS // 2


# Produced and accepted patterns that are alike in one reading, and not in the other.
DIFFERENT = [
    (r"^é\b", r"^x"),
    (r"^[a-zé]+\b[-é]$", r"^[a-z]"),
    (r"^a\B.$", r"^a[a-z0-9_A-Z]$"),
    (r"^\<a$", "^<a$"),
    (r"^a\>$", "^a>$"),
    (r"^(?!x)\d$", "^[0-9]$"),
    (r"^(?!x)\w$", "^[0-9A-Za-z_]$"),
    (r"^(?=.)\s$", r"^\s$"),
    (r"^\s$", r"^(?=.)\s$"),
    (r"^.$", "^[^\n\r]$"),
]


@pytest.mark.parametrize(("produced", "accepted"), [*DIFFERENT, *((b, a) for a, b in DIFFERENT)])
def test_no_proof_rests_on_one_reading(produced: str, accepted: str) -> None:
    """A message that the validator takes for one of the producer's and refuses for the consumer is never denied."""
    verdict = check({"type": "string", "pattern": produced}, {"pattern": accepted}, policy="strict")
    if isinstance(verdict, Compatible):
        sends, takes = (
            compiled({"pattern": source}, "draft2020-12", patterns="any") for source in (produced, accepted)
        )
        chance = random.Random(SEED)
        for probe in [text(chance) for _ in range(20_000)]:
            assert takes.is_valid(probe) or not sends.is_valid(probe), (verdict, probe)


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        (r"^\w+\b!$", r"^\w+!$"),
        (r"\bfoo\b", "foo"),
        (r"^(?=.*\d).{8,}$", r"^(?=.*\d)"),
        (r"^(?!\s)[a-z]+$", "^[a-z]+$"),
        ("^.{3}$", "^.{1,5}$"),
    ],
)
def test_what_holds_in_both_readings_is_proved(produced: str, accepted: str) -> None:
    verdict = check({"type": "string", "pattern": produced}, {"type": "string", "pattern": accepted}, policy="strict")
    assert isinstance(verdict, Compatible), verdict


def test_what_holds_in_one_reading_alone_names_the_pattern() -> None:
    """`^é\\b!`: to ECMA-262, whose words are of ASCII, there is no bound after `é`."""
    verdict = check({"type": "string", "pattern": r"^é\B!$"}, False, policy="strict")
    assert isinstance(verdict, Undecided)
    assert verdict.place == "/pattern"
    assert "read differently" in verdict.why


def test_a_bound_of_words_in_braces_is_no_pattern_that_a_proof_rests_on() -> None:
    verdict = check({"type": "string", "pattern": r"\b{start}a"}, {"pattern": r"\ba"}, policy="strict")
    assert not isinstance(verdict, Compatible)


@pytest.mark.parametrize("source", [r"^\p{L}{1,100}$", r"^\S{1,2000}$", "^.{1,5000}$", r"^[^\s]{1,255}$"])
def test_a_counted_class_that_the_library_takes_is_a_pattern(source: str) -> None:
    compiled({"pattern": source}, "draft2020-12")
    assert isinstance(check({"type": "string", "pattern": source}, {"pattern": source}), Compatible)
    assert isinstance(check({"type": "string", "pattern": source}, {"maxLength": 5_000}, policy="strict"), Compatible)


def test_a_bounded_repeat_of_a_bounded_repeat_is_refused() -> None:
    with pytest.raises(SchemaError):
        compiled({"pattern": r"^(\p{L}{1000}){1000}$"}, "draft2020-12")
