"""The index of samples gives the answers of validating a sample against every schema."""

from __future__ import annotations

from typing import Any

from claude_comm.errors import SchemaError
from claude_comm.interchange.agent_answers import INPUT_PROPERTY
from claude_comm.mcp_server.desk.catalogue import ModuleCatalogue, ModuleEntry, for_agents
from claude_comm.mcp_server.desk.index import SampleIndex
from claude_comm.registry.contracts import contract
from claude_comm.schema.validation.validator import compile_validator

SAMPLES: list[Any] = [{"name": "a", "n7": 1}, {"name": 1}, {"n3": 3}, {}, [], "x", None, {INPUT_PROPERTY: 1, "n1": 1}]


def seen(count: int, version: str = "1.0.0") -> ModuleCatalogue:
    """Modules with schemas of different names, kinds and ranges; every fifth asks its user."""
    made = {}
    for number in range(count):
        properties: dict[str, Any] = {
            f"n{number % 9}": {"type": "integer", "maximum": number},
            "name": {"type": "string"},
        }
        if number % 5 == 0:
            properties[INPUT_PROPERTY] = {"type": "string"}
        schemas = {"page": {"type": "object", "properties": properties, "required": [f"n{number % 9}"]}}
        schemas["word"] = {"type": ["string", "null"], "minLength": number % 3}
        schemas["broken"] = {"type": "object", "pattern": "("}
        name = f"m{number}"
        made[name] = ModuleEntry(contract(name, version=version, accepts=schemas), 1)
    return ModuleCatalogue(made)


def by_hand(catalogue: ModuleCatalogue, sample: Any) -> set[tuple[str, str]]:
    found = set()
    for name, entry in catalogue.modules.items():
        for type, schema in entry.contract.accepts.items():
            try:
                if compile_validator(for_agents(schema)).accepts(sample):
                    found.add((name, type))
            except SchemaError:
                continue
    return found


def test_it_finds_what_a_look_at_every_schema_finds_also_when_modules_come_and_go() -> None:
    index = SampleIndex()
    for catalogue in (seen(30), seen(12), seen(12, "2.0.0"), ModuleCatalogue({}), seen(20)):
        for sample in SAMPLES:
            assert index.taking(catalogue, sample) == by_hand(catalogue, sample)
