"""Which types of message would take a sample: by the index that `claude-comm find` uses, kept from call to call.

Law: the answer of validating the sample against every schema. The index leaves out only what cannot take it, and a
schema that cannot be used takes nothing.
"""

from __future__ import annotations

from claude_comm.discovery.catalogue import Catalogue, SchemaEntry
from claude_comm.errors import SchemaError
from claude_comm.mcp_server.desk.catalogue import ModuleCatalogue, for_agents
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json


class SampleIndex:
    """The contracts by module, with what was compiled for them."""

    def __init__(self) -> None:
        self._held = Catalogue({})

    def taking(self, seen: ModuleCatalogue, sample: Json) -> set[tuple[str, str]]:
        """The module and the type of each message of `seen` that takes the sample."""
        contracts = {name: entry.contract for name, entry in seen.modules.items()}
        self._held = self._held.updated(contracts, contracts.keys())
        candidates = self._held.candidates("accepts", sample)
        return {(entry.contract.module, entry.type) for entry in candidates if _takes(entry, sample)}


def _takes(entry: SchemaEntry, sample: Json) -> bool:
    schema = for_agents(entry.schema)
    try:
        validator = entry.validator() if schema is entry.schema else compile_validator(schema)
        return validator.accepts(sample) is True
    except SchemaError:
        return False
