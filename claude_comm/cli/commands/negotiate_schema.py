"""The command `negotiate-schema`."""

from __future__ import annotations

from claude_comm.cli import documents, verdicts
from claude_comm.cli.options import AsJson, DocumentFile
from claude_comm.client.identity import millis
from claude_comm.client.publisher import negotiate
from claude_comm.documents import form
from claude_comm.names import Keys
from claude_comm.negotiation import declared
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.negotiation.declared import DeclaredProduct, NegotiationDocument
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

    FILE contains {source_module, target_module, schema: {input, output}, type?}: what the source sends, and what the
    target replies. If a module has registered contracts, these are checked: each version that may receive messages, the
    preferred one first, until one fits. The outcome is stored. Exits with 0 if all fits, 1 if something does not, 4 if
    it cannot be decided.
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
) -> tuple[list[Agreement], list[tuple[DeclaredProduct, Verdict]]]:
    keys = Keys(settings.namespace)
    sources = _offered(client, keys, negotiation.source_module)
    targets = _offered(client, keys, negotiation.target_module)
    there, target = _first_that_fits(
        client, settings, [(declared.questions(negotiation, sources[0], contract)[0], contract) for contract in targets]
    )
    back, source = _first_that_fits(
        client, settings, [(declared.questions(negotiation, contract, target)[1], contract) for contract in sources]
    )
    claims = declared.claims(negotiation, there[-1].type, source, target)
    return [*there, *back], [(claim, check(claim.produced, claim.stated)) for claim in claims]


def _offered(client: Client, keys: Keys, module: str) -> list[Contract | None]:
    """The versions that messages may be meant for, the preferred one first; one that is not there for no contract."""
    return [*client.run(registry.offered(keys, module, now_ms=millis()))] or [None]


def _first_that_fits(
    client: Client, settings: Settings, asked: list[tuple[Question, Contract | None]]
) -> tuple[list[Agreement], Contract | None]:
    """The agreement with the first version that fits, with that version; where none does, the refusals of all."""
    refusals = []
    for question, contract in asked:
        agreement = negotiate.ask(client, settings, question)
        if agreement.fits:
            return [agreement], contract
        refusals.append(agreement)
    return refusals, asked[0][1]


def _show(agreements: list[Agreement], claimed: list[tuple[DeclaredProduct, Verdict]]) -> None:
    for agreement in agreements:
        verdicts.show(agreement.verdict, f"{agreement.producer} -> {agreement.consumer} ({agreement.type})")
        emit(f"  agreement {agreement.id}, decided by the {agreement.decided_by}")
    for claim, verdict in claimed:
        verdicts.show(verdict, f"what {claim.module} declared to produce -> schema.{claim.part}")
