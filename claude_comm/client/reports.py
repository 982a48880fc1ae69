"""The agreements of a report: what was decided between modules, with a message that shows it where it is a refusal."""

from __future__ import annotations

import msgspec

from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, why
from claude_comm.ops import agreements
from claude_comm.report.figures import Negotiated
from claude_comm.schema.verdict import Incompatible
from claude_comm.transport.driver import Client

# A witness of many kilobytes says no more than its beginning.
_MAX_WITNESS = 400


def negotiated(client: Client, keys: Keys) -> list[Negotiated]:
    """All stored agreements and refusals, as a report lists them."""
    return [_row(agreement) for agreement in client.run(agreements.everything(keys)).agreements]


def _row(agreement: Agreement) -> Negotiated:
    verdict = agreement.verdict
    return Negotiated(
        producer=agreement.producer,
        consumer=agreement.consumer,
        answer=verdict.answer,
        witness=_shown(verdict.witness) if isinstance(verdict, Incompatible) else "",
        reason="" if agreement.fits else why(verdict),
    )


def _shown(witness: object) -> str:
    text = msgspec.json.encode(witness).decode()
    return text if len(text) <= _MAX_WITNESS else f"{text[:_MAX_WITNESS]}…"
