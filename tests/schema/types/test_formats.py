"""Formats that are asserted: the languages, how they are written into a schema, and what proofs say of them."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, assert_formats, check
from claude_comm.schema.types.formats import languages
from claude_comm.schema.validation.validator import compile_validator

FITS = {
    "date-time": ["1963-06-19T08:30:06.283185Z", "1990-12-31T15:59:50.123-08:00", "2024-02-29t00:00:00z"],
    "date": ["1963-06-19", "2020-02-29", "9999-12-31"],
    "time": ["08:30:06Z", "08:30:06.283+00:20"],
    "duration": ["P4DT12H30M5S", "PT0S", "P1M", "PT1M", "P2W", "P1YT1S"],
    "uuid": ["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
    "ipv4": ["192.168.0.1", "87.10.0.1"],
    "ipv6": ["::1", "::", "1::d6:192.168.0.1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"],
    "hostname": ["www.example.com", "h0stn4me", "a" * 63 + ".com"],
    "email": ["te.s.t@example.com", '"joe bloggs"@example.com', "joe.bloggs@[IPv6:::1]"],
    "uri": [
        "http://foo.bar/?baz=qux#quux",
        "urn:oasis:names",
        "ldap://[2001:db8::7]/c=GB?one",
        "http://223.255.255.254",
    ],
    "uri-reference": ["//foo.bar/?baz=qux", "/abc", "abc", "#fragment", "", "./a:b"],
    "uri-template": ["http://example.com/{term:1}/{term}", "{+x,y}", "plain"],
    "json-pointer": ["", "/foo/bar~0/baz~1/%a", "/"],
    "relative-json-pointer": ["1", "0/foo/bar", "0#"],
}
FAILS = {
    "date-time": [
        "1990-02-31T15:59:59.123-08:00",
        "1990-12-31T15:59:59-24:00",
        "06/19/1963 08:30:06 PST",
        "2024-02-29",
    ],
    "date": ["2021-02-29", "1998-1-20", "1963-06-19\n", "1963-06-1৪"],
    "time": ["08:30:06", "24:00:00Z", "01:02:03+0:00"],
    "duration": ["P", "PT", "PT1D", "P2D1Y", "P1Y2W", "4D", "P1YT1H2S"],
    "uuid": ["2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380"],
    "ipv4": ["256.1.1.1", "127.0", "087.10.0.1", "1২7.0.0.1"],
    "ipv6": ["12345::", "1::d6::42", ":2:3:4:5:6:7:8", "fe80::a%eth1", "1:2:3:4:5:6:7:8:9"],
    "hostname": ["-a", "a_b", "a" * 64, ".", "", ".".join(["a" * 63] * 4)],
    "email": ["2962", ".test@example.com", "te..st@example.com", "a@b=c.com"],
    "uri": ["//foo.bar/", "abc", "http:// a", "http://ex<ample", "http://a/%zz", ":// x"],
    "uri-reference": ["\\\\WINDOWS\\fileshare", "#frag\\ment", "1a:b"],
    "uri-template": ["http://example.com/{term", "{}", "a b"],
    "json-pointer": ["foo", "/foo/bar~", "#/a"],
    "relative-json-pointer": ["", "-1/foo", "01/a", "0##"],
}


@pytest.mark.parametrize("name", languages())
def test_a_language_holds_what_the_standard_allows_and_nothing_else(name: str) -> None:
    ready = compile_validator(assert_formats({"format": name}))
    assert [text for text in FITS[name] if not ready.accepts(text)] == []
    assert [text for text in FAILS[name] if ready.accepts(text)] == []


@pytest.mark.parametrize("name", languages())
def test_the_validators_own_check_of_formats_says_the_same(name: str) -> None:
    ready = compile_validator(assert_formats({"format": name}))
    other = jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)
    texts = {text for texts in (*FITS.values(), *FAILS.values()) for text in texts}
    assert [text for text in texts if ready.accepts(text) != other.is_valid(text)] == []


def test_a_leap_second_and_the_year_0_are_none_of_ours() -> None:
    """No reader of a `datetime` takes them, so that an agreement on them would end in a burial."""
    ready = compile_validator(assert_formats({"format": "date-time"}))
    assert not ready.accepts("1998-12-31T23:59:60Z")
    assert not ready.accepts("0000-01-01T00:00:00Z")


@pytest.mark.parametrize("name", languages())
def test_what_is_no_text_is_left_alone(name: str) -> None:
    ready = compile_validator(assert_formats({"format": name}))
    assert all(ready.accepts(value) for value in (None, 1, [], {"a": 1}))


@pytest.mark.parametrize("name", languages())
def test_every_language_is_known_to_the_prover(name: str) -> None:
    text = {"type": "string"}
    asserted = assert_formats({**text, "format": name})
    assert isinstance(check(asserted, asserted), Compatible)
    assert isinstance(check(asserted, text), Compatible)
    refused = check(text, asserted)
    assert isinstance(refused, Incompatible)
    assert f'text in the format "{name}"' in refused.reasons[0].sentence


def test_a_format_within_another_is_proved() -> None:
    def text(name: str) -> dict[str, Any]:
        return assert_formats({"type": "string", "format": name})

    assert isinstance(check(text("uri"), text("uri-reference")), Compatible)
    assert isinstance(check(text("json-pointer"), text("uri-reference")), Incompatible)


@pytest.mark.parametrize(
    "written",
    [
        {"properties": {"at": {"format": "date"}}},
        {"$defs": {"at": {"format": "date"}}, "properties": {"at": {"$ref": "#/$defs/at"}}},
        {"patternProperties": {"^at": {"anyOf": [{"format": "date"}, {"type": "null"}]}}},
        {"properties": {"at": {"format": "date", "pattern": "^2"}}},
        {"properties": {"at": {"allOf": [{"format": "date"}], "maxLength": 20}}},
        {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"at": {"format": "date"}}},
    ],
)
def test_it_is_asserted_wherever_it_stands(written: dict[str, Any]) -> None:
    asserted = assert_formats(written)
    ready = compile_validator(asserted)
    assert ready.accepts({"at": "2024-02-29"})
    assert not ready.accepts({"at": "2023-02-29"})
    assert assert_formats(asserted) == asserted


def test_what_is_data_is_no_format() -> None:
    written = {"const": {"format": "colour"}, "properties": {"format": {"enum": ["format"]}}}
    assert assert_formats(written) == written
    assert [assert_formats(schema) for schema in (True, False)] == [True, False]


@pytest.mark.parametrize("name", ["regex", "iri", "int32", "colour", 5])
def test_a_format_that_cannot_be_asserted_is_named_with_its_place(name: Any) -> None:
    with pytest.raises(SchemaError, match="cannot be asserted; those that can are date-time, date") as refused:
        assert_formats({"properties": {"a/b": {"items": {"format": name}}}})
    assert refused.value.path == "/properties/a~1b/items/format"


@pytest.mark.parametrize(("name", "text"), [("hostname", "a" + ".a" * 126), ("email", "a" * 252 + "@b")])
def test_a_name_has_its_most_characters_and_no_more(name: str, text: str) -> None:
    validator = compile_validator(assert_formats({"format": name}))
    assert validator.accepts(text)
    assert not validator.accepts(text.replace("a", "aa", 1))


@pytest.mark.parametrize(
    ("written", "fits", "fails"),
    [
        ({"format": "hostname", "maxLength": 300}, ["a"], ["a" + ".a" * 127, "-"]),
        ({"format": "hostname"}, ["a"], ["-", "a" + ".a" * 127]),
        ({"format": "hostname", "maxLength": 3}, ["a.b"], ["a.bc", "-"]),
        ({"format": "date", "maxLength": 300}, ["2020-01-01"], ["2020-13-01"]),
        ({"format": "date", "maxLength": 3}, [], ["2020-01-01"]),
        ({"format": "date", "pattern": "^2"}, ["2020-01-01"], ["1999-01-01", "2"]),
        ({"format": "hostname", "pattern": "^a"}, ["ab"], ["b", "a-"]),
        (
            {"format": "date", "allOf": [{"pattern": "^2"}], "pattern": "0$"},
            ["2020-01-10"],
            ["2020-01-11", "1999-01-10"],
        ),
    ],
)
def test_what_stands_beside_a_format_holds_as_well_and_nothing_is_said_twice(
    written: dict[str, Any], fits: list[str], fails: list[str]
) -> None:
    asserted = assert_formats(written)
    validator = compile_validator(asserted)
    assert [text for text in fits if not validator.accepts(text)] == []
    assert [text for text in fails if validator.accepts(text)] == []
    assert assert_formats(asserted) == asserted
