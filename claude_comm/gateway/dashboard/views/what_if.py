"""What if: a contract that is pasted, weighed against everything that would meet it."""

from __future__ import annotations

import msgspec

from claude_comm.client import contract_documents
from claude_comm.client.impact.assessment import ImpactScope, assess
from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.impact.documents import way
from claude_comm.impact.effects import STATUSES, Effect, Impact
from claude_comm.names import check_name
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract

# Messages of one flow that are replayed one by one, so that a page answers while its reader waits.
_MOST = 20_000


class EffectInWords(msgspec.Struct, frozen=True):
    """One effect with its way in words."""

    effect: Effect
    way: str

    @property
    def has_witness(self) -> bool:
        return self.effect.witness is not msgspec.UNSET


class WhatIf(msgspec.Struct, frozen=True):
    """The form as it was filled in, and the answer; `trouble` is why there is none."""

    module: str
    text: str
    days: int
    modules: list[str]
    impact: Impact | None = None
    ways: list[EffectInWords] = []
    counts: dict[str, int] = {}
    trouble: str = ""


def ask(system: System, query: PageAddress) -> WhatIf:
    """The form: with the contract of the module in the address, to be changed."""
    name = query.text("module")
    modules = system.client.run(registry.names(system.keys))
    known = system.client.run(registry.find(system.keys, check_name(name))) if name in modules else None
    return WhatIf(name, _pretty(known) if known else "", _days(query), modules)


def answer(system: System, query: PageAddress) -> WhatIf:
    """The form and its answer."""
    asked = WhatIf(
        query.text("module"), query.text("contract"), _days(query), system.client.run(registry.names(system.keys))
    )
    try:
        contract = _read(asked)
        scope = ImpactScope(days=asked.days, most=_MOST)
        impact = assess(system.client, system.database, system.settings, contract, scope)
    except ClaudeCommError as error:
        return msgspec.structs.replace(asked, trouble=str(error))
    return msgspec.structs.replace(
        asked,
        module=contract.module,
        impact=impact,
        ways=[EffectInWords(effect, way(effect)) for effect in impact.effects],
        counts={status: sum(effect.status == status for effect in impact.effects) for status in STATUSES},
    )


def _read(asked: WhatIf) -> Contract:
    """The contract that was pasted; it may leave out the name of its module. Raises ConfigurationError."""
    try:
        document = msgspec.json.decode(asked.text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConfigurationError(f"the contract is no JSON: {error}.") from None
    if isinstance(document, dict) and asked.module:
        document = {"module": asked.module, **document}
    return contract_documents.from_document(document, "the contract")


def _pretty(contract: Contract) -> str:
    """As a person would write it: without what the registry adds."""
    document = {
        name: value for name, value in msgspec.to_builtins(contract).items() if name not in ("v", "registered_us")
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _days(query: PageAddress) -> int:
    return min(max(query.number("days", 30), 1), 3_650)
