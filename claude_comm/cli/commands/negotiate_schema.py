"""The command `negotiate-schema`."""

from __future__ import annotations

from claude_comm.cli import documents, verdicts
from claude_comm.cli.options import AsJson, DocumentFile
from claude_comm.client.publisher import negotiate
from claude_comm.documents import form
from claude_comm.names import Keys
from claude_comm.negotiation import declared
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.declared import Claim, NegotiationDocument
from claude_comm.ops import registry
from claude_comm.pipeline.faults import faults
from claude_comm.registry.contracts import Contract
from claude_comm.runtime.environment import settings_of_process
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Verdict
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client


def command(file: DocumentFile, as_json: AsJson = False) -> int:
    """Negotiate what two modules send each other.

    FILE holds {source_module, target_module, schema: {input, output}, type?}: what the source sends, and what the
    target answers. Where a module has registered contracts, those are checked. The outcome is stored. Exits with 0
    when all fits, 1 when something does not, 4 when it cannot be decided.
    """
    settings = settings_of_process()
    negotiation = _read(file)
    with connect(settings) as client:
        agreements, claimed = _negotiate(client, settings, negotiation)
    if as_json:
        emit_json({"agreements": agreements, "claims": [{"claim": c, "verdict": v} for c, v in claimed]})
    else:
        _show(agreements, claimed)
    answers = {agreement.verdict.answer for agreement in agreements} | {verdict.answer for _, verdict in claimed}
    return verdicts.worst(answers)


def _read(file: str) -> NegotiationDocument:
    document, name = documents.read(file), documents.origin(file)
    form.require("negotiation", document, name)
    schemas = document["schema"]
    if problems := [problem for side in ("input", "output") for problem in faults(schemas[side], ("schema", side))]:
        form.raise_invalid(name, problems)
    return declared.parsed(document)


def _negotiate(
    client: Client, settings: Settings, negotiation: NegotiationDocument
) -> tuple[list[Agreement], list[tuple[Claim, Verdict]]]:
    keys = Keys(settings.namespace)
    source: Contract | None = client.run(registry.find(keys, negotiation.source_module))
    target: Contract | None = client.run(registry.find(keys, negotiation.target_module))
    questions = declared.questions(negotiation, source, target)
    agreements = [negotiate.ask(client, settings, question) for question in questions]
    claims = declared.claims(negotiation, questions[0].type, source, target)
    return agreements, [(claim, check(claim.produced, claim.stated)) for claim in claims]


def _show(agreements: list[Agreement], claimed: list[tuple[Claim, Verdict]]) -> None:
    for agreement in agreements:
        verdicts.show(agreement.verdict, f"{agreement.producer} -> {agreement.consumer} ({agreement.type})")
        emit(f"  agreement {agreement.id}, decided by the {agreement.decided_by}")
    for claim, verdict in claimed:
        verdicts.show(verdict, f"what {claim.module} declared to produce -> schema.{claim.part}")
