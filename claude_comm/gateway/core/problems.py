"""Errors as a client of the gateway reads them: a problem document (RFC 9457), and the same in an error frame.

Law: each error of the package has a status and a code here; a refusal of a message carries the path in it, the rule
that it breaks and a witness, as the error has them. Nothing of the machine is in them: no file, no traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from claude_comm import errors
from claude_comm.client.pipeline.preparation import PipelineRefused
from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.core.errors import GatewayRefusal
from claude_comm.negotiation.agreement import Agreement
from claude_comm.schema.verdict import Incompatible, Undecided

# The nearest class of an error decides: subclasses stand before what they derive from.
_STATUS: tuple[tuple[type[ClaudeCommError], int, str], ...] = (
    (errors.AgreementBroken, 422, "agreement_broken"),
    (errors.ContractBroken, 422, "contract_broken"),
    (errors.NegotiationRefused, 409, "negotiation_refused"),
    (errors.ContractRefused, 409, "contract_refused"),
    (errors.VersionTaken, 409, "version_taken"),
    (PipelineRefused, 409, "pipeline_refused"),
    (errors.StillRuns, 409, "still_runs"),
    (errors.TooLarge, 413, "too_large"),
    (errors.EnvelopeError, 422, "unusable_message"),
    (errors.InboxFull, 429, "inbox_full"),
    (errors.PublisherFull, 429, "publisher_full"),
    (errors.ReplyTimeout, 504, "reply_timeout"),
    (errors.RequestFailed, 502, "request_failed"),
    (errors.NoResponder, 404, "no_responder"),
    (errors.UnknownModule, 404, "unknown_module"),
    (errors.NotFound, 404, "not_found"),
    (errors.InvalidName, 400, "invalid_name"),
    (errors.SchemaError, 422, "schema_error"),
    (errors.InvalidDocument, 422, "invalid_document"),
    (errors.ConfigurationError, 400, "unusable"),
    (errors.StoreError, 503, "projection_unavailable"),
    (errors.TransportError, 503, "server_unavailable"),
)
# What a client may do again unchanged, and after how long (seconds).
_RETRY_S = {429: 1.0, 503: 1.0}
# Errors whose words name files and addresses of this machine.
_PRIVATE = (errors.StoreError, errors.TransportError)
_REASONS = 20


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. `path` is the place in the message, such as `$.pages[3].text`, `rule` what it breaks there,
    `witness` a message, or the part of it, that shows it."""

    status: int
    code: str
    detail: str
    title: str = ""
    path: str | None = None
    rule: str | None = None
    witness: Any = msgspec.UNSET
    reasons: list[dict[str, Any]] = []
    retry_s: float | None = None


def problem_of(error: ClaudeCommError, payload: Any = msgspec.UNSET) -> Problem:
    """`payload` is what was to be sent: the witness of a message that breaks its agreement is in it."""
    if isinstance(error, GatewayRefusal):
        return Problem(error.status, error.code, str(error), retry_s=error.retry_s)
    status, code = next(((s, c) for kind, s, c in _STATUS if isinstance(error, kind)), (400, "refused"))
    detail = str(error) if not isinstance(error, _PRIVATE) else _PUBLIC_WORDS[status]
    problem = Problem(status, code, detail, retry_s=_RETRY_S.get(status))
    if isinstance(error, errors.AgreementBroken | errors.ContractBroken):
        witness = at(payload, error.path) if payload is not msgspec.UNSET else msgspec.UNSET
        return msgspec.structs.replace(problem, path=error.path, rule=error.sentence, witness=witness)
    if isinstance(error, errors.RequestFailed) and error.path:
        return msgspec.structs.replace(problem, path=error.path, rule=error.reason)
    if isinstance(error, errors.SchemaError):
        return msgspec.structs.replace(problem, path=error.path)
    if isinstance(error, PipelineRefused):
        return msgspec.structs.replace(problem, reasons=msgspec.to_builtins(error.report.problems[:_REASONS]))
    if isinstance(error, errors.NegotiationRefused):
        return _refusal(problem, error.refusal)
    return problem


_PUBLIC_WORDS = {503: "the server or the projection does not answer: ask again in a moment."}


def at(payload: Any, path: str) -> Any:
    """The part of a payload at a path such as `$.pages[3].text`; the whole where there is no such part."""
    part = payload
    for name, index, quoted in _STEP.findall(path):
        step: str | int = int(index) if index else _unquoted(quoted) if quoted else name
        try:
            part = part[step]
        except (KeyError, IndexError, TypeError):
            return payload
    return part


_STEP = re.compile(r"""\.([^.\[]+)|\[(\d{1,18})\]|\[("(?:[^"\\]|\\.)*"|'[^']*')\]""")


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str) if text[0] == '"' else text[1:-1]
    except msgspec.MsgspecError:
        return text[1:-1]


def _refusal(problem: Problem, refusal: object) -> Problem:
    verdict = refusal.verdict if isinstance(refusal, Agreement) else None
    if isinstance(verdict, Incompatible):
        reasons = list(_reasons(verdict))
        first = reasons[0] if reasons else {}
        return msgspec.structs.replace(
            problem, witness=verdict.witness, reasons=reasons, path=first.get("path"), rule=first.get("sentence")
        )
    if isinstance(verdict, Undecided):
        return msgspec.structs.replace(problem, rule=verdict.why)
    return problem


def _reasons(verdict: Incompatible) -> Iterable[dict[str, Any]]:
    for reason in verdict.reasons[:_REASONS]:
        yield msgspec.to_builtins(reason)
