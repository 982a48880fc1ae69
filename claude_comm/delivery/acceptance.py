"""Whether a module's contract accepts a message.

Law: pure. A contract that declares nothing about what its module accepts says nothing, and refuses nothing.
"""

from __future__ import annotations

from claude_comm.errors import ContractBroken
from claude_comm.registry.contracts import Contract
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json


def require_accepted(contract: Contract, type: str, payload: Json) -> None:
    """Raises ContractBroken where the contract accepts no messages of that type, or not this payload."""
    if not contract.accepts:
        return
    if type not in contract.accepts:
        known = ", ".join(map(repr, sorted(contract.accepts)))
        raise ContractBroken(contract.module, type, "", f"it accepts {known}")
    for breach in compile_validator(contract.accepts[type]).validate(payload)[:1]:
        raise ContractBroken(contract.module, type, breach.path, breach.sentence)
