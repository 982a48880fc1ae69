"""A schema is made ready once: it is kept by its text, in its own dialect, with what is known of it."""

from __future__ import annotations

import copy

import pytest

from claude_comm.schema.containment import sides
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.dialect import DEFAULT, URI, Dialect
from claude_comm.schema.limits import measure
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

PLAIN: Json = {"type": "object", "properties": {f"p{at}": {"type": "integer", "minimum": at} for at in range(9)}}
# Not its own normal form: it is measured, and compiled as it is made ready.
OLDER: Json = {"$schema": URI["draft7"], **PLAIN}


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    for kept in (sides._kept, sides._kept_small):
        kept.cache_clear()


def no_look() -> None:
    pass


def kept() -> tuple[int, int]:
    """How many small schemas are kept, and how many larger ones."""
    return sides._kept_small.cache_info().currsize, sides._kept.cache_info().currsize


def length(schema: Json) -> int:
    """What decides of its place: characters of the text, or of what was measured."""
    return len(text(schema)) if schema is PLAIN else measure(schema).characters


@pytest.mark.parametrize("schema", [PLAIN, OLDER], ids=["plain", "older"])
def test_the_same_text_is_made_ready_once(schema: Json) -> None:
    first = side_of(schema, DEFAULT, no_look)
    assert side_of(copy.deepcopy(schema), DEFAULT, no_look) is first
    assert side_of({**schema, "title": "other"}, DEFAULT, no_look) is not first
    assert vars(first)["text"] == text(schema)


@pytest.mark.parametrize("dialect", ["draft2020-12", "draft7", "draft4"])
def test_a_schema_without_a_dialect_has_the_one_that_is_asked_for(dialect: Dialect) -> None:
    assert side_of(PLAIN, dialect, no_look).dialect == dialect


def test_numbers_that_are_equal_in_python_are_other_schemas() -> None:
    one, also, true = (side_of({"const": value}, DEFAULT, no_look) for value in (1, 1.0, True))
    assert [repr(side.schema["const"]) for side in (one, also, true)] == ["1", "1.0", "True"]


@pytest.mark.parametrize("schema", [PLAIN, OLDER], ids=["plain", "older"])
def test_small_schemas_have_room_of_their_own(schema: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, where in ((length(schema), (1, 0)), (length(schema) - 1, (1, 1))):
        monkeypatch.setattr(sides, "MAX_SMALL", limit)
        side_of(schema, DEFAULT, no_look)
        assert kept() == where


def test_a_large_schema_is_not_kept_and_gives_way_between_its_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    monkeypatch.setattr(sides, "MAX_KEPT", length(OLDER))
    first = side_of(OLDER, DEFAULT, lambda: looks.append(None))
    assert side_of(OLDER, DEFAULT, no_look) is first
    monkeypatch.setattr(sides, "MAX_KEPT", length(OLDER) - 1)
    assert side_of(OLDER, DEFAULT, lambda: looks.append(None)) is not first
    assert len(looks) == 3
    assert kept() == (1, 0)


def test_what_was_compiled_on_the_way_is_kept_and_what_is_sure_is_not_compiled() -> None:
    plain, older = (side_of(schema, DEFAULT, no_look) for schema in (PLAIN, OLDER))
    assert (plain.sure, "rust" in vars(plain)) == (True, False)
    assert (older.sure, "rust" in vars(older)) == (False, True)
