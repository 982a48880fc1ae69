"""Lists of tools become contracts, and a changed list another version, by proof."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.adopted.listing import adoption, following
from claude_comm.schema import Compatible, Incompatible, check
from tests.mcp_server.adopted_lists import LISTS


def changed(tools: list[Any]) -> list[Any]:
    """The list as it would be if each tool asked for one thing more."""
    copied = copy.deepcopy(tools)
    for tool in copied:
        schema = tool["inputSchema"]
        schema.setdefault("properties", {})["tenant"] = {"type": "string"}
        schema["required"] = [*schema.get("required", ()), "tenant"]
    return copied


def widened(tools: list[Any]) -> list[Any]:
    """The list as it would be if each tool could be told one thing more."""
    copied = copy.deepcopy(tools)
    for tool in copied:
        tool["inputSchema"].setdefault("properties", {})["verbose"] = {"type": "boolean"}
    return copied


def test_there_are_twenty_lists() -> None:
    assert len(LISTS) >= 20


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_a_contract_that_fits_itself(name: str) -> None:
    adopted = adoption("server", LISTS[name])
    assert not adopted.notes
    assert sorted(adopted.tools.values()) == sorted(tool["name"] for tool in LISTS[name])
    for schema in adopted.contract.accepts.values():
        assert isinstance(check(schema, schema), Compatible)
    again = following(adopted.contract, adoption("server", LISTS[name]))
    assert again.contract.version == "1.0.0"
    assert again.contract.digest == adopted.contract.digest


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_asks_for_more_is_a_major_version_with_a_witness(name: str) -> None:
    old, new = adoption("server", LISTS[name]), adoption("server", changed(LISTS[name]))
    assert following(old.contract, new).contract.version == "2.0.0"
    for type, schema in old.contract.accepts.items():
        verdict = check(schema, new.contract.accepts[type])
        assert isinstance(verdict, Incompatible)
        assert "tenant" not in verdict.witness


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_takes_more_is_a_minor_version(name: str) -> None:
    old, new = adoption("server", LISTS[name]), adoption("server", widened(LISTS[name]))
    assert following(old.contract, new).contract.version == "1.1.0"


def test_a_tool_that_is_gone_is_a_major_version() -> None:
    old, new = adoption("server", LISTS["git"]), adoption("server", LISTS["git"][1:])
    assert following(old.contract, new).contract.version == "2.0.0"


def test_tools_that_would_have_one_name_are_two_types() -> None:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("a b", "a-b")]
    adopted = adoption("server", tools)
    assert list(adopted.tools.values()) == ["a b", "a-b"]
    assert len(adopted.contract.accepts) == 2


def test_what_is_no_tool_is_noted_and_the_others_are_taken() -> None:
    adopted = adoption("server", [{"name": "odd", "inputSchema": {"$ref": "elsewhere.json"}}, *LISTS["fetch"]])
    assert list(adopted.tools) == ["fetch"]
    assert "another document" in adopted.notes[0].sentence


def test_a_list_without_a_usable_tool_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no tool that can be used"):
        adoption("server", [{"name": "odd"}])
