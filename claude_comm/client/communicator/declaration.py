"""A contract from what a module says that it accepts and produces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.client.arguments import check_names
from claude_comm.client.identity import micros
from claude_comm.client.payload_types import accepted, produced
from claude_comm.registry.contracts import Compatibility, Contract, Formats, Produced, Schema, by_type, contract


def declare(
    module: str,
    accepts: Any,
    produces: Any,
    version: str,
    compatibility: Compatibility = "none",
    aliases: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    formats: Formats = "annotate",
    capabilities: Sequence[str] = (),
) -> Contract:
    """A contract from schemas, types, or mappings of message types to either."""
    sent = [Produced(type, schema) for type, schema in by_type(_schemas(produces, produced)).items()]
    made = contract(
        module,
        version=version,
        accepts=_schemas(accepts, accepted),
        produces=sent,
        compatibility=compatibility,
        aliases=aliases,
        formats=formats,
        capabilities=check_names("capabilities", capabilities, "capability", example="pdf.extract"),
    )
    return msgspec.structs.replace(made, registered_us=micros())


def _schemas(declared: Any, schema_of: Callable[[Any], Schema]) -> Any:
    """Python types replaced by their schemas, in a mapping or alone."""
    if declared is None:
        return None
    if isinstance(declared, Mapping):
        # A mapping may be a schema, too, whose members are JSON.
        return {name: value if isinstance(value, _JSON) else schema_of(value) for name, value in declared.items()}
    return schema_of(declared)


_JSON = (Mapping, list, str, int, float, type(None))
