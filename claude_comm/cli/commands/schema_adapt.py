"""The command `schema adapt`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import documents, schema_files, verdicts
from claude_comm.cli.options import (
    DEFAULT_BUDGET_MS,
    AcceptedFile,
    AsJson,
    Documents,
    ProducedFile,
    Strict,
    WholeBudgetMs,
    policy,
)
from claude_comm.errors import ClaudeCommError
from claude_comm.escaping import clean
from claude_comm.schema.evolution.adapt import Proposal, apply
from claude_comm.schema.evolution.adapt import adapt as propose
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.validator import MAX_INSTANCE_DEPTH, compile_validator, deeper
from claude_comm.schema.verdict import Json, Policy, Undecided
from claude_comm.terminal.output import emit, emit_document, emit_json, emit_styled, say
from claude_comm.terminal.styles import GOOD, OPEN

Message = Annotated[
    str,
    typer.Option(
        "--apply",
        metavar="MESSAGE.json",
        help="Apply the best safe and proved proposal to this message, and write the result.",
    ),
]


class NotAdapted(ClaudeCommError):
    """No proved adapter applies to this message."""


def command(
    produced: ProducedFile,
    accepted: AcceptedFile,
    message: Message = "",
    strict: Strict = False,
    budget: WholeBudgetMs = DEFAULT_BUDGET_MS,
    referenced: Documents = None,
    as_json: AsJson = False,
) -> int:
    """Propose steps that make the messages of one schema fit another.

    A proposal is safe or a guess, and proved or not. Only a proposal that is safe and proved is ever applied. The
    message for --apply must fit PRODUCED, because the proof covers only such messages. Exits with 0 if a proposal is
    safe and proved, 1 if none is, 4 if none is and a safe one could not be decided.
    """
    documents.one_stdin(produced, accepted, message)
    schemas = schema_files.read_pair(produced, accepted, referenced)
    proposals = propose(*schemas, policy=policy(strict), budget_ms=budget, clock=time.monotonic)
    if message:
        adapted = _adapted(proposals, schemas[0], policy(strict), documents.read(message))
        (emit_json if as_json else emit_document)(adapted)
    elif as_json:
        emit_json([_as_json(proposal) for proposal in proposals])
    else:
        _show(proposals)
    return _exit_code(proposals)


def _adapted(proposals: Sequence[Proposal], produced: Json, policy: Policy, message: Json) -> Json:
    best = next((proposal for proposal in proposals if proposal.applicable), None)
    if best is None:
        raise NotAdapted("no proposal is both safe and proved, so none is applied; without --apply all are shown.")
    if deeper(message, MAX_INSTANCE_DEPTH):
        raise NotAdapted(f"the message is nested more than {MAX_INSTANCE_DEPTH} deep.")
    for schema in under(policy, produced):
        for breach in compile_validator(schema).validate(message):
            raise NotAdapted(
                f"the message is none that the producer's schema allows: {breach.path}: {breach.sentence}."
            )
    return apply(best.adapter, message)


def _exit_code(proposals: Sequence[Proposal]) -> int:
    if any(proposal.applicable for proposal in proposals):
        return 0
    open_ = any(proposal.kind == "safe" and isinstance(proposal.verdict, Undecided) for proposal in proposals)
    return verdicts.EXIT_CODES["undecided" if open_ else "incompatible"]


def _as_json(proposal: Proposal) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(proposal)
    return {"proved": proposal.proved, "applicable": proposal.applicable, **fields}


def _show(proposals: Sequence[Proposal]) -> None:
    for number, proposal in enumerate(proposals, 1):
        proved = "proved" if proposal.proved else "not proved"
        emit_styled(f"{number}. {proposal.kind}, {proved}", GOOD if proposal.applicable else OPEN)
        for sentence in proposal.sentences or ["nothing to do: every message is accepted as it is"]:
            emit(clean(f"   - {sentence}"))
        emit(clean(f"   adapter: {msgspec.json.encode(proposal.adapter).decode()}"))
        if not proposal.proved:
            verdicts.show(proposal.verdict, "what comes out of it")
    if not proposals:
        say("no steps are known that would make these fit; `claude-comm schema explain` shows what keeps them apart.")
