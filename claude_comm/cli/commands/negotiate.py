"""The command `negotiate`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from claude_comm.cli import completions, documents, verdicts
from claude_comm.cli.options import AsJson
from claude_comm.client.publisher.declared import countered, negotiated
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.names import check_name, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.dialogue import Counter
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    producer: Annotated[
        str, typer.Argument(metavar="PRODUCER", help="The module that sends.", autocompletion=completions.modules)
    ],
    consumer: Annotated[
        str,
        typer.Argument(
            metavar="CONSUMER", help="The module that reads, or topic:NAME.", autocompletion=completions.modules
        ),
    ],
    type_: Annotated[
        str,
        typer.Option(
            "--type", "-t", help="One type of message; by default all that the producer declares for the consumer."
        ),
    ] = "",
    counter: Annotated[
        str, typer.Option("--counter", metavar="FILE", help="A counter-proposal after a refusal, or - for stdin.")
    ] = "",
    as_json: AsJson = False,
) -> int:
    """Negotiate what one registered module sends to another.

    Each version of the producer that may send is checked against each version of the consumer that may receive, the
    preferred one first. If an adapter without guesses makes them fit, it becomes part of the agreement. Exits with 0 if
    each version of the producer has an agreement, 1 if one has none, 4 if that cannot be decided.

    After a refusal, each side may make a counter-proposal, ten times at most. FILE contains one of: {"by": "producer",
    "produced": SCHEMA}, to send less than declared; {"by": "consumer", "accepted": SCHEMA}, to accept more; or {"by":
    ..., "approve": N}, to accept proposal number N. An approved proposal is in force at once, an offer once it is
    registered. The history of the pair contains all rounds.
    """
    settings = settings_of_process()
    check_name(producer)
    check_target(consumer)
    with connect(settings) as client:
        outcomes = negotiated(client, settings, producer, consumer, type_)
        if counter:
            outcomes = [[countered(client, settings, outcomes, _counter(counter))]]
    if as_json:
        emit_json([agreement for agreements in outcomes for agreement in agreements])
    else:
        for agreements in outcomes:
            for agreement in agreements:
                _show(agreement)
    chosen = [
        next((agreement for agreement in agreements if agreement.fits), agreements[0])
        for agreements in outcomes
        if agreements
    ]
    return verdicts.worst({agreement.verdict.answer for agreement in chosen})


def _counter(file: str) -> Counter:
    try:
        return msgspec.convert(documents.read(file), Counter)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{documents.origin(file)} is no counter-proposal: {error}.") from None


def _show(agreement: Agreement) -> None:
    ours, theirs = (
        f" {version}" if version else "" for version in (agreement.producer_version, agreement.consumer_version)
    )
    title = f"{agreement.producer}{ours} -> {agreement.consumer}{theirs} ({agreement.type})"
    verdicts.show(agreement.verdict, title)
    for step in agreement.steps:
        emit(clean(f"  adapter: {step}"))
    for number, proposal in enumerate(agreement.proposals, start=1):
        words = "would fit" if proposal.proved else "might help"
        emit(clean(f"  {number}: {words}, by guess: {'; '.join(proposal.sentences)}"))
    emit(f"  agreement {agreement.id}, decided by the {agreement.decided_by}")
